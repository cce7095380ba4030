#include "message_order.hpp"

#include <algorithm>

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
  // First by the beginnings of the first key, which stand beside each other.
  struct row {
    std::uint64_t beginning;
    std::uint32_t number;
  };
  const auto width = keys_.size();
  std::vector<row> rows(indices_.size());
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    const std::uint64_t beginning = values_[i * width].number;
    rows[i] = {keys_[0].reverse ? ~beginning : beginning, i};
  }
  std::ranges::sort(rows, [](const row& a, const row& b) {
    return a.beginning != b.beginning ? a.beginning < b.beginning : a.number < b.number;
  });
  const auto stands_before = [&](const row& a, const row& b) {
    const value* left = &values_[a.number * width];
    const value* right = &values_[b.number * width];
    for (std::size_t i = 0; i < width; ++i) {
      if (left[i].number != right[i].number) return (left[i].number < right[i].number) != keys_[i].reverse;
      if (const int order = left[i].text.compare(right[i].text); order != 0) return (order < 0) != keys_[i].reverse;
    }
    return a.number < b.number;
  };
  for (auto first = rows.begin(); first != rows.end();) {
    auto last = first + 1;
    while (last != rows.end() && last->beginning == first->beginning) ++last;
    const auto is_decided = [&](const row& one) { return width == 1 && values_[one.number].text.empty(); };
    if (last - first > 1 && !std::all_of(first, last, is_decided)) std::sort(first, last, stands_before);
    first = last;
  }
  std::vector<std::uint32_t> out;
  out.reserve(rows.size());
  for (const row& one : rows) out.push_back(indices_[one.number]);
  return out;
}

}  // namespace briefwerk::server::imap
