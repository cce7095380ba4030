// Aggregate reports that others really sent, with the values that a reader of others found in them.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "briefwerk/mailauth/dmarc_report.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth::dmarc;
using nlohmann::json;

namespace {

// The suite's words are names of enumerators: "None", "TempError"; "Unspecified" and null are our empty ones.
std::string word(const json& from, const char* name) {
  if (!from.contains(name) || from[name].is_null() || from[name] == "Unspecified") return {};
  std::string out;
  for (const char c : from[name].get<std::string>()) {
    if (c >= 'A' && c <= 'Z')
      out += static_cast<char>(c | 0x20);
    else if (c != '_')
      out += c;
  }
  return out;
}
std::string text(const json& from, const char* name) {
  return from.contains(name) && from[name].is_string() ? from[name].get<std::string>() : std::string();
}
template <class Value>
std::string word(const std::optional<Value>& what) {
  std::string out;
  if (what)
    for (const char c : std::string(to_string(*what)))
      if (c != '_') out += c;
  return out;
}
std::string word(const std::optional<alignment>& what) {
  return !what ? "" : *what == alignment::strict ? "strict" : "relaxed";
}
std::string word(const std::optional<spf_scope>& what) {
  return !what ? "" : *what == spf_scope::helo ? "helo" : "mailfrom";
}

void check_row(const report_row& row, const json& expected) {
  const auto& evaluated = expected["row"]["policy_evaluated"];
  CHECK(row.source_ip == text(expected["row"], "source_ip"));
  CHECK(row.count == expected["row"]["count"].get<std::uint64_t>());
  CHECK(word(row.disposition) == word(evaluated, "disposition"));
  CHECK(word(row.dkim) == word(evaluated, "dkim"));
  CHECK(word(row.spf) == word(evaluated, "spf"));
  REQUIRE(row.reasons.size() == evaluated["reason"].size());
  for (std::size_t i = 0; i < row.reasons.size(); ++i) {
    CHECK(word(std::optional(row.reasons[i].type)) == word(evaluated["reason"][i], "type"));
    CHECK(row.reasons[i].comment == text(evaluated["reason"][i], "comment"));
  }
  const auto& identifiers = expected["identifiers"];
  CHECK(row.header_from == text(identifiers, "header_from"));
  CHECK(row.envelope_from.value_or("") == text(identifiers, "envelope_from"));
  CHECK(row.envelope_to.value_or("") == text(identifiers, "envelope_to"));

  const auto& dkim = expected["auth_results"]["dkim"];
  REQUIRE(row.dkim_results.size() == dkim.size());
  for (std::size_t i = 0; i < dkim.size(); ++i) {
    CHECK(row.dkim_results[i].domain == text(dkim[i], "domain"));
    CHECK(row.dkim_results[i].selector == text(dkim[i], "selector"));
    CHECK(word(row.dkim_results[i].result) == word(dkim[i], "result"));
    CHECK(row.dkim_results[i].human_result == text(dkim[i], "human_result"));
  }
  const auto& spf = expected["auth_results"]["spf"];
  REQUIRE(row.spf_results.size() == spf.size());
  for (std::size_t i = 0; i < spf.size(); ++i) {
    CHECK(row.spf_results[i].domain == text(spf[i], "domain"));
    CHECK(word(row.spf_results[i].scope) == word(spf[i], "scope"));
    CHECK(word(row.spf_results[i].result) == word(spf[i], "result"));
    CHECK(row.spf_results[i].human_result == text(spf[i], "human_result"));
  }
}

void check_report(const report& found, const json& expected) {
  const double version = expected["version"].get<double>();
  CHECK((found.version.empty() ? 0.0 : std::stod(found.version)) == doctest::Approx(version));
  const auto& about = expected["report_metadata"];
  CHECK(found.metadata.org_name == text(about, "org_name"));
  CHECK(found.metadata.email == text(about, "email"));
  CHECK(found.metadata.extra_contact_info == text(about, "extra_contact_info"));
  CHECK(found.metadata.report_id == text(about, "report_id"));
  CHECK(found.metadata.generator == text(about, "generator"));
  CHECK(found.metadata.begin.time_since_epoch().count() == about["date_range"]["begin"].get<std::int64_t>());
  CHECK(found.metadata.end.time_since_epoch().count() == about["date_range"]["end"].get<std::int64_t>());
  CHECK(found.metadata.errors == about["error"].get<std::vector<std::string>>());

  const auto& policy = expected["policy_published"];
  CHECK(found.published.domain == text(policy, "domain"));
  CHECK(found.published.version_published == text(policy, "version_published"));
  CHECK(word(found.published.adkim) == word(policy, "adkim"));
  CHECK(word(found.published.aspf) == word(policy, "aspf"));
  CHECK(word(found.published.p) == word(policy, "p"));
  CHECK(word(found.published.sp) == word(policy, "sp"));
  CHECK(word(found.published.np) == word(policy, "np"));
  CHECK(word(found.published.method) == word(policy, "discovery_method"));
  CHECK(found.published.testing.value_or(false) == policy["testing"].get<bool>());
  CHECK(found.published.fo == text(policy, "fo"));

  REQUIRE(found.rows.size() == expected["record"].size());
  for (std::size_t i = 0; i < found.rows.size(); ++i) check_row(found.rows[i], expected["record"][i]);
}

}  // namespace

TEST_CASE("the suite of reports") {
  std::size_t checked = 0;
  for (const auto& path : test::suite_files("mail-reports/dmarc-feedback", ".json")) {
    auto input = path;
    input.replace_extension(".xml");
    if (!std::filesystem::exists(input)) input.replace_extension(".eml");
    CAPTURE(input.string());
    const auto found = read_reports(test::read_file(input));
    REQUIRE(found);
    REQUIRE(found->size() == 1);
    check_report(found->front(), json::parse(test::read_file(path)));
    // What was read survives being written and read again, in the schema that has all its words.
    auto again = parse_report(write_report(found->front(), report_format::rfc7489));
    REQUIRE(again);
    CHECK(again->rows.size() == found->front().rows.size());
    CHECK(again->metadata == [&] {
      auto about = found->front().metadata;
      about.generator.clear();
      return about;
    }());
    ++checked;
  }
  if (checked != 0) CHECK(checked >= 5);
}
