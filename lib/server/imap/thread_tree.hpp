#pragma once

// Threads of messages (RFC 5256 §3), made from what is kept of each at delivery. Pure: no store, no session.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/protocol/imap/arena.hpp"
#include "text_table.hpp"

namespace briefwerk::server::imap {

// What threading looks at; the views need not outlive the call.
struct thread_message {
  std::uint32_t number = 0;  // sequence number or UID, as it is answered
  std::int64_t sent = 0;     // seconds since 1970; the internal date where there is no Date field
  std::string_view base_subject;
  bool is_reply = false;
  std::string_view message_id;
  std::vector<std::string_view> references;  // oldest first
};

// Messages and stand-ins for messages that are not there, linked to trees. Messages are added in mailbox order.
class thread_tree {
 public:
  explicit thread_tree(std::size_t messages = 0) {
    nodes_.reserve(messages);
    ids_.reserve(messages);
  }
  void add_by_references(const thread_message& message);
  void add_by_subject(const thread_message& message);
  // "(1)(2 (3)(4 5))": the whole answer, of threads that were added by one of the two. Empty when there are none.
  std::string by_references();
  std::string by_subject();

 private:
  using index = std::uint32_t;
  static constexpr index none = 0xffffffff;
  struct node {
    std::uint32_t number = 0;  // 0: stands for a message that is not there
    std::int64_t sent = 0;
    std::string_view subject;
    bool is_reply = false;
    index parent = none, first = none, next = none;
  };

  index make(const thread_message& message);
  index of_id(std::string_view id);
  bool may_adopt(index parent, index child) const;
  void adopt(index parent, index child);
  void leave_parent(index child);
  void prune();
  void splice_children(index dummy, std::vector<index>& into);
  void gather_subjects();
  void sort_children(index parent);
  void sort_all();
  // Good until the next call.
  std::vector<index>& children_of(index parent);
  void set_children(index parent, const std::vector<index>& children);
  std::int64_t date_of(index at) const;
  std::uint32_t number_of(index at) const;
  bool is_before(index a, index b) const;
  const node& speaker(index at) const;  // the message whose subject counts for a root
  void write(std::string& out, index root);

  std::vector<node> nodes_;
  std::vector<index> roots_;
  text_table<index> ids_;
  protocol::imap::arena texts_;
  struct written {
    index at;
    bool closes;
  };
  std::vector<index> children_;  // memory that is used again
  std::vector<written> todo_;
};

}  // namespace briefwerk::server::imap
