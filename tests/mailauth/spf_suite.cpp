// The SPF suite of openspf.org (RFC 7208, 2014.04): every case of it.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/mailauth/spf.hpp"
#include "support/folders.hpp"

using namespace briefwerk;
using nlohmann::json;

namespace {

// \xNN of the YAML are code points up to U+00FF in the JSON, and stand for raw octets.
std::string octets(const std::string& utf8) {
  std::string out;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c < 0x80) {
      out += utf8[i];
      continue;
    }
    REQUIRE((c == 0xc2 || c == 0xc3));
    out += static_cast<char>(((c & 3) << 6) | (static_cast<unsigned char>(utf8[++i]) & 0x3f));
  }
  return out;
}

std::string text_of(const json& value) {
  if (value.is_string()) return octets(value.get<std::string>());
  std::string out;
  for (const json& piece : value) out += octets(piece.get<std::string>());  // RFC 7208 §3.3
  return out;
}

void add_record(base::scripted_resolver& dns, const std::string& owner, const std::string& type, const json& value) {
  if (type == "A" || type == "AAAA") {
    dns.add_address(owner, value.get<std::string>());
  } else if (type == "MX") {
    dns.add_mx(owner, value[0].get<std::uint16_t>(), octets(value[1].get<std::string>()));
  } else if (type == "PTR") {
    dns.add(owner, base::dns_type::ptr, {base::dns_name{octets(value.get<std::string>())}});
  } else if (type == "CNAME") {
    dns.add_alias(owner, octets(value.get<std::string>()));
  } else if (type == "TXT") {
    dns.add_txt(owner, text_of(value));
  } else {
    FAIL("a type that the suite did not have: ", type);
  }
}

// SPF (99) entries are served as TXT unless the owner has TXT entries of its own; "TXT: NONE" means that it has none.
void add_owner(base::scripted_resolver& dns, const std::string& owner, const json& entries) {
  bool has_txt = false;
  for (const json& entry : entries) has_txt = has_txt || (entry.is_object() && entry.contains("TXT"));
  dns.add_name(owner);
  for (const json& entry : entries) {
    if (entry.is_string()) {
      REQUIRE(entry == "TIMEOUT");
      dns.add_failure(owner);
      continue;
    }
    for (const auto& [type, value] : entry.items()) {
      if (type == "RCODE") {
        if (value != 3) dns.add_failure(owner);
      } else if (type == "SPF") {
        if (!has_txt) dns.add_txt(owner, text_of(value));
      } else if (value != "NONE") {
        add_record(dns, owner, type, value);
      }
    }
  }
}

std::set<std::string> words(const json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::set<std::string>>();
}

}  // namespace

TEST_CASE("RFC 7208: every case of the SPF suite") {
  const auto path = test::suites_folder() / "spf-rfc7208" / "rfc7208-tests.json";
  if (!std::filesystem::exists(path)) {
    MESSAGE("suite absent, not tested: ", path.string());
    return;
  }
  std::ifstream file(path);
  const json suite = json::parse(file);
  std::size_t cases = 0;
  for (const json& scenario : suite) {
    base::scripted_resolver dns;
    for (const auto& [owner, entries] : scenario["zonedata"].items()) add_owner(dns, octets(owner), entries);
    for (const auto& [name, test] : scenario["tests"].items()) {
      CAPTURE(name);
      const auto ip = base::ip_address::parse(test["host"].get<std::string>());
      REQUIRE(ip);
      mailauth::spf::request about;
      about.ip = *ip;
      about.helo = test["helo"].get<std::string>();
      about.sender = test["mailfrom"].get<std::string>();
      about.receiver = "receiver.example.org";
      mailauth::trace_list trace;
      const auto found = base::sync_wait(mailauth::spf::check_mail_from(dns, about, mailauth::tracer(&trace)));
      std::string steps;
      for (const auto& step : trace.steps())
        steps += "\n" + std::string(static_cast<std::size_t>(step.depth) * 2, ' ') + std::string(step.what) + ": " +
                 step.text;
      CAPTURE(steps);
      const std::set<std::string> allowed = words(test["result"]);
      CHECK_MESSAGE(allowed.contains(std::string(to_string(found.result))), to_string(found.result), " of ", name);
      if (test.contains("explanation")) {
        const std::string expected = test["explanation"].get<std::string>();
        CHECK_MESSAGE(found.explanation == (expected == "DEFAULT" ? "" : expected), name);
      }
      ++cases;
    }
  }
  MESSAGE(cases, " cases");
  CHECK(cases >= 203);
}
