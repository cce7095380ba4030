// The form of a collection's pieces, version 1; numbers, texts and choices as in octet_form.hpp:
//   head: version, domain, adkim, aspf, p, sp, np, pct + 1, testing, method, fo, number of rua and for each uri and
//         max_size + 1 (0: none), messages left out
//   row:  version, count, then source_ip, disposition, dkim, spf, number of reasons and for each type and comment,
//         header_from, envelope_from, envelope_to (each: present, text), number of dkim and for each domain, selector,
//         result; number of spf and for each domain, scope, result

#include <algorithm>
#include <utility>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mailauth/dmarc_collector.hpp"
#include "mailauth/octet_form.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

namespace limits = base::limits;
using base::errc;
using base::fail;

constexpr std::uint64_t form_version = 1;
constexpr std::size_t longest_text = 320;  // of a row: a domain or a selector, and no room for novels

std::string bounded(std::string_view text) {
  auto out = mail::repair_utf8(text.substr(0, longest_text));
  out.resize(mail::utf8_prefix(out, longest_text));
  return out;
}

void write_optional(octet_writer& out, const std::optional<std::string>& value) {
  out.number(value ? 1 : 0);
  if (value) out.text(*value);
}
std::optional<std::string> read_optional(octet_reader& in) {
  if (in.number(1) == 0) return std::nullopt;
  return in.text();
}

std::string write_row(const report_row& row) {
  octet_writer out;
  out.text(row.source_ip);
  out.choice(row.disposition);
  out.choice(row.dkim);
  out.choice(row.spf);
  out.number(row.reasons.size());
  for (const auto& one : row.reasons) {
    out.choice(std::optional(one.type));
    out.text(one.comment);
  }
  out.text(row.header_from);
  write_optional(out, row.envelope_from);
  write_optional(out, row.envelope_to);
  out.number(row.dkim_results.size());
  for (const auto& one : row.dkim_results) {
    out.text(one.domain);
    out.text(one.selector);
    out.choice(one.result);
  }
  out.number(row.spf_results.size());
  for (const auto& one : row.spf_results) {
    out.text(one.domain);
    out.choice(one.scope);
    out.choice(one.result);
  }
  return out.take();
}

std::optional<report_row> read_row(std::string_view octets) {
  octet_reader in(octets);
  report_row row;
  row.source_ip = in.text();
  row.disposition = in.choice(action::pass);
  row.dkim = in.choice(outcome::permerror);
  row.spf = in.choice(outcome::permerror);
  for (auto left = in.number(limits::dmarc_report_results); left > 0 && in.ok(); --left) {
    const auto type = in.choice(override_type::other).value_or(override_type::other);
    row.reasons.push_back({type, in.text()});
  }
  row.header_from = in.text();
  row.envelope_from = read_optional(in);
  row.envelope_to = read_optional(in);
  for (auto left = in.number(limits::dmarc_report_results); left > 0 && in.ok(); --left) {
    auto& one = row.dkim_results.emplace_back();
    one.domain = in.text();
    one.selector = in.text();
    one.result = in.choice(outcome::permerror);
  }
  for (auto left = in.number(limits::dmarc_report_results); left > 0 && in.ok(); --left) {
    auto& one = row.spf_results.emplace_back();
    one.domain = in.text();
    one.scope = in.choice(spf_scope::mail_from);
    one.result = in.choice(outcome::permerror);
  }
  if (!in.complete()) return std::nullopt;
  return row;
}

published_policy read_published(octet_reader& in) {
  published_policy out;
  out.domain = in.text();
  out.adkim = in.choice(alignment::strict);
  out.aspf = in.choice(alignment::strict);
  out.p = in.choice(policy::reject);
  out.sp = in.choice(policy::reject);
  out.np = in.choice(policy::reject);
  if (const auto pct = in.number(101); pct != 0) out.pct = static_cast<unsigned>(pct - 1);
  if (const auto testing = in.number(2); testing != 0) out.testing = testing == 2;
  out.method = in.choice(discovery::public_suffix);
  out.fo = in.text();
  return out;
}

// RFC 9990 §3.1.3: which signatures tell a domain owner most.
int rank(const identifier& one, std::string_view author) noexcept {
  if (one.result != outcome::pass) return 3;
  return one.domain == author ? 0 : one.aligned ? 1 : 2;
}

}  // namespace

