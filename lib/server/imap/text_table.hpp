#pragma once

// A hash table of texts in one array: quicker than std::unordered_map where there are a hundred thousand. Nothing is
// taken out again.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace briefwerk::server::imap {

template <class Value>
class text_table {
 public:
  struct entry {
    std::string_view text;  // lives elsewhere
    std::size_t hash = 0;
    Value value{};
    bool is_used = false;
  };

  void reserve(std::size_t count) {
    if (count * 2 > entries_.size()) grow(count * 2);
  }
  // The entry of a text, and whether it is new: then its value is to be set, and its text to one that stays. What was
  // answered before may have moved.
  std::pair<entry&, bool> insert(std::string_view text) {
    if ((used_ + 1) * 2 > entries_.size()) grow((used_ + 1) * 4);
    const std::size_t hash = std::hash<std::string_view>{}(text);
    entry& at = place_of(text, hash);
    if (at.is_used) return {at, false};
    ++used_;
    at = {text, hash, Value{}, true};
    return {at, true};
  }
  // Null: it is not there.
  entry* find(std::string_view text) noexcept {
    if (entries_.empty()) return nullptr;
    entry& at = place_of(text, std::hash<std::string_view>{}(text));
    return at.is_used ? &at : nullptr;
  }

 private:
  entry& place_of(std::string_view text, std::size_t hash) noexcept {
    const std::size_t mask = entries_.size() - 1;
    std::size_t i = hash & mask;
    while (entries_[i].is_used && (entries_[i].hash != hash || entries_[i].text != text)) i = (i + 1) & mask;
    return entries_[i];
  }
  void grow(std::size_t least) {
    std::size_t size = 64;
    while (size < least) size *= 2;
    std::vector<entry> before(size);
    before.swap(entries_);
    for (const entry& one : before)
      if (one.is_used) place_of(one.text, one.hash) = one;
  }

  std::vector<entry> entries_;  // a power of two of them, at most half in use
  std::size_t used_ = 0;
};

}  // namespace briefwerk::server::imap
