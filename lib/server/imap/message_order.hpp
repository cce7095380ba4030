#pragma once

// SORT (RFC 5256 §3): an order by several keys, made of stable sorts by each, the last key first. Pure: no store, no
// session.

#include <cstdint>
#include <span>
#include <vector>

namespace briefwerk::server::imap {

class message_order {
 public:
  // Of so many messages, at first in mailbox order.
  explicit message_order(std::size_t count);

  // `values` has the key of each message, in mailbox order. What is equal stays as it stands.
  void sort_by(std::span<const std::uint64_t> values, bool reverse);
  // Places in mailbox order, in the order asked for.
  std::vector<std::uint32_t> take() { return std::move(places_); }

 private:
  std::vector<std::uint32_t> places_;
};

}  // namespace briefwerk::server::imap
