#include "briefwerk/mailauth/dmarc_record.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "mailauth/tag_list.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

namespace limits = base::limits;
using mail::equals_ignoring_case;

constexpr std::array<std::string_view, 3> policies = {"none", "quarantine", "reject"};
constexpr std::string_view version = "DMARC1";

// A decimal number and nothing else.
template <class Number>
std::optional<Number> parse_number(std::string_view text) noexcept {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto end = text.find(separator);
    out.push_back(trim(text.substr(0, end)));
    if (end == text.npos) return out;
    text.remove_prefix(end + 1);
  }
}

// RFC 3986 §3.1: a scheme, and something behind it without blanks, controls or octets that are not ASCII.
bool is_uri(std::string_view text) noexcept {
  const auto colon = text.find(':');
  if (colon == text.npos || colon == 0 || colon + 1 == text.size()) return false;
  const auto is_alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  const auto is_scheme = [&](char c) {
    return is_alpha(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  };
  return is_alpha(text.front()) && std::ranges::all_of(text.substr(0, colon), is_scheme) &&
         std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

// The size behind "!" (RFC 7489 §6.2): a number of octets with k, m, g or t as powers of 1024.
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  unsigned shift = 0;
  if (!text.empty()) {
    switch (text.back() | 0x20) {
      case 'k':
        shift = 10;
        break;
      case 'm':
        shift = 20;
        break;
      case 'g':
        shift = 30;
        break;
      case 't':
        shift = 40;
        break;
      default:
        break;
    }
    if (shift != 0) text.remove_suffix(1);
  }
  const auto number = parse_number<std::uint64_t>(text);
  if (!number || (*number << shift) >> shift != *number) return std::nullopt;
  return *number << shift;
}

// The tags of one record in turn; what is wrong with them goes to the issues.
class record_parser {
 public:
  explicit record_parser(edition rules) noexcept : rules_(rules) {}

  std::expected<record, record_error> run(std::string_view text) {
    using enum record_error::kind_type;
    if (text.size() > limits::dmarc_record)
      return std::unexpected(record_error{too_long, limits::dmarc_record, "the record is too long"});
    tag_reader tags(text);
    tag one;
    if (!tags.next(one) || !is_version(one))
      return std::unexpected(record_error{not_dmarc, 0, "the first tag is not v=DMARC1"});
    for (std::size_t count = 1; tags.next(one); ++count) {
      if (count == limits::dmarc_tags)
        return std::unexpected(record_error{too_long, one.name_position, "too many tags"});
      take(one);
    }
    return settle();
  }

  // RFC 9989 §4.8: %s"DMARC1", so in this case only.
  static bool is_version(const tag& one) noexcept {
    return equals_ignoring_case(one.name, "v") && one.value == version;
  }

 private:
  using handler = void (record_parser::*)(const tag&);
  struct known_tag {
    std::string_view name;
    handler take;
  };
  static constexpr std::size_t known_tags = 14;
  static const std::array<known_tag, known_tags> table;

  void issue(const tag& one, std::string_view problem) {
    std::string text(one.name);
    if (!text.empty()) text += ": ";
    text += problem;
    out_.issues.push_back({one.name.empty() ? one.name_position : one.value_position, std::move(text)});
  }

  void take(const tag& one) {
    if (one.name.empty()) return issue(one, "a piece that is no tag=value");
    for (std::size_t i = 0; i < table.size(); ++i) {
      if (!equals_ignoring_case(one.name, table[i].name)) continue;
      if (std::exchange(seen_[i], true)) return issue(one, "occurs again; the first counts");
      return (this->*table[i].take)(one);
    }
    out_.unknown.push_back({std::string(one.name), std::string(one.value)});
  }

  void take_version(const tag& one) { issue(one, "occurs again"); }
  void take_p(const tag& one) { take_policy(one, out_.p, broken_p_); }
  void take_sp(const tag& one) { take_policy(one, out_.sp, broken_sub_); }
  void take_np(const tag& one) { take_policy(one, out_.np, broken_sub_); }
  void take_policy(const tag& one, std::optional<policy>& to, bool& broken) {
    to = parse_policy(one.value);
    if (to) return;
    broken = true;
    issue(one, "neither none, quarantine nor reject");
  }

  void take_adkim(const tag& one) { take_alignment(one, out_.adkim); }
  void take_aspf(const tag& one) { take_alignment(one, out_.aspf); }
  void take_alignment(const tag& one, alignment& to) {
    if (equals_ignoring_case(one.value, "s"))
      to = alignment::strict;
    else if (!equals_ignoring_case(one.value, "r"))
      issue(one, "neither r nor s");
  }

  void take_pct(const tag& one) {
    const auto number = parse_number<unsigned>(one.value);
    if (!number || *number > 100) return issue(one, "no number from 0 to 100");
    out_.pct = static_cast<std::uint8_t>(*number);
  }
  void take_t(const tag& one) {
    out_.testing = equals_ignoring_case(one.value, "y");
    if (!out_.testing && !equals_ignoring_case(one.value, "n")) issue(one, "neither y nor n");
  }
  void take_psd(const tag& one) {
    if (equals_ignoring_case(one.value, "y"))
      out_.psd = suffix_flag::yes;
    else if (equals_ignoring_case(one.value, "n"))
      out_.psd = suffix_flag::no;
    else if (!equals_ignoring_case(one.value, "u"))
      issue(one, "neither y, n nor u");
  }

  void take_fo(const tag& one) {
    failure_options fo{.all_failed = false};
    for (const auto word : split(one.value, ':')) {
      if (word == "0")
        fo.all_failed = true;
      else if (word == "1")
        fo.any_failed = true;
      else if (equals_ignoring_case(word, "d"))
        fo.dkim = true;
      else if (equals_ignoring_case(word, "s"))
        fo.spf = true;
      else
        issue(one, "a word that is not 0, 1, d or s");
    }
    if (fo != failure_options{.all_failed = false}) out_.fo = fo;
  }
  void take_rf(const tag& one) {
    for (const auto word : split(one.value, ':')) {
      if (word.empty()) continue;
      std::string lowered(word);
      for (char& c : lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
      out_.rf.push_back(std::move(lowered));
    }
  }
  void take_ri(const tag& one) {
    const auto number = parse_number<std::uint32_t>(one.value);
    if (!number) return issue(one, "no number of seconds");
    out_.ri = *number;
  }

  void take_rua(const tag& one) { take_uris(one, out_.rua); }
  void take_ruf(const tag& one) { take_uris(one, out_.ruf); }
  void take_uris(const tag& one, std::vector<report_uri>& to) {
    for (const auto piece : split(one.value, ',')) {
      if (to.size() == limits::dmarc_uris) return issue(one, "more addresses than are used");
      // RFC 7489 §6.3: a "!" that is not the size's is percent-encoded.
      const auto mark = piece.find('!');
      report_uri uri{std::string(trim(piece.substr(0, mark))), std::nullopt};
      if (mark != piece.npos) {
        uri.max_size = parse_size(piece.substr(mark + 1));
        if (!uri.max_size) issue(one, "a size that is none; it does not count");
      }
      if (is_uri(uri.uri))
        to.push_back(std::move(uri));
      else
        issue(one, "an address that is no URI");
    }
  }

  std::expected<record, record_error> settle() {
    const bool missing = !out_.p && rules_ == edition::rfc7489;
    if (missing || broken_p_ || broken_sub_) {
      if (out_.rua.empty()) {
        const auto at = out_.issues.empty() ? 0 : out_.issues.front().position;
        return std::unexpected(
            record_error{record_error::kind_type::unusable, at,
                         broken_p_ || broken_sub_ ? "a policy that is none, and no rua" : "no p, and no rua"});
      }
      out_.policy_unusable = true;
      out_.p = out_.sp = out_.np = std::nullopt;
    }
    return std::move(out_);
  }

  edition rules_;
  record out_;
  std::array<bool, known_tags> seen_{};
  bool broken_p_ = false, broken_sub_ = false;
};

constexpr std::array<record_parser::known_tag, record_parser::known_tags> record_parser::table = {{
    {"v", &record_parser::take_version},
    {"p", &record_parser::take_p},
    {"sp", &record_parser::take_sp},
    {"np", &record_parser::take_np},
    {"adkim", &record_parser::take_adkim},
    {"aspf", &record_parser::take_aspf},
    {"pct", &record_parser::take_pct},
    {"t", &record_parser::take_t},
    {"psd", &record_parser::take_psd},
    {"fo", &record_parser::take_fo},
    {"rf", &record_parser::take_rf},
    {"ri", &record_parser::take_ri},
    {"rua", &record_parser::take_rua},
    {"ruf", &record_parser::take_ruf},
}};

}  // namespace

std::string_view to_string(policy what) noexcept { return policies[static_cast<std::size_t>(what)]; }
std::string_view to_string(alignment mode) noexcept { return mode == alignment::strict ? "s" : "r"; }

std::optional<policy> parse_policy(std::string_view word) noexcept {
  for (std::size_t i = 0; i < policies.size(); ++i) {
    if (equals_ignoring_case(word, policies[i])) return static_cast<policy>(i);
  }
  return std::nullopt;
}

std::string to_string(const failure_options& fo) {
  std::string out;
  const auto add = [&](bool wanted, std::string_view word) {
    if (!wanted) return;
    if (!out.empty()) out += ':';
    out += word;
  };
  add(fo.all_failed, "0");
  add(fo.any_failed, "1");
  add(fo.dkim, "d");
  add(fo.spf, "s");
  return out;
}

policy record::policy_for(subject whom) const noexcept {
  if (whom == subject::missing_subdomain && np) return *np;
  if (whom != subject::own && sp) return *sp;
  return p.value_or(policy::none);
}

std::optional<std::string> mailto_address(std::string_view uri) {
  constexpr std::string_view scheme = "mailto:";
  if (uri.size() < scheme.size() || !equals_ignoring_case(uri.substr(0, scheme.size()), scheme)) return std::nullopt;
  uri = uri.substr(scheme.size(), uri.find('?') - scheme.size());
  std::string address;
  for (std::size_t i = 0; i < uri.size(); ++i) {
    if (uri[i] != '%') {
      address += uri[i];
      continue;
    }
    unsigned octet = 0;
    if (uri.size() - i < 3) return std::nullopt;
    const auto* digits = uri.data() + i + 1;
    if (std::from_chars(digits, digits + 2, octet, 16).ptr != digits + 2) return std::nullopt;
    address += static_cast<char>(octet);
    i += 2;
  }
  if (!mail::split_mailbox(address)) return std::nullopt;
  return address;
}

std::expected<record, record_error> parse_record(std::string_view text, edition rules) {
  return record_parser(rules).run(text);
}

bool is_record(std::string_view text) noexcept {
  tag_reader tags(text);
  tag one;
  return tags.next(one) && record_parser::is_version(one);
}

}  // namespace briefwerk::mailauth::dmarc
