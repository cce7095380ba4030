#include "briefwerk/search/fuzzy.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "briefwerk/base/limits/search.hpp"
#include "briefwerk/mail/charset.hpp"
#include "search/fuzzy_match.hpp"

namespace briefwerk::search {
namespace {

constexpr std::size_t one_error_from = 4, two_errors_from = 8;

// The characters of a word of up to limits::search_word octets.
struct characters {
  explicit characters(std::string_view text) noexcept {
    for (std::size_t i = 0; i < text.size() && count < all.size(); ++count) {
      const std::size_t begin = i;
      do ++i;
      while (i < text.size() && (static_cast<unsigned char>(text[i]) & 0xc0u) == 0x80u);
      for (std::size_t j = begin; j < i; ++j) all[count] = all[count] << 8 | static_cast<unsigned char>(text[j]);
    }
  }
  std::array<std::uint32_t, base::limits::search_word> all{};
  std::size_t count = 0;
};

// Whether `most` changes (a letter put in, left out, replaced, or two neighbours exchanged) make one of the other.
bool is_near(const characters& a, const characters& b, std::size_t most) noexcept {
  if (std::max(a.count, b.count) - std::min(a.count, b.count) > most) return false;
  using row = std::array<std::uint8_t, base::limits::search_word + 1>;
  std::array<row, 3> rows{};
  for (std::size_t j = 0; j <= b.count; ++j) rows[0][j] = static_cast<std::uint8_t>(j);
  for (std::size_t i = 1; i <= a.count; ++i) {
    row& now = rows[i % 3];
    const row& before = rows[(i - 1) % 3];
    now[0] = static_cast<std::uint8_t>(i);
    std::uint8_t least = now[0];
    for (std::size_t j = 1; j <= b.count; ++j) {
      const bool same = a.all[i - 1] == b.all[j - 1];
      int best = std::min({before[j - 1] + (same ? 0 : 1), before[j] + 1, now[j - 1] + 1});
      if (i > 1 && j > 1 && a.all[i - 1] == b.all[j - 2] && a.all[i - 2] == b.all[j - 1])
        best = std::min(best, rows[(i - 2) % 3][j - 2] + 1);
      now[j] = static_cast<std::uint8_t>(best);
      least = std::min(least, now[j]);
    }
    if (least > most) return false;
  }
  return rows[a.count % 3][b.count] <= most;
}

}  // namespace

unsigned fuzzy_word_match(std::string_view asked, std::string_view found) noexcept {
  if (found == asked) return score_same;
  if (found.starts_with(asked)) return score_beginning;
  if (asked.size() < one_error_from || found.size() > 3 * asked.size() + 8) return 0;
  const characters a(asked);
  if (a.count < one_error_from) return 0;
  return is_near(a, characters(found), a.count < two_errors_from ? 1 : 2) ? score_near : 0;
}

unsigned fuzzy_match(const run& asked, const run& found) noexcept {
  if (asked.kind != found.kind) return 0;
  if (asked.kind == char_class::dense) return found.text.find(asked.text) != found.text.npos ? score_same : 0;
  if (asked.is_code() != found.is_code()) return 0;
  if (!asked.is_code()) return fuzzy_word_match(asked.text, found.text);
  if (found.text == asked.text) return score_same;
  return found.text.find(asked.text) != found.text.npos ? score_beginning : 0;
}

struct fuzzy_searcher::state {
  std::string mapped;
  std::vector<run> asked;
  std::vector<unsigned> best;
};

fuzzy_searcher::fuzzy_searcher(std::string_view asked) : state_(std::make_unique<state>()) {
  state_->mapped = mail::casemap(asked);
  run_reader reader(state_->mapped);
  for (run one; state_->asked.size() < base::limits::search_probe_runs && reader.next(one);) state_->asked.push_back(one);
  begin();
}

fuzzy_searcher::~fuzzy_searcher() = default;

void fuzzy_searcher::begin() { state_->best.assign(std::max<std::size_t>(state_->asked.size(), 1), 0); }

void fuzzy_searcher::look_at(std::string_view utf8) {
  const std::string text = mail::casemap(utf8);
  if (state_->asked.empty()) {
    if (text.find(state_->mapped) != text.npos) state_->best[0] = score_same;
    return;
  }
  run_reader reader(text);
  for (run found; reader.next(found) && !is_best();) {
    for (std::size_t i = 0; i < state_->asked.size(); ++i)
      if (state_->best[i] != score_same) state_->best[i] = std::max(state_->best[i], fuzzy_match(state_->asked[i], found));
  }
}

bool fuzzy_searcher::is_best() const noexcept {
  return std::ranges::all_of(state_->best, [](unsigned one) { return one == score_same; });
}

unsigned fuzzy_searcher::score() const noexcept {
  unsigned sum = 0;
  for (const unsigned one : state_->best) {
    if (one == 0) return 0;
    sum += one;
  }
  return sum / static_cast<unsigned>(state_->best.size());
}

}  // namespace briefwerk::search
