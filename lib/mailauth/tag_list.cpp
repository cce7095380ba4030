#include "mailauth/tag_list.hpp"

#include <algorithm>

namespace briefwerk::mailauth {
namespace {

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }
bool is_name(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

bool tag_reader::next(tag& found) noexcept {
  while (at_ < list_.size()) {
    const auto end = std::min(list_.find(';', at_), list_.size());
    const auto piece = trim(list_.substr(at_, end - at_));
    at_ = end + 1;
    if (piece.empty()) continue;
    const auto position = [&](std::string_view part) { return static_cast<std::size_t>(part.data() - list_.data()); };
    const auto equals = piece.find('=');
    const auto name = trim(piece.substr(0, std::min(equals, piece.size())));
    found.name_position = position(piece);
    if (equals == piece.npos || name.empty() || !std::ranges::all_of(name, is_name)) {
      found.name = {};
      found.value = piece;
      found.value_position = found.name_position;
    } else {
      found.name = name;
      found.value = trim(piece.substr(equals + 1));
      found.value_position = position(found.value);
    }
    return true;
  }
  return false;
}

}  // namespace briefwerk::mailauth
