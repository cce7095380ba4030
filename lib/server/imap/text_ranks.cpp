#include "text_ranks.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

namespace briefwerk::server::imap {
namespace {

// So many new texts are put in their places one by one.
constexpr std::size_t few_texts = 64;

// Texts that are sorted in one piece.
constexpr std::size_t run_length = 8192;

}  // namespace

std::uint32_t text_ranks::number_of(std::string_view text) {
  if ((size() + 1) * 2 > slots_.size()) widen();
  const auto hash = static_cast<std::uint32_t>(std::hash<std::string_view>{}(text));
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = hash & mask;; at = (at + 1) & mask) {
    const std::uint32_t found = slots_[at];
    if (found == 0) {
      const auto number = static_cast<std::uint32_t>(size());
      slots_[at] = number + 1;
      hashes_.push_back(hash);
      texts_.append(text);
      ends_.push_back(texts_.size());
      return number;
    }
    if (hashes_[found - 1] == hash && this->text(found - 1) == text) return found - 1;
  }
}

void text_ranks::widen() {
  slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), 0);
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t number = 0; number < size(); ++number) {
    std::size_t at = hashes_[number] & mask;
    while (slots_[at] != 0) at = (at + 1) & mask;
    slots_[at] = number + 1;
  }
}

// Zeros behind the end: "ab" stands before "abc". Where a text holds NUL itself, stands_before() decides by the texts.
text_ranks::row text_ranks::row_of(std::uint32_t number) const noexcept {
  const std::string_view of = text(number);
  std::uint64_t beginning = 0;
  for (std::size_t i = 0; i < 8; ++i)
    beginning = beginning << 8 | (i < of.size() ? static_cast<unsigned char>(of[i]) : 0u);
  return {beginning, number};
}

bool text_ranks::stands_before(const row& a, const row& b) const noexcept {
  return a.beginning != b.beginning ? a.beginning < b.beginning : text(a.number) < text(b.number);
}

bool text_ranks::sort_some() {
  if (ranks_.size() == size()) return false;
  const std::size_t fresh = size() - taken_;
  if (runs_.empty() && fresh <= few_texts) {
    insert_few();
    rank_all();
    return false;
  }
  if (runs_.empty() && !order_.empty()) {
    run before;
    before.reserve(order_.size());
    for (const std::uint32_t number : order_) before.push_back(row_of(number));
    runs_.push_back(std::move(before));
    order_.clear();
  }
  if (fresh > 0) {
    runs_.push_back(next_run());
    return true;
  }
  if (runs_.size() > 1) {
    run both = merged(runs_[0], runs_[1]);
    runs_.pop_front();
    runs_.pop_front();
    runs_.push_back(std::move(both));
    return true;
  }
  order_.reserve(size());
  for (const row& one : runs_.front()) order_.push_back(one.number);
  runs_.clear();
  rank_all();
  return false;
}

void text_ranks::insert_few() {
  for (; taken_ < size(); ++taken_) {
    const auto number = static_cast<std::uint32_t>(taken_);
    const auto less = [this](std::string_view one, std::uint32_t other) { return one < text(other); };
    order_.insert(std::upper_bound(order_.begin(), order_.end(), text(number), less), number);
  }
}

text_ranks::run text_ranks::next_run() {
  run out;
  const std::size_t end = std::min(size(), taken_ + run_length);
  out.reserve(end - taken_);
  for (; taken_ < end; ++taken_) out.push_back(row_of(static_cast<std::uint32_t>(taken_)));
  std::sort(out.begin(), out.end(), [this](const row& a, const row& b) { return stands_before(a, b); });
  return out;
}

text_ranks::run text_ranks::merged(const run& a, const run& b) const {
  run out;
  out.reserve(a.size() + b.size());
  std::merge(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out),
             [this](const row& one, const row& other) { return stands_before(one, other); });
  return out;
}

void text_ranks::rank_all() {
  ranks_.resize(order_.size());
  std::uint32_t rank = text(order_.front()).empty() ? 0 : 1;
  for (const std::uint32_t number : order_) ranks_[number] = rank++;
}

std::size_t text_ranks::octets() const noexcept {
  return texts_.capacity() + ends_.capacity() * sizeof(std::size_t) +
         (hashes_.capacity() + slots_.capacity() + order_.capacity() + ranks_.capacity()) * sizeof(std::uint32_t);
}

}  // namespace briefwerk::server::imap
