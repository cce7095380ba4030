#pragma once

// What SORT compares of messages (RFC 5256 §3, RFC 5957) without their summaries: dates, and texts as numbers of the
// distinct ones. What is kept of a message never changes, so nothing here becomes wrong; who sorts asks for the messages
// that are there. Pure: no store, no session, no lock.

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "briefwerk/mail/summary.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "text_ranks.hpp"

namespace briefwerk::server::imap {

using sort_fields = std::uint32_t;  // a bit by sort_field
constexpr sort_fields sort_bit(protocol::imap::sort_field one) noexcept {
  return sort_fields{1} << static_cast<unsigned>(one);
}

class sort_table {
 public:
  using field = protocol::imap::sort_field;
  static constexpr sort_fields of_summaries =
      sort_bit(field::subject) | sort_bit(field::from) | sort_bit(field::to) | sort_bit(field::cc) |
      sort_bit(field::display_from) | sort_bit(field::display_to) | sort_bit(field::date);

  explicit sort_table(sort_fields kept = of_summaries) : kept_(kept) {}

  static constexpr std::array columns = {field::subject, field::from, field::to, field::cc, field::display_from,
                                         field::display_to};

  std::size_t size() const noexcept { return uids_.size(); }
  std::span<const std::uint32_t> uids() const noexcept { return uids_; }  // ascending
  std::size_t octets() const noexcept;  // of memory, by estimate

  // A message behind all others.
  void add(std::uint32_t uid, const mail::message_summary_view& summary);
  // Takes what is not there yet from a table of the same fields.
  void merge(sort_table other);

  // Calls f(i, place) for each of these messages, ascending: where key() and sent() find it; size() where they do not.
  template <class F>
  void find(std::span<const std::uint32_t> wanted, F&& f) const {
    constexpr std::size_t steps_of_a_search = 16;
    const bool few = wanted.size() * steps_of_a_search < size();
    auto at = uids_.begin();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (few)
        at = std::lower_bound(at, uids_.end(), wanted[i]);
      else
        while (at != uids_.end() && *at < wanted[i]) ++at;
      f(i, at != uids_.end() && *at == wanted[i] ? static_cast<std::size_t>(at - uids_.begin()) : size());
    }
  }

  // Does a piece of the sorting that a field of texts needs before key(). False: nothing is left to do.
  bool sort_some(field one) { return texts_of(one).sort_some(); }
  // Of the message at a place: numbers that compare as the texts do. 0: an empty text.
  std::uint64_t key(field one, std::size_t place) const noexcept {
    const auto at = column_of(one);
    return texts_[at].rank(numbers_[at][place]);
  }
  std::string_view text(field one, std::size_t place) const noexcept {
    const auto at = column_of(one);
    return texts_[at].text(numbers_[at][place]);
  }
  // Of the message at a place: the Date field, in seconds since 1970; nothing where there is none.
  std::optional<std::int64_t> sent(std::size_t place) const noexcept {
    return sent_[place] == unsent ? std::nullopt : std::optional(sent_[place]);
  }

 private:
  static constexpr std::int64_t unsent = INT64_MIN;
  static constexpr std::size_t column_of(field one) noexcept {
    std::size_t at = 0;
    while (columns[at] != one) ++at;
    return at;
  }
  text_ranks& texts_of(field one) noexcept { return texts_[column_of(one)]; }
  void sort_rows();

  sort_fields kept_;
  std::vector<std::uint32_t> uids_;
  std::vector<std::int64_t> sent_;
  std::array<std::vector<std::uint32_t>, columns.size()> numbers_;  // of each message's text; empty: not kept
  std::array<text_ranks, columns.size()> texts_;
};

}  // namespace briefwerk::server::imap
