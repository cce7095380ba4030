#include "mailauth/dkim/tag_list.hpp"

#include <algorithm>
#include <limits>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mailauth {
namespace {

using base::fail;
namespace ascii = mail::ascii;

// tag-name = ALPHA *( ALPHA / DIGIT / "_" )
bool is_tag_name(std::string_view name) noexcept {
  return !name.empty() && ascii::is_alpha(name.front()) &&
         std::ranges::all_of(name, [](char c) { return ascii::is_alpha(c) || ascii::is_digit(c) || c == '_'; });
}

// VALCHAR and folding; RFC 8616 §4 adds what is not ASCII.
bool is_tag_value(std::string_view value) noexcept {
  return std::ranges::none_of(value, [](char c) { return ascii::is_control(c) && !is_blank(c); });
}

}  // namespace

std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string without_blanks(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text)
    if (!is_blank(c)) out += c;
  return out;
}

// tag-list = tag-spec *( ";" tag-spec ) [ ";" ]
// tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS]
base::result<std::vector<tag>> parse_tag_list(std::string_view text) {
  std::vector<tag> tags;
  tags.reserve(16);
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(';', at), text.size());
    const std::string_view spec = text.substr(at, end - at);
    if (trim_blanks(spec).empty()) {
      if (end != text.size() || tags.empty()) return fail(dkim_errc::bad_tag_list);
      break;  // behind the final ";"
    }
    const std::size_t equals = spec.find('=');
    if (equals == spec.npos) return fail(dkim_errc::bad_tag_list);
    const tag found{trim_blanks(spec.substr(0, equals)), trim_blanks(spec.substr(equals + 1)), at + equals + 1, end};
    if (!is_tag_name(found.name) || !is_tag_value(found.value)) return fail(dkim_errc::bad_tag_list);
    if (find_tag(tags, found.name) != nullptr) return fail(dkim_errc::duplicate_tag);
    if (tags.size() == base::limits::dkim_tags) return fail(dkim_errc::too_long);
    tags.push_back(found);
    at = end + 1;
  }
  return tags;
}

const tag* find_tag(std::span<const tag> tags, std::string_view name) noexcept {
  for (const tag& one : tags)
    if (one.name == name) return &one;
  return nullptr;
}

bool list_reader::next(std::string_view& element) noexcept {
  if (done_) return false;
  const std::size_t at = rest_.find(separator_);
  element = trim_blanks(rest_.substr(0, at));
  done_ = at == rest_.npos;
  if (!done_) rest_.remove_prefix(at + 1);
  return true;
}

bool list_contains(std::string_view list, std::string_view element) noexcept {
  list_reader reader(list);
  for (std::string_view one; reader.next(one);)
    if (one == element) return true;
  return false;
}

std::optional<std::string> decode_base64(std::string_view text) {
  std::string packed = without_blanks(text);
  if (packed.find('=') == packed.npos) packed.append((4 - packed.size() % 4) % 4, '=');
  auto octets = base::base64_decode(packed);
  if (!octets) return std::nullopt;
  return std::move(*octets);
}

std::optional<std::string> decode_quoted_printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_blank(text[i])) continue;
    if (text[i] != '=') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3) return std::nullopt;
    const int high = ascii::hex_value(text[i + 1]), low = ascii::hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::size_t digits) noexcept {
  if (text.empty() || text.size() > digits || !std::ranges::all_of(text, ascii::is_digit)) return std::nullopt;
  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t number = 0;
  for (const char c : text) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (number > (most - digit) / 10) return most;
    number = number * 10 + digit;
  }
  return number;
}

std::optional<std::string> parse_domain_name(std::string_view text, std::size_t labels_min) {
  auto name = mail::domain_to_ascii(text);
  if (!name || name->empty() || name->size() > 253) return std::nullopt;
  std::size_t labels = 0;
  list_reader reader(*name, '.');
  for (std::string_view label; reader.next(label); ++labels) {
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return std::nullopt;
    if (!std::ranges::all_of(label,
                             [](char c) { return ascii::is_alpha(c) || ascii::is_digit(c) || c == '-' || c == '_'; }))
      return std::nullopt;
  }
  if (labels < labels_min) return std::nullopt;
  return std::move(*name);
}

}  // namespace briefwerk::mailauth
