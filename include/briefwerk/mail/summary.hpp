#pragma once

// What the store keeps about a message beside its octets, so that listing, sorting and threading never open it.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/mail/mime.hpp"

namespace briefwerk::mail {

struct message_summary {
  std::uint64_t size = 0;      // RFC822.SIZE
  std::string envelope;        // "(…)", IMAP syntax, ready to send after "ENVELOPE "
  std::string body;            // after "BODY "
  std::string body_structure;  // after "BODYSTRUCTURE "

  // The Date field; nothing when it is missing or unreadable (sort by the internal date then, RFC 5256 §2.2).
  // SENTBEFORE, SENTON, SENTSINCE look at the date as written: sent + sent_offset.
  std::optional<std::chrono::sys_seconds> sent;
  std::int16_t sent_offset = 0;  // minutes east of UTC

  std::string base_subject;      // RFC 5256 §2.1, UTF-8, prepared for i;unicode-casemap
  bool is_reply = false;         // §2.1: the subject had a "re:", "fwd:" and the like
  std::string message_id;        // without angle brackets, "" when missing
  std::string in_reply_to;       // first message id of In-Reply-To, "" when missing
  std::vector<std::string> references;  // of References, else in_reply_to alone (RFC 5256 §3); at most 100, the
                                        // first and the last ones when there are more

  // SORT keys, prepared for i;unicode-casemap: mailbox of the first address (RFC 5256 §3), and its display name,
  // decoded, else mailbox@host (RFC 5957 §3).
  std::string from, to, cc;
  std::string display_from, display_to;

  bool has_attachment = false;   // a part that a mail program would list as a file
  std::string preview;           // RFC 8970: at most 200 characters of UTF-8, one line

  bool operator==(const message_summary&) const = default;
};

// Never fails; a broken message has empty values.
message_summary summarise(const mime_tree& tree);
message_summary summarise(std::string_view raw);

// The same as octets, for the store. Views point into the octets. The first octet is the version; later versions
// add at the end.
struct message_summary_view {
  std::uint64_t size = 0;
  std::string_view envelope, body, body_structure;
  std::optional<std::chrono::sys_seconds> sent;
  std::int16_t sent_offset = 0;
  std::string_view base_subject;
  bool is_reply = false;
  std::string_view message_id, in_reply_to;
  std::string_view references;  // each id followed by NUL, see for_each_reference
  std::string_view from, to, cc, display_from, display_to;
  bool has_attachment = false;
  std::string_view preview;

  template <class F>
  void for_each_reference(F&& f) const {
    for (auto rest = references; !rest.empty();) {
      const auto end = rest.find('\0');
      f(rest.substr(0, end));
      rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    }
  }
};

void append_summary(std::string& out, const message_summary& summary);
std::string encode_summary(const message_summary& summary);

// errc::corrupt when the octets are not a summary, errc::unsupported for a version that is not known.
base::result<message_summary_view> view_summary(std::string_view octets);
// Its envelope alone, which stands in front: whoever wants no more does not touch the rest, and does not hear of damage
// there. "" where the octets up to there are not a summary, or of a version that is not known.
std::string_view summary_envelope(std::string_view octets) noexcept;
base::result<message_summary> decode_summary(std::string_view octets);

}  // namespace briefwerk::mail
