#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

struct gathered_source {
  summary_counts counts;
  std::set<std::string> header_from;
};
struct gathered_domain {
  domain_summary summary;
  std::set<std::string> reporters;
  std::map<std::string, gathered_source> sources;
};

void count(summary_counts& to, const report_row& row) {
  const bool dkim = row.dkim == outcome::pass, spf = row.spf == outcome::pass;
  const auto if_so = [&](bool yes) { return yes ? row.count : 0; };
  to.messages += row.count;
  to.dkim += if_so(dkim);
  to.spf += if_so(spf);
  to.passed += if_so(dkim || spf);
  to.quarantined += if_so(row.disposition == action::quarantine);
  to.rejected += if_so(row.disposition == action::reject);
}

std::string lowered(const std::string& domain) { return mail::domain_to_ascii(domain).value_or(domain); }

// A report without a policy's domain is about that of its first row.
std::string domain_of(const report& one) {
  if (!one.published.domain.empty() || one.rows.empty()) return lowered(one.published.domain);
  return lowered(one.rows.front().header_from);
}

void add(gathered_domain& to, const report& one) {
  auto& summary = to.summary;
  if (summary.reports == 0 || one.metadata.begin < summary.begin) summary.begin = one.metadata.begin;
  summary.end = std::max(summary.end, one.metadata.end);
  ++summary.reports;
  to.reporters.insert(one.metadata.org_name);
  for (const auto& row : one.rows) {
    auto& source = to.sources[row.source_ip];
    count(summary.counts, row);
    count(source.counts, row);
    source.header_from.insert(lowered(row.header_from));
  }
}

domain_summary finish(std::string domain, gathered_domain& from) {
  auto out = std::move(from.summary);
  out.domain = std::move(domain);
  out.reporters.assign(from.reporters.begin(), from.reporters.end());
  for (auto& [address, source] : from.sources)
    out.sources.push_back({address, source.counts, {source.header_from.begin(), source.header_from.end()}});
  std::ranges::stable_sort(out.sources, std::greater(), [](const auto& one) { return one.counts.messages; });
  return out;
}

}  // namespace

std::vector<domain_summary> summarise(std::span<const report> reports) {
  std::map<std::string, gathered_domain> domains;
  std::set<std::pair<std::string, std::string>> known;
  for (const auto& one : reports) {
    const auto& about = one.metadata;
    // RFC 9990 §3.5.4: a report that was sent again bears the same id.
    if (!about.report_id.empty() && !known.emplace(about.org_name + '\n' + about.email, about.report_id).second)
      continue;
    add(domains[domain_of(one)], one);
  }
  std::vector<domain_summary> out;
  for (auto& [domain, gathered] : domains) out.push_back(finish(domain, gathered));
  return out;
}

}  // namespace briefwerk::mailauth::dmarc
