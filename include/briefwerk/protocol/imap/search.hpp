#pragma once

// A search program (RFC 9051 §6.4.4, RFC 3501 §6.4.4, RFC 5032, RFC 7162 §3.1.5, RFC 8474 §6, RFC 8514 §4.4, RFC 9738):
// a tree in one flat list, in the order of writing. Node 0 is the conjunction of the whole program.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "briefwerk/mail/flags.hpp"
#include "briefwerk/protocol/imap/set.hpp"

namespace briefwerk::protocol::imap {

enum class search_key : std::uint8_t {
  // Inner nodes.
  all_of,       // every child
  any_of,       // OR: two children
  none_of,      // NOT: one child
  // Leaves.
  all,
  flags_set,    // `flags` are all set: ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
  flags_clear,  // `flags` are all clear: UNANSWERED and so on
  keyword,      // `text` is the keyword; UNKEYWORD is none_of over it
  recent,       // RFC 3501: RECENT; OLD is none_of over it, NEW is all_of with flags_clear(seen)
  before, on, since,                 // `number` is days since 1970, INTERNALDATE as shown to the client
  sent_before, sent_on, sent_since,  // the Date field's day as written
  saved_before, saved_on, saved_since,  // RFC 8514
  younger, older,                    // `number` seconds (RFC 5032)
  larger, smaller,                   // `number` octets
  from, to, cc, bcc, subject,        // `text` in the decoded field
  header,                            // `field`, and `text` in it; empty text: the field is there
  body, text,
  modseq,                            // `number` or above
  email_id, thread_id,               // `text`
  sequence,                          // `set` of sequence numbers
  uid,                               // `set` of UIDs
  uid_after, uid_before,             // above, below UID `number` (RFC 9738 §3.2)
};

struct search_node {
  search_key key = search_key::all;
  bool fuzzy = false;          // under FUZZY (RFC 6203)
  std::uint32_t end = 0;       // index after the last node of this subtree; i + 1 for a leaf
  mail::flag_set flags = 0;
  std::int64_t number = 0;
  std::string_view text;       // UTF-8: converted from the program's charset; octets as sent when they are not valid
  std::string_view field;
  number_set set;
};

// Children of node i: the first is i + 1, the next is at the end of the one before, up to nodes[i].end. Depth is at most
// limits::imap_search_depth, so that a recursive evaluation is safe.
struct search_program {
  std::span<const search_node> nodes;

  bool is_fuzzy() const noexcept {
    for (const auto& node : nodes)
      if (node.fuzzy) return true;
    return false;
  }

  template <class F>
  void for_each_child(std::size_t parent, F&& f) const {
    for (std::size_t child = parent + 1; child < nodes[parent].end; child = nodes[child].end) f(child);
  }
};

// RFC 4731 §3.1, RFC 5182.
enum search_return_option : std::uint8_t {
  return_min = 1u << 0,
  return_max = 1u << 1,
  return_all = 1u << 2,
  return_count = 1u << 3,
  return_save = 1u << 4,
  return_partial = 1u << 5,  // RFC 9394, RFC 5267 §4.4
  return_update = 1u << 6,   // RFC 5267 §4.3
  return_relevancy = 1u << 7,  // RFC 6203 §4; only with a fuzzy program
};
using search_return = std::uint8_t;

}  // namespace briefwerk::protocol::imap
