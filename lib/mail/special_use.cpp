#include "briefwerk/mail/special_use.hpp"

#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

constexpr std::string_view names[] = {"",       "\\All",  "\\Archive", "\\Drafts",   "\\Flagged",
                                      "\\Junk", "\\Sent", "\\Trash",   "\\Important"};

}  // namespace

std::string_view special_use_name(special_use use) noexcept {
  const auto index = static_cast<std::size_t>(use);
  return index < std::size(names) ? names[index] : std::string_view{};
}

std::optional<special_use> parse_special_use(std::string_view name) noexcept {
  for (std::size_t i = 1; i < std::size(names); ++i)
    if (ascii::equals(names[i], name)) return static_cast<special_use>(i);
  return std::nullopt;
}

}  // namespace briefwerk::mail
