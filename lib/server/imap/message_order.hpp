#pragma once

// SORT (RFC 5256 §3, RFC 5957): the keys of each message beside each other, then one sort. Pure: no store, no session.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "briefwerk/mail/summary.hpp"
#include "briefwerk/protocol/imap/arena.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server::imap {

class message_order {
 public:
  // The keys outlive this.
  explicit message_order(std::span<const protocol::imap::sort_key> keys) : keys_(keys) {}

  // Whether a key needs what is kept of a message beside its index entry.
  bool needs_summary() const noexcept;
  // Messages in mailbox order; `summary` may be empty where it is not needed.
  // `score`: of a fuzzy search.
  void add(std::uint32_t index, const store::message_entry& entry, const mail::message_summary_view& summary,
           std::uint8_t score = 0);
  // The indices in the order asked for; equal ones in mailbox order.
  std::vector<std::uint32_t> take();

 private:
  // Numbers, and the beginnings of texts as numbers that compare as the texts do.
  struct value {
    std::uint64_t number = 0;
    std::string_view text;  // of a text longer than its number shows
  };
  value text(std::string_view of) { return {beginning_of(of), of.size() > 8 ? texts_.copy(of) : of.substr(0, 0)}; }
  static std::uint64_t beginning_of(std::string_view text) noexcept;
  value value_of(protocol::imap::sort_field field, const store::message_entry& entry,
                 const mail::message_summary_view& summary, std::uint8_t score);

  std::span<const protocol::imap::sort_key> keys_;
  std::vector<std::uint32_t> indices_;
  std::vector<value> values_;  // keys_.size() of each message
  protocol::imap::arena texts_;
};

}  // namespace briefwerk::server::imap
