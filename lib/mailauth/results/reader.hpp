#pragma once

// The lexical side of RFC 8601 §2.2, over the value of a field, folded or not.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace briefwerk::mailauth {

class results_reader {
 public:
  explicit results_reader(std::string_view value) noexcept : value_(value) {}

  bool at_end() const noexcept { return at_ == value_.size(); }
  std::size_t position() const noexcept { return at_; }
  bool next_is(char c) const noexcept { return at_ < value_.size() && value_[at_] == c; }
  bool at_end_or_semicolon() const noexcept { return at_end() || next_is(';'); }

  // CFWS (RFC 5322 §3.2.2), or nothing. The first comment is told, without parentheses. False when a comment does
  // not end or is nested deeper than limits::authentication_comment_depth.
  bool skip_space(std::string* comment = nullptr);
  // The character, when it is next.
  bool take(char c) noexcept;
  // Letters, digits, "-" and "_", in lower case; empty when there are none.
  std::string keyword();
  std::optional<unsigned> number() noexcept;  // at most four digits
  // value (RFC 2045 §5.1): a token, UTF-8 with it, or a quoted-string. Nothing when there is neither.
  std::optional<std::string> token_or_quoted();
  // pvalue: also an address, and whatever else runs up to a space, ";" or a comment.
  std::optional<std::string> property_value();

 private:
  std::optional<std::string> quoted();

  std::string_view value_;
  std::size_t at_ = 0;
};

}  // namespace briefwerk::mailauth
