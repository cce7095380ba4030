#include "briefwerk/mail/flags.hpp"

#include <algorithm>

#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

struct entry {
  flag_set bit;
  std::string_view name;
};
constexpr entry system_flags[] = {{flags::answered, "\\Answered"}, {flags::flagged, "\\Flagged"},
                                  {flags::deleted, "\\Deleted"},   {flags::seen, "\\Seen"},
                                  {flags::draft, "\\Draft"},       {flags::recent, "\\Recent"}};

}  // namespace

std::string_view system_flag_name(flag_set bit) noexcept {
  for (const auto& e : system_flags)
    if (e.bit == bit) return e.name;
  return {};
}

std::optional<flag_set> system_flag(std::string_view name) noexcept {
  for (const auto& e : system_flags)
    if (ascii::equals(e.name, name)) return e.bit;
  return std::nullopt;
}

bool is_keyword(std::string_view name) noexcept {
  // RFC 9051 §9: atom-specials are ( ) { SP CTL % * " \ ]
  return !name.empty() && name.size() <= 255 && std::ranges::all_of(name, [](char c) {
    return !ascii::is_control(c) && !ascii::is_8bit(c) &&
           std::string_view("(){ %*\"\\]").find(c) == std::string_view::npos;
  });
}

void append_flags(std::string& out, flag_set set, std::span<const std::string> keywords) {
  bool first = true;
  const auto add = [&](std::string_view name) {
    if (!first) out += ' ';
    first = false;
    out += name;
  };
  for (const auto& e : system_flags)
    if (set & e.bit) add(e.name);
  if ((set & flags::keyword_mask) == 0) return;
  const auto slots = std::min<std::size_t>(keywords.size(), flags::keyword_slots);
  for (unsigned slot = 0; slot < slots; ++slot)
    if ((set & keyword_bit(slot)) && !keywords[slot].empty()) add(keywords[slot]);
}

}  // namespace briefwerk::mail
