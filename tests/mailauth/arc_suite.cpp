// The ARC suite of its working group (written for draft-ietf-dmarc-arc-protocol): every case of it.

#include <nlohmann/json.hpp>

#include "briefwerk/mailauth/arc.hpp"
#include "mail/suites.hpp"
#include "mailauth/dkim_support.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;
using nlohmann::json;

namespace {

json read_suite(std::string_view name) {
  const auto files = test::suite_files("arc-a", name);
  return files.empty() ? json::array() : json::parse(test::read_file(files.front()));
}

struct arc_world : test::dkim_world {
  explicit arc_world(const json& scenario) {
    for (const auto& [name, record] : scenario.at("txt-records").items())
      if (record.is_string()) dns.add_txt(name, record.get<std::string>());
  }
  arc_result verify_chain(const message_hasher& message) {
    const arc_verifier verifier(keys);
    return base::sync_wait(verifier.verify(message));
  }
};

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(':', at), list.size());
    out.emplace_back(list.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

// Tag lists and results compare without what folding adds.
std::string packed(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
  return out;
}

// All that the Authentication-Results fields of this authserv-id say, as one (RFC 8617 §4.1.1).
std::string merged_results(const message_hasher& message, const std::string& id) {
  std::string out = id;
  for (const auto& field : message.fields()) {
    if (!mail::equals_ignoring_case(field.name, "Authentication-Results")) continue;
    const std::string value = mail::unfold(field.value);
    if (value.starts_with(id + ";")) out += value.substr(id.size());
  }
  return out;
}

}  // namespace

TEST_CASE("validation") {
  std::size_t cases = 0;
  for (const json& scenario : read_suite("validation.json")) {
    for (const auto& [name, one] : scenario.at("tests").items()) {
      CAPTURE(name);
      ++cases;
      arc_world world(scenario);
      const std::string message = test::with_crlf(one.at("message").get<std::string>());
      const json& cv = one.at("cv");
      const std::string expected = cv.is_string() ? cv.get<std::string>() : "None";
      const auto found = world.verify_chain(test::dkim_world::read(message));
      CAPTURE(found.reason);
      if (expected == "Pass") {
        CHECK(found.what == outcome::pass);
        CHECK(found.sets.size() == found.instances);
      } else if (expected == "None") {
        CHECK(found.what == outcome::none);
      } else {
        // An empty cv= stands for chains in which a seal says cv=fail: the draft left their status open, RFC 8617 §5.2
        // steps 2 and 3.C call them failed.
        CHECK(found.what == outcome::fail);
        CHECK(!found.reason.empty());
      }
      CHECK(world.verify_chain(test::dkim_world::read(message, {}, 1)).what == found.what);
    }
  }
  MESSAGE(cases, " cases");
}

TEST_CASE("signing") {
  std::size_t cases = 0;
  for (const json& scenario : read_suite("signing.json")) {
    const auto key = test::provider().parse_private_key(scenario.at("privatekey").get<std::string>());
    REQUIRE(key.has_value());
    for (const auto& [name, one] : scenario.at("tests").items()) {
      CAPTURE(name);
      ++cases;
      arc_world world(scenario);
      const auto sealer = arc_sealer::make({.domain = scenario.at("domain").get<std::string>(),
                                            .key = {scenario.at("sel").get<std::string>(), *key},
                                            .fields = split(one.at("sig-headers").get<std::string>())});
      REQUIRE(sealer.has_value());
      const std::string text = test::with_crlf(one.at("message").get<std::string>());
      const auto message = test::dkim_world::read(text, {sealer->body_hash()});
      const auto chain = world.verify_chain(message);
      const auto set = sealer->seal(message, chain, merged_results(message, one.at("srv-id").get<std::string>()),
                                    std::chrono::sys_seconds(std::chrono::seconds(one.at("t").get<int>())));
      if (one.at("AS").get<std::string>().empty()) {
        REQUIRE(!set.has_value());
        CHECK(set.error() == dkim_errc::chain_ended);
        continue;
      }
      REQUIRE(set.has_value());
      const mail::header_block fields(*set);
      REQUIRE(fields.fields().size() == 3);
      CHECK(packed(fields.value("ARC-Seal")) == packed(one.at("AS").get<std::string>()));
      CHECK(packed(fields.value("ARC-Message-Signature")) == packed(one.at("AMS").get<std::string>()));
      CHECK(packed(fields.value("ARC-Authentication-Results")) == packed(one.at("AAR").get<std::string>()));
      const auto after = world.verify_chain(test::dkim_world::read(*set + text));
      CHECK(after.what == (chain.what == outcome::fail ? outcome::fail : outcome::pass));
    }
  }
  MESSAGE(cases, " cases");
}
