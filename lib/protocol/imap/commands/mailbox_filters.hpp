#pragma once

// filter-mailboxes of NOTIFY (RFC 5465 §8) and ESEARCH (RFC 7377 §4).

#include "briefwerk/protocol/imap/command.hpp"
#include "protocol/imap/scanner.hpp"

namespace briefwerk::protocol::imap {

// Any of the scopes, "subtree-one" and "selected-delayed" among them; the caller refuses what it does not have.
bool read_mailbox_filter(scanner& in, mailbox_filter& filter);

}  // namespace briefwerk::protocol::imap
