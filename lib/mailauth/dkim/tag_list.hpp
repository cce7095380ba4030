#pragma once

// The tag=value lists of signatures and key records (RFC 6376 §3.2), and what their values are made of.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mailauth {

struct tag {
  std::string_view name;
  std::string_view value;          // without the white space round it
  std::size_t begin = 0, end = 0;  // of the value with that white space, in the list: from "=" to ";"
};

// dkim_errc::bad_tag_list, duplicate_tag, or too_long past limits::dkim_tags. Views into `text`.
base::result<std::vector<tag>> parse_tag_list(std::string_view text);

// nullptr when there is none.
const tag* find_tag(std::span<const tag> tags, std::string_view name) noexcept;

// White space of folding.
constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
std::string_view trim_blanks(std::string_view text) noexcept;
std::string without_blanks(std::string_view text);

// Takes the next element from the front of a list; white space round it is not part of it. False behind the last.
// An empty list has one empty element.
class list_reader {
 public:
  explicit list_reader(std::string_view text, char separator = ':') noexcept : rest_(text), separator_(separator) {}
  bool next(std::string_view& element) noexcept;

 private:
  std::string_view rest_;
  char separator_;
  bool done_ = false;
};
bool list_contains(std::string_view list, std::string_view element) noexcept;

// base64string: white space anywhere, padding optional. Nothing when it is no Base64.
std::optional<std::string> decode_base64(std::string_view text);
// dkim-quoted-printable (§2.11). Nothing when a "=" is followed by anything but two hexadecimal digits.
std::optional<std::string> decode_quoted_printable(std::string_view text);
// 1*`digits` decimal digits; what is too large becomes the largest number.
std::optional<std::uint64_t> parse_number(std::string_view text, std::size_t digits) noexcept;

// A domain or selector, A- or U-labels, as A-labels in lower case. Underscores are let through: they are in use.
// Nothing when it is none. `labels_min`: domains need two (domain-name of §3.5), selectors one.
std::optional<std::string> parse_domain_name(std::string_view text, std::size_t labels_min);

}  // namespace briefwerk::mailauth
