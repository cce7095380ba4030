#pragma once

// sequence-set of RFC 9051 §9 as it was written: which numbers it means is known only with a mailbox at hand
// (sequence_view.hpp).

#include <span>

#include "briefwerk/mail/uid_set.hpp"

namespace briefwerk::protocol::imap {

struct number_set {
  std::span<const mail::uid_range> ranges;  // in the order and direction as written; "*" is 0
  bool saved = false;                       // "$", the saved result of a search (RFC 5182); ranges is empty then
};

}  // namespace briefwerk::protocol::imap
