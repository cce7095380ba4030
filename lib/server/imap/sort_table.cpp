#include "sort_table.hpp"

#include <numeric>
#include <utility>

namespace briefwerk::server::imap {
namespace {

constexpr std::uint32_t unmapped = UINT32_MAX;

template <class T>
void put_in_order(std::vector<T>& column, std::span<const std::uint32_t> places) {
  if (column.empty()) return;
  std::vector<T> ordered;
  ordered.reserve(column.size());
  for (const std::uint32_t place : places) ordered.push_back(column[place]);
  column.swap(ordered);
}

std::string_view text_of(sort_table::field one, const mail::message_summary_view& summary) noexcept {
  using field = sort_table::field;
  switch (one) {
    case field::subject: return summary.base_subject;
    case field::from: return summary.from;
    case field::to: return summary.to;
    case field::cc: return summary.cc;
    case field::display_from: return summary.display_from;
    case field::display_to: return summary.display_to;
    default: return {};
  }
}

}  // namespace

std::size_t sort_table::octets() const noexcept {
  std::size_t all = sizeof *this + uids_.capacity() * sizeof(std::uint32_t) + sent_.capacity() * sizeof(std::int64_t);
  for (const auto& column : numbers_) all += column.capacity() * sizeof(std::uint32_t);
  for (const auto& texts : texts_) all += texts.octets();
  return all;
}

void sort_table::add(std::uint32_t uid, const mail::message_summary_view& summary) {
  uids_.push_back(uid);
  sent_.push_back(summary.sent ? summary.sent->time_since_epoch().count() : unsent);
  for (std::size_t i = 0; i < columns.size(); ++i)
    if ((kept_ & sort_bit(columns[i])) != 0) numbers_[i].push_back(texts_[i].number_of(text_of(columns[i], summary)));
}

void sort_table::merge(sort_table other) {
  if (uids_.empty()) {
    *this = std::move(other);
    return;
  }
  std::array<std::vector<std::uint32_t>, columns.size()> mapped;  // the numbers here of the other's texts
  for (std::size_t i = 0; i < columns.size(); ++i) mapped[i].assign(other.texts_[i].size(), unmapped);
  const std::size_t before = size();
  std::vector<std::uint32_t> fresh;  // places in the other table
  find(other.uids_, [&](std::size_t from, std::size_t place) {
    if (place == before) fresh.push_back(static_cast<std::uint32_t>(from));
  });
  for (const std::uint32_t from : fresh) {
    uids_.push_back(other.uids_[from]);
    sent_.push_back(other.sent_[from]);
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if ((kept_ & sort_bit(columns[i])) == 0) continue;
      const std::uint32_t number = other.numbers_[i][from];
      if (mapped[i][number] == unmapped) mapped[i][number] = texts_[i].number_of(other.texts_[i].text(number));
      numbers_[i].push_back(mapped[i][number]);
    }
  }
  const bool in_order = before == 0 || before == size() || uids_[before - 1] < uids_[before];
  if (!in_order) sort_rows();
}

void sort_table::sort_rows() {
  std::vector<std::uint32_t> places(size());
  std::iota(places.begin(), places.end(), 0u);
  std::ranges::sort(places, {}, [&](std::uint32_t place) { return uids_[place]; });
  put_in_order(sent_, places);
  for (auto& column : numbers_) put_in_order(column, places);
  put_in_order(uids_, places);
}

}  // namespace briefwerk::server::imap