std::optional<observation> observe(const evaluation& found, const message_facts& facts) {
  const bool concluded = found.result == outcome::pass || found.result == outcome::fail;
  if (!concluded || found.fault != author_fault::none || !found.published || found.published->rua.empty())
    return std::nullopt;
  const auto& record = *found.published;
  observation out;
  out.rua = record.rua;
  out.published = {.domain = found.policy_domain,
                   .version_published = {},
                   .adkim = record.adkim,
                   .aspf = record.aspf,
                   .p = record.p.value_or(policy::none),
                   .sp = record.sp,
                   .np = record.np,
                   .pct = record.pct,
                   .testing = record.testing,
                   .method = found.method,
                   .fo = to_string(record.fo)};
  auto& row = out.row;
  const bool passed = found.result == outcome::pass;
  row.source_ip = facts.source.to_string();
  row.count = 1;
  row.disposition = passed && facts.applied == action::none ? action::pass : facts.applied;
  row.dkim = found.dkim_aligned() ? outcome::pass : outcome::fail;
  row.spf = found.spf_aligned() ? outcome::pass : outcome::fail;
  for (const auto& one : facts.reasons) row.reasons.push_back({one.type, bounded(one.comment)});
  if (found.sampled_out) row.reasons.push_back({override_type::sampled_out, {}});
  if (found.test_mode) row.reasons.push_back({override_type::policy_test_mode, {}});
  row.header_from = bounded(found.author_domain);
  row.envelope_from = bounded(facts.envelope_from);
  if (!facts.envelope_to.empty()) row.envelope_to = bounded(facts.envelope_to);
  auto signatures = found.dkim;
  std::ranges::stable_sort(signatures, {}, [&](const auto& one) { return rank(one, found.author_domain); });
  for (const auto& one : signatures)
    row.dkim_results.push_back({bounded(one.domain), bounded(one.selector), one.result, {}});
  if (!found.spf.domain.empty())
    row.spf_results.push_back({bounded(found.spf.domain), facts.scope, found.spf.result, {}});
  return out;
}

collection::collection(const collection& other)
    : published_(other.published_), rua_(other.rua_), rows_(other.rows_), left_out_(other.left_out_) {
  for (const auto& [octets, one] : rows_) by_number_[one.number] = &octets;
}

std::optional<std::uint32_t> collection::add(const observation& seen, std::size_t most_rows) {
  published_ = seen.published;
  rua_ = seen.rua;
  auto octets = write_row(seen.row);
  auto at = rows_.find(octets);
  if (at == rows_.end()) {
    if (rows_.size() >= most_rows) {
      ++left_out_;
      return std::nullopt;
    }
    const auto number = by_number_.empty() ? 0 : by_number_.rbegin()->first + 1;
    at = rows_.emplace(std::move(octets), counted{number, 0}).first;
    by_number_[number] = &at->first;
  }
  at->second.count += seen.row.count;
  return at->second.number;
}

std::vector<std::uint32_t> collection::numbers() const {
  std::vector<std::uint32_t> out;
  for (const auto& [number, octets] : by_number_) out.push_back(number);
  return out;
}

std::string collection::encode_head() const {
  octet_writer out;
  out.number(form_version);
  out.text(published_.domain);
  out.choice(published_.adkim);
  out.choice(published_.aspf);
  out.choice(published_.p);
  out.choice(published_.sp);
  out.choice(published_.np);
  out.number(published_.pct ? *published_.pct + 1 : 0);
  out.number(published_.testing ? (*published_.testing ? 2 : 1) : 0);
  out.choice(published_.method);
  out.text(published_.fo);
  out.number(rua_.size());
  for (const auto& one : rua_) {
    out.text(one.uri);
    out.number(one.max_size ? *one.max_size + 1 : 0);
  }
  out.number(left_out_);
  return out.take();
}

std::string collection::encode_row(std::uint32_t number) const {
  const auto at = by_number_.find(number);
  if (at == by_number_.end()) return {};
  octet_writer out;
  out.number(form_version);
  out.number(rows_.find(*at->second)->second.count);
  return out.take() + *at->second;
}

base::status collection::restore_head(std::string_view octets) {
  octet_reader in(octets);
  if (in.number(form_version) != form_version) return fail(errc::corrupt);
  auto published = read_published(in);
  std::vector<report_uri> rua;
  for (auto left = in.number(limits::dmarc_uris); left > 0 && in.ok(); --left) {
    auto& one = rua.emplace_back();
    one.uri = in.text();
    if (const auto size = in.number(); size != 0) one.max_size = size - 1;
  }
  const auto left_out = in.number();
  if (!in.complete()) return fail(errc::corrupt);
  published_ = std::move(published);
  rua_ = std::move(rua);
  left_out_ = left_out;
  return {};
}

base::status collection::restore_row(std::uint32_t number, std::string_view octets) {
  octet_reader in(octets);
  const bool right_version = in.number(form_version) == form_version;
  const auto count = in.number();
  if (!right_version || !in.ok() || !read_row(in.rest())) return fail(errc::corrupt);
  const auto [at, is_new] = rows_.emplace(std::string(in.rest()), counted{number, 0});
  if (is_new) {
    if (!by_number_.emplace(number, &at->first).second) {
      rows_.erase(at);
      return fail(errc::corrupt);
    }
  }
  at->second.count += count;
  return {};
}

report collection::make_report(report_metadata metadata) const {
  report out{.version = "1.0", .metadata = std::move(metadata), .published = published_, .rows = {}};
  if (left_out_ != 0)
    out.metadata.errors.push_back(std::to_string(left_out_) + " messages are not listed: too many different rows");
  for (const auto& [octets, seen] : rows_) {
    auto row = read_row(octets);
    if (!row) continue;
    row->count = seen.count;
    out.rows.push_back(std::move(*row));
  }
  std::ranges::stable_sort(out.rows, {}, &report_row::source_ip);
  return out;
}

}  // namespace briefwerk::mailauth::dmarc
