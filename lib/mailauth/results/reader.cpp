#include "mailauth/results/reader.hpp"

#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mailauth {

namespace ascii = mail::ascii;

bool results_reader::skip_space(std::string* comment) {
  std::size_t depth = 0;
  std::string text;
  for (; at_ < value_.size(); ++at_) {
    const char c = value_[at_];
    if (depth == 0) {
      if (ascii::is_space(c)) continue;
      if (c != '(') return true;
      depth = 1;
      text.clear();
      continue;
    }
    if (c == '(' && ++depth > base::limits::authentication_comment_depth) return false;
    if (c == ')' && --depth == 0) {
      if (comment != nullptr && comment->empty()) *comment = text;
      continue;
    }
    const bool pair = c == '\\' && at_ + 1 < value_.size();
    if (pair) ++at_;
    if (value_[at_] != '\r' && value_[at_] != '\n') text += value_[at_];
  }
  return depth == 0;
}

bool results_reader::take(char c) noexcept {
  if (!next_is(c)) return false;
  ++at_;
  return true;
}

std::string results_reader::keyword() {
  std::string out;
  for (; at_ < value_.size(); ++at_) {
    const char c = value_[at_];
    if (!ascii::is_alpha(c) && !ascii::is_digit(c) && c != '-' && c != '_') break;
    out += ascii::lower(c);
  }
  return out;
}

std::optional<unsigned> results_reader::number() noexcept {
  unsigned out = 0;
  const std::size_t begin = at_;
  for (; at_ < value_.size() && ascii::is_digit(value_[at_]); ++at_) {
    if (at_ - begin == 4) return {};
    out = out * 10 + static_cast<unsigned>(value_[at_] - '0');
  }
  if (at_ == begin) return {};
  return out;
}

std::optional<std::string> results_reader::token_or_quoted() {
  if (next_is('"')) return quoted();
  const std::size_t begin = at_;
  while (at_ < value_.size() && ascii::is_token(value_[at_])) ++at_;
  if (at_ == begin) return {};
  return std::string(value_.substr(begin, at_ - begin));
}

std::optional<std::string> results_reader::property_value() {
  const std::size_t begin = at_;
  if (next_is('"')) {
    std::optional<std::string> text = quoted();
    if (!text || !next_is('@')) return text;
    // A quoted local part stays as it is written: its quotes are a part of the address.
  }
  while (at_ < value_.size()) {
    const char c = value_[at_];
    if (ascii::is_space(c) || ascii::is_control(c) || c == ';' || c == '(' || c == ')' || c == '"') break;
    ++at_;
  }
  if (at_ == begin) return {};
  std::string out;
  for (const char c : value_.substr(begin, at_ - begin))
    if (c != '\r' && c != '\n') out += c;
  return out;
}

std::optional<std::string> results_reader::quoted() {
  std::string out;
  for (++at_; at_ < value_.size(); ++at_) {
    char c = value_[at_];
    if (c == '"') {
      ++at_;
      return out;
    }
    if (c == '\\' && at_ + 1 < value_.size()) c = value_[++at_];
    if (c != '\r' && c != '\n') out += c;  // folding; a bare one means nothing either
  }
  return {};
}

}  // namespace briefwerk::mailauth
