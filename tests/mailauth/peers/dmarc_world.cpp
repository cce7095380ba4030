// DMARC for a script: reads a world and questions from standard input, a line each, fields separated by tabs.
//   TXT name text
//   CHECK from spf-result spf-domain dkim-results      the last as result:domain, with commas between
//   CLEAR
// Each CHECK is answered with a line "result policy-domain p|sp|np policy spf dkim", the last two aligned or not.
// By the public suffix list of RFC 7489, from the file that is the program's argument.
//
// With --reports rfc7489|rfc9990 it prints reports that hold every word and every absence in turn, NUL behind each.

#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/mailauth/dmarc.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"
#include "briefwerk/mailauth/public_suffix.hpp"

namespace {

namespace base = briefwerk::base;
namespace mailauth = briefwerk::mailauth;
namespace dmarc = briefwerk::mailauth::dmarc;

std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> out(1);
  for (const char c : line) {
    if (c == separator)
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

void check(base::resolver& dns, const dmarc::options& how, const std::vector<std::string>& fields) {
  dmarc::input found;
  found.spf = {mailauth::parse_outcome(fields[2]).value(), fields[3]};
  for (const auto& one : split(fields[4], ',')) {
    const auto colon = one.find(':');
    if (colon != one.npos)
      found.dkim.push_back({mailauth::parse_outcome(one.substr(0, colon)).value(), one.substr(colon + 1), "s"});
  }
  const auto from = mailauth::read_author("From: a@" + fields[1] + "\r\n\r\n");
  const auto answer = base::sync_wait(dmarc::evaluate(dns, from, std::move(found), how));
  constexpr const char* tags[] = {"p", "sp", "np"};
  std::printf("%s\t%s\t%s\t%s\t%s\t%s\n", std::string(to_string(answer.result)).c_str(), answer.policy_domain.c_str(),
              tags[static_cast<std::size_t>(answer.speaks_of)], std::string(to_string(answer.requested)).c_str(),
              answer.spf_aligned() ? "aligned" : "not", answer.dkim_aligned() ? "aligned" : "not");
  std::fflush(stdout);
}

// The nth value of an enumeration, and nothing behind its last.
template <class Enum>
std::optional<Enum> nth(int n, Enum last) {
  const int values = static_cast<int>(last) + 2;
  if (n % values == values - 1) return std::nullopt;
  return static_cast<Enum>(n % values);
}

dmarc::report_row make_row(int n) {
  using mailauth::outcome;
  dmarc::report_row row;
  row.source_ip = "192.0.2." + std::to_string(n);
  row.count = static_cast<std::uint64_t>(n) + 1;
  row.disposition = nth(n, dmarc::action::pass);
  row.dkim = nth(n, outcome::fail);
  row.spf = nth(n + 1, outcome::fail);
  for (int i = 0; i < n % 3; ++i)
    row.reasons.push_back(
        {nth(n + i, dmarc::override_type::other).value_or(dmarc::override_type::other), i == 0 ? "" : "<&>"});
  row.header_from = "example.org";
  if (n % 2 == 0) row.envelope_from = n % 4 == 0 ? "" : "bounce.example.org";
  if (n % 5 == 0) row.envelope_to = "mx.example";
  for (int i = 0; i < n % 4; ++i)
    row.dkim_results.push_back(
        {"example.org", i == 0 ? "" : "s", nth(n + i, outcome::permerror), i == 2 ? "a & b" : ""});
  for (int i = 0; i < n % 3; ++i)
    row.spf_results.push_back(
        {"example.org", nth(n + i, dmarc::spf_scope::mail_from), nth(n + i, outcome::permerror), ""});
  return row;
}

void print_reports(dmarc::report_format form) {
  for (int n = 0; n < 120; ++n) {
    dmarc::report what;
    what.metadata.org_name = "Example <" + std::to_string(n) + ">";
    what.metadata.email = "noreply@mx.example";
    if (n % 2 == 1) what.metadata.extra_contact_info = "https://mx.example";
    if (n % 3 == 1) what.metadata.generator = "g";
    what.metadata.report_id = std::to_string(n);
    for (int i = 0; i < n % 3; ++i) what.metadata.errors.push_back("e");
    what.published.domain = "example.org";
    what.published.adkim = nth(n, dmarc::alignment::strict);
    what.published.aspf = nth(n + 1, dmarc::alignment::strict);
    what.published.p = nth(n, dmarc::policy::reject);
    what.published.sp = nth(n + 1, dmarc::policy::reject);
    what.published.np = nth(n + 2, dmarc::policy::reject);
    what.published.method = nth(n, dmarc::discovery::public_suffix);
    if (n % 3 != 0) what.published.testing = n % 3 == 1;
    if (n % 2 == 0) what.published.pct = static_cast<unsigned>(n % 101);
    if (n % 2 == 1) what.published.fo = "1:d";
    for (int i = 0; i <= n % 4; ++i) what.rows.push_back(make_row(n + i));
    const auto text = dmarc::write_report(what, form);
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::putchar(0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--reports") {
    print_reports(std::string_view(argv[2]) == "rfc9990" ? dmarc::report_format::rfc9990
                                                         : dmarc::report_format::rfc7489);
    return 0;
  }
  if (argc != 2) return 2;
  const auto suffixes = mailauth::public_suffix_list::from_file(argv[1]);
  if (!suffixes) return 2;
  const dmarc::options how{
      .method = dmarc::discovery::public_suffix, .suffixes = &*suffixes, .sample = [] { return 0u; }};
  base::scripted_resolver dns;
  for (std::string line; std::getline(std::cin, line);) {
    const auto fields = split(line, '\t');
    if (fields[0] == "TXT" && fields.size() == 3) {
      dns.add_txt(fields[1], fields[2]);
    } else if (fields[0] == "CHECK" && fields.size() == 5) {
      check(dns, how, fields);
    } else if (fields[0] == "CLEAR") {
      dns.clear();
    } else {
      std::fprintf(stderr, "unknown line: %s\n", line.c_str());
      return 2;
    }
  }
  return 0;
}
