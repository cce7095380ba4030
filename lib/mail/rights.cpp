#include "briefwerk/mail/rights.hpp"

namespace briefwerk::mail {
namespace {

constexpr std::string_view letters_in_order = "lrswipkxtea";
constexpr right_set creating = rights::create | rights::remove, deleting = rights::mark | rights::expunge;

}  // namespace

std::optional<right_set> parse_rights(std::string_view letters) noexcept {
  right_set set = 0;
  for (const char letter : letters) {
    const auto at = letters_in_order.find(letter);
    if (at != letters_in_order.npos)
      set = static_cast<right_set>(set | (1u << at));
    else if (letter == 'c')
      set |= creating;
    else if (letter == 'd')
      set |= deleting;
    else
      return std::nullopt;
  }
  return set;
}

std::string rights_text(right_set set) {
  std::string text;
  for (std::size_t i = 0; i < letters_in_order.size(); ++i) {
    if (letters_in_order[i] == 'a') {
      if ((set & creating) != 0) text += 'c';
      if ((set & deleting) != 0) text += 'd';
    }
    if ((set >> i & 1) != 0) text += letters_in_order[i];
  }
  return text;
}

flag_set changeable_flags(right_set set) noexcept {
  constexpr flag_set others = (flags::system_mask | flags::keyword_mask) & ~(flags::seen | flags::deleted);
  flag_set changeable = 0;
  if ((set & rights::seen) != 0) changeable |= flags::seen;
  if ((set & rights::mark) != 0) changeable |= flags::deleted;
  if ((set & rights::write) != 0) changeable |= others;
  return changeable;
}

}  // namespace briefwerk::mail
