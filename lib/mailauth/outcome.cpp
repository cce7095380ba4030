#include "briefwerk/mailauth/outcome.hpp"

#include <array>

#include "briefwerk/mail/header.hpp"

namespace briefwerk::mailauth {
namespace {

constexpr std::array<std::string_view, 8> words = {"none",    "pass",   "fail",      "softfail",
                                                   "neutral", "policy", "temperror", "permerror"};

}  // namespace

std::string_view to_string(outcome what) noexcept { return words[static_cast<std::size_t>(what)]; }

std::optional<outcome> parse_outcome(std::string_view word) noexcept {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (mail::equals_ignoring_case(word, words[i])) return static_cast<outcome>(i);
  }
  return std::nullopt;
}

}  // namespace briefwerk::mailauth
