#include "message_order.hpp"

#include <algorithm>
#include <numeric>

namespace briefwerk::server::imap {
namespace {

using protocol::imap::sort_field;

// Signed numbers as unsigned ones in the same order.
std::uint64_t ordered(std::int64_t number) noexcept {
  return static_cast<std::uint64_t>(number) ^ (std::uint64_t{1} << 63);
}

}  // namespace

bool message_order::needs_summary() const noexcept {
  return std::ranges::any_of(keys_, [](const auto& key) {
    return key.field != sort_field::arrival && key.field != sort_field::size && key.field != sort_field::relevancy;
  });
}

// Eight octets, zeros behind the end: "ab" stands before "abc", and no text holds NUL.
std::uint64_t message_order::beginning_of(std::string_view text) noexcept {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i)
    number = number << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0);
  return number;
}

message_order::value message_order::value_of(sort_field field, const store::message_entry& entry,
                                             const mail::message_summary_view& summary, std::uint8_t score) {
  switch (field) {
    case sort_field::arrival:
      return {ordered(entry.internal_date), {}};
    case sort_field::size:
      return {entry.size, {}};
    case sort_field::date:
      // RFC 5256 §2.2: the internal date where there is no Date field that can be read.
      return {ordered(summary.sent ? summary.sent->time_since_epoch().count() : entry.internal_date), {}};
    case sort_field::subject:
      return text(summary.base_subject);
    case sort_field::from:
      return text(summary.from);
    case sort_field::to:
      return text(summary.to);
    case sort_field::cc:
      return text(summary.cc);
    case sort_field::display_from:
      return text(summary.display_from);
    case sort_field::display_to:
      return text(summary.display_to);
    case sort_field::relevancy:
      return {static_cast<std::uint64_t>(255 - score), {}};
  }
  return {};
}

void message_order::add(std::uint32_t index, const store::message_entry& entry,
                        const mail::message_summary_view& summary, std::uint8_t score) {
  indices_.push_back(index);
  for (const auto& key : keys_) values_.push_back(value_of(key.field, entry, summary, score));
}

std::vector<std::uint32_t> message_order::take() {
  std::vector<std::uint32_t> rows(indices_.size());
  std::iota(rows.begin(), rows.end(), 0u);
  const auto width = keys_.size();
  std::ranges::sort(rows, [&](std::uint32_t a, std::uint32_t b) {
    const value* left = &values_[a * width];
    const value* right = &values_[b * width];
    for (std::size_t i = 0; i < width; ++i) {
      if (left[i].number != right[i].number) return (left[i].number < right[i].number) != keys_[i].reverse;
      if (const int order = left[i].text.compare(right[i].text); order != 0) return (order < 0) != keys_[i].reverse;
    }
    return a < b;
  });
  for (auto& row : rows) row = indices_[row];
  return rows;
}

}  // namespace briefwerk::server::imap
