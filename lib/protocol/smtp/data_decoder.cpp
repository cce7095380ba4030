#include "briefwerk/protocol/smtp/data_decoder.hpp"

#include "protocol/smtp/line_scan.hpp"

namespace briefwerk::protocol::smtp {

data_decoder::piece data_decoder::next(std::string_view input) noexcept {
  std::size_t at = 0;
  if (state_ == state::dot && !input.empty()) {
    if (input[0] == '\r') {
      state_ = state::dot_cr;
      at = 1;
    } else {
      state_ = state::text;  // RFC 5321 §4.5.2: the first dot of a longer line is taken out
    }
  }
  if (state_ == state::dot_cr) {
    if (at == input.size()) return {{}, at, false};
    if (input[at] == '\n') {
      state_ = state::line_start;
      return {{}, at + 1, true};
    }
    // A stuffed dot and a bare CR: the CR was held back and may no longer be in the input.
    state_ = state::cr;
    return {"\r", at, false};
  }

  while (at < input.size()) {
    const char octet = input[at];
    if (state_ == state::line_start && octet == '.') {
      if (input.substr(at).starts_with(".\r\n")) return {input.substr(0, at), at + 3, true};
      state_ = state::dot;
      return {input.substr(0, at), at + 1, false};
    }
    if (state_ == state::cr) {
      bare_ = bare_ || octet != '\n';
      state_ = octet == '\n' ? state::line_start : octet == '\r' ? state::cr : state::text;
    } else {
      bare_ = bare_ || octet == '\n';
      state_ = octet == '\r' ? state::cr : state::text;
    }
    ++at;
    const std::size_t regular = find_irregular(input.data() + at, input.size() - at);
    if (regular == 0) continue;
    at += regular;
    state_ = input[at - 1] == '\n' ? state::line_start : input[at - 1] == '\r' ? state::cr : state::text;
  }
  return {input, input.size(), false};
}

void data_decoder::check_lines(std::string_view input) noexcept {
  std::size_t at = 0;
  while (at < input.size()) {
    const bool after_cr = at == 0 ? state_ == state::cr : input[at - 1] == '\r';
    bare_ = bare_ || (input[at] == '\n') != after_cr;
    if (bare_) return;
    ++at;
    at += find_irregular(input.data() + at, input.size() - at);
  }
  if (!input.empty()) state_ = input.back() == '\r' ? state::cr : state::text;
}

data_encoder::piece data_encoder::next(std::string_view input) noexcept {
  std::size_t at = 0;
  while (at < input.size()) {
    const char octet = input[at];
    if (state_ == state::cr && octet != '\n') {
      if (at > 0) return {input.substr(0, at), at};
      state_ = state::line_start;
      return {"\n", 0};
    }
    if (octet == '\n' && state_ != state::cr) {
      if (at > 0) return {input.substr(0, at), at};
      state_ = state::line_start;
      return {"\r\n", 1};
    }
    if (octet == '\0') return {input.substr(0, at), at + 1};
    if (octet == '.' && state_ == state::line_start) {
      // The run ends with the dot and the next one begins with it again: that is the stuffed dot.
      state_ = state::text;
      return {input.substr(0, at + 1), at};
    }
    state_ = octet == '\n' ? state::line_start : octet == '\r' ? state::cr : state::text;
    ++at;
    const std::size_t regular = find_irregular_or_nul(input.data() + at, input.size() - at);
    if (regular == 0) continue;
    at += regular;
    state_ = input[at - 1] == '\n' ? state::line_start : input[at - 1] == '\r' ? state::cr : state::text;
  }
  return {input, input.size()};
}

std::string_view data_encoder::finish() noexcept {
  const state last = state_;
  state_ = state::line_start;
  if (last == state::line_start) return ".\r\n";
  return last == state::cr ? "\n.\r\n" : "\r\n.\r\n";
}

}  // namespace briefwerk::protocol::smtp
