#pragma once

// Which names LIST and LSUB answer (RFC 9051 §6.3.9, RFC 5258, RFC 3501 §6.3.9), from all names one after the other. Holds
// no more than the names above the one under way. Pure: no store, no session.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/protocol/imap/response_writer.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "list_matcher.hpp"

namespace briefwerk::server::imap {

class list_choice {
 public:
  // A row of the answer: a name that is there, or one above it that only leads to it.
  struct row {
    const store::listed_mailbox* listed = nullptr;  // null: it only leads to others
    std::string name;
    bool has_children = false, has_subscribed_below = false;
  };

  // The command outlives this.
  explicit list_choice(const protocol::imap::list_command& command);

  // The rows that a name makes. Names come in the order of their octets, but INBOX, which may come first. `is_shared`: a
  // mailbox of another account, above which levels need not be mailboxes. Good until the next call.
  std::vector<row>& take(const store::listed_mailbox& one, bool is_shared);

  static void write(protocol::imap::response_writer& out, const protocol::imap::list_command& command, const row& one);

 private:
  bool any_matches(std::string_view name) const;
  bool is_told(const store::listed_mailbox& one) const;
  // Whether names above this one that are not there themselves are told.
  bool leads(const store::listed_mailbox& one, bool is_shared) const;
  bool is_above(std::string_view name) const;
  void tell_above(const store::listed_mailbox& one);

  const protocol::imap::list_command& command_;
  std::vector<list_matcher> patterns_;
  bool has_percent_ = false;
  bool inbox_ = false;              // it came
  std::vector<std::string> above_;  // names that came or were told, below which others may come; each begins the next
  std::vector<row> rows_;
};

}  // namespace briefwerk::server::imap
