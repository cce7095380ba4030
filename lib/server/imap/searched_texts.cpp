#include "searched_texts.hpp"

#include <algorithm>
#include <cstring>

#include "briefwerk/mail/charset.hpp"

namespace briefwerk::server::imap {

std::string_view text_block::text(std::size_t place) const noexcept {
  const std::size_t begin = place == 0 ? 0 : ends_[place - 1];
  return std::string_view(texts_).substr(begin, ends_[place] - 1 - begin);
}

std::size_t text_block::octets() const noexcept {
  return sizeof *this + texts_.capacity() +
         (uids_.capacity() + too_long_.capacity() + ends_.capacity()) * sizeof(std::uint32_t);
}

void text_block::add(std::uint32_t uid, std::string_view prepared) {
  uids_.push_back(uid);
  if (prepared.size() > longest)
    too_long_.push_back(uid);
  else
    texts_.append(prepared);
  texts_.push_back(mark);
  ends_.push_back(static_cast<std::uint32_t>(texts_.size()));
}

void text_block::fit() {
  uids_.shrink_to_fit();
  too_long_.shrink_to_fit();
  ends_.shrink_to_fit();
  texts_.shrink_to_fit();
}

text_block text_block::merged(const text_block& a, const text_block& b) {
  text_block out;
  out.uids_.reserve(a.uids_.size() + b.uids_.size());
  out.ends_.reserve(a.uids_.size() + b.uids_.size());
  out.texts_.reserve(a.texts_.size() + b.texts_.size());
  std::ranges::set_union(a.too_long_, b.too_long_, std::back_inserter(out.too_long_));
  const auto take = [&out](const text_block& from, std::size_t place) {
    out.uids_.push_back(from.uids_[place]);
    out.texts_.append(from.text(place)).push_back(mark);
    out.ends_.push_back(static_cast<std::uint32_t>(out.texts_.size()));
  };
  std::size_t i = 0, k = 0;
  while (i < a.uids_.size() || k < b.uids_.size()) {
    if (k == b.uids_.size() || (i < a.uids_.size() && a.uids_[i] <= b.uids_[k])) {
      if (k < b.uids_.size() && a.uids_[i] == b.uids_[k]) ++k;
      take(a, i++);
    } else {
      take(b, k++);
    }
  }
  return out;
}

std::size_t text_block::find(std::string_view needle, std::size_t place) const noexcept {
  if (place == ends_.size()) return place;
  const std::size_t begin = place == 0 ? 0 : ends_[place - 1];
  const void* const found = ::memmem(texts_.data() + begin, texts_.size() - begin, needle.data(), needle.size());
  if (found == nullptr) return ends_.size();
  const auto offset = static_cast<std::uint32_t>(static_cast<const char*>(found) - texts_.data());
  if (offset < ends_[place]) return place;  // where many have it
  return static_cast<std::size_t>(std::upper_bound(ends_.begin() + static_cast<std::ptrdiff_t>(place), ends_.end(), offset) - ends_.begin());
}

void text_block::judge(std::string_view needle, std::span<const std::uint32_t> wanted, std::span<verdict> out) const {
  if (uids_.empty()) return;
  const auto first = std::ranges::lower_bound(wanted, uids_.front());
  std::size_t place = 0, holding = 0, unknown = 0;
  bool looked = false;
  for (auto i = static_cast<std::size_t>(first - wanted.begin()); i < wanted.size() && wanted[i] <= uids_.back(); ++i) {
    while (uids_[place] < wanted[i]) ++place;
    if (uids_[place] != wanted[i]) continue;
    if (!looked || holding < place) holding = find(needle, place);
    looked = true;
    out[i] = holding == place ? verdict::yes : verdict::no;
    while (unknown < too_long_.size() && too_long_[unknown] < wanted[i]) ++unknown;
    if (unknown < too_long_.size() && too_long_[unknown] == wanted[i]) out[i] = verdict::unknown;
  }
}

void text_column::find_missing(std::span<const std::uint32_t> wanted, std::vector<std::uint32_t>& out) const {
  std::size_t i = 0;
  for (const auto& [number, block] : blocks_) {
    const auto known = block->uids();
    if (known.empty()) continue;
    std::size_t k = 0;
    for (; i < wanted.size() && wanted[i] <= known.back(); ++i) {
      while (known[k] < wanted[i]) ++k;
      if (known[k] != wanted[i]) out.push_back(static_cast<std::uint32_t>(i));
    }
  }
  for (; i < wanted.size(); ++i) out.push_back(static_cast<std::uint32_t>(i));
}

void text_column::put(std::uint32_t number, text_block block) {
  const auto at = std::ranges::lower_bound(blocks_, number, {}, [](const auto& one) { return one.first; });
  const bool is_new = at == blocks_.end() || at->first != number;
  if (is_new) {
    block.fit();
  } else {
    messages_ -= at->second->uids().size();
    octets_ -= at->second->octets();
    block = text_block::merged(*at->second, block);
  }
  messages_ += block.uids().size();
  octets_ += block.octets();
  auto kept = std::make_shared<const text_block>(std::move(block));
  if (is_new)
    blocks_.insert(at, {number, std::move(kept)});
  else
    at->second = std::move(kept);
}

std::size_t searched_texts::octets() const noexcept {
  std::size_t all = sizeof *this;
  for (const auto& column : columns_) all += column.octets();
  return all;
}

std::size_t searched_texts::most_messages() const noexcept {
  std::size_t most = 0;
  for (const auto& column : columns_) most = std::max(most, column.messages());
  return most;
}

void append_searched_text(std::string& out, std::string_view envelope, mail::envelope_field field) {
  if (const auto text = mail::envelope_text(envelope, field)) mail::append_casemap(out, *text);
}

}  // namespace briefwerk::server::imap
