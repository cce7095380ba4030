#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <span>

#include "briefwerk/mail/address.hpp"
#include "mail/message_check.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using nlohmann::json;

namespace {

void check(std::string_view raw) {
  test::check_message(raw, [&](const char* what) { FAIL_CHECK(std::string(what)); });
}

}  // namespace

TEST_CASE("messages of other projects keep the rules, as they are, with CRLF, and cut") {
  std::size_t count = 0;
  for (const auto& [suite, ending] : {std::pair{"mime-python", ".txt"}, {"mime-rubymail", ""}, {"mime-mailparser", ".eml"},
                                      {"bodystructure", ".eml"}}) {
    for (const auto& file : test::suite_files(suite, ending)) {
      CAPTURE(file.string());
      const auto raw = test::read_file(file);
      test::with_exact_block(raw, check);
      const auto crlf = test::with_crlf(raw);
      test::with_exact_block(crlf, check);
      // About sixty cuts a message: every octet would take minutes.
      const auto step = std::max<std::size_t>(raw.size() / 60, 1);
      for (std::size_t size = 1; size < raw.size(); size += step)
        test::with_exact_block(std::string_view(raw).substr(0, size), check);
      ++count;
    }
  }
  MESSAGE(count, " messages");
}

namespace {

// What the suites' expectations hold of an address list: [name, address] pairs, groups flattened.
std::vector<std::pair<std::string, std::string>> expected_addresses(const json& value) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto text = [](const json& v) { return v.is_string() ? v.get<std::string>() : std::string(); };
  const auto add = [&](const json& list) {
    for (const auto& a : list) out.emplace_back(text(a["name"]), text(a["address"]));
  };
  if (value.contains("List")) add(value["List"]);
  if (value.contains("Group"))
    for (const auto& group : value["Group"]) add(group["addresses"]);
  return out;
}

std::vector<std::pair<std::string, std::string>> our_addresses(std::string_view value) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& a : mail::parse_address_list(value)) {
    if (a.kind != mail::list_address::kind_type::mailbox) continue;
    out.emplace_back(mail::decode_text(a.name), a.domain.empty() ? a.local : a.local + '@' + a.domain);
  }
  return out;
}

std::string show(const std::vector<std::pair<std::string, std::string>>& list) {
  std::string out;
  for (const auto& [name, address] : list) out += '[' + name + '|' + address + ']';
  return out;
}

// The vectors hold a field's value, its line end and at times the next field.
std::string first_field(const std::string& text) {
  const auto block = "X: " + text;
  return std::string(mail::header_block(block).value("x"));
}

std::string without_space(std::string text) {
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t'; });
  return text;
}

// Vectors whose expectation is not followed, by a piece of their text, with the reason.
struct deviation { std::string_view piece, reason; };

bool deviates(std::string_view header, std::span<const deviation> known) {
  return std::ranges::any_of(known, [&](const deviation& d) { return header.find(d.piece) != header.npos; });
}

constexpr deviation address_deviations[] = {
    {"(", "comments are no part of a display name (RFC 5322 §3.4)"},
    {"<@node.test:", "the route is kept apart, white space in an obs-domain goes (RFC 5322 §4.4)"},
    {"\"  James", "white space round a display name goes"},
    {"<a@b.com> =?", "a display name stands before its address"},
};

constexpr deviation parameter_deviations[] = {
    {"*1*=iso-8859-1'", "RFC 2231 §4.1: the charset stands in the first piece only"},
    {"=?iso-8859-1?B?4Q==?= =?utf-8?B?w6k=?=", "RFC 2047 §6.2: white space between encoded-words goes"},
    {"key*9999=", "RFC 2231 §3: a gap ends the value"},
    {"malicious/attempt", "names that no grammar knows"},
    {"text/plain/format", "RFC 2045 §5.1: a subtype is a token"},
};

json read_vectors(const char* name) {
  const auto files = test::suite_files("mime-mailparser", std::string("headers/") + name + ".json");
  return files.empty() ? json::array() : json::parse(test::read_file(files.front()));
}

}  // namespace

TEST_CASE("mail-parser's vectors: texts") {
  for (const auto& v : read_vectors("unstructured")) {
    const auto header = v["header"].get<std::string>();
    CAPTURE(header);
    // How much white space folding leaves is a matter of taste.
    CHECK(without_space(mail::decode_text(first_field(header))) == without_space(v["expected"].get<std::string>()));
  }
}

TEST_CASE("mail-parser's vectors: addresses") {
  for (const auto& v : read_vectors("address")) {
    const auto header = v["header"].get<std::string>();
    CAPTURE(header);
    if (deviates(header, address_deviations)) continue;
    CHECK(show(our_addresses(first_field(header))) == show(expected_addresses(v["expected"])));
  }
}

TEST_CASE("mail-parser's vectors: parameters") {
  for (const auto& v : read_vectors("content_type")) {
    const auto header = v["header"].get<std::string>();
    const auto& expected = v["expected"];
    CAPTURE(header);
    const auto ours = mail::parse_content_type(first_field(header));
    if (deviates(header, parameter_deviations)) continue;
    if (!expected.is_object() || !expected["c_subtype"].is_string()) continue;
    CHECK(ours.value == expected["c_type"].get<std::string>() + "/" + expected["c_subtype"].get<std::string>());
    if (!expected.contains("attributes") || !expected["attributes"].is_array()) continue;
    for (const auto& a : expected["attributes"]) {
      const auto name = a[0].get<std::string>();
      if (name.ends_with("-language")) continue;
      CAPTURE(name);
      const auto* value = ours.find(name);
      CHECK((value == nullptr ? "(none)" : *value) == a[1].get<std::string>());
    }
  }
}
