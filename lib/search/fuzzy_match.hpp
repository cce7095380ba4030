#pragma once

#include <string_view>

#include "search/runs.hpp"

namespace briefwerk::search {

inline constexpr unsigned score_same = 100, score_beginning = 50, score_near = 10;

// How well a run of a text stands for one that is asked, both casemapped; 0: not at all.
unsigned fuzzy_match(const run& asked, const run& found) noexcept;
// The same for plain runs that are no codes.
unsigned fuzzy_word_match(std::string_view asked, std::string_view found) noexcept;

}  // namespace briefwerk::search
