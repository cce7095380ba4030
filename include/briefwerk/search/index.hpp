#pragma once

// The full-text index of an account's mail.
//
// SEARCH finds substrings (RFC 9051 §6.4.4), in any place of a text, under i;unicode-casemap; an index of words alone
// cannot do that. So texts are casemapped and cut into runs of letters, marks and digits, and three kinds of terms kept:
//   words    runs that look like words, whole. All that were ever met stand in a list as well, which is searched for
//            the (part of a) word asked; the messages of those found are united.
//   groups   of runs that look like codes (long, or letters mixed with digits: identifiers, base64) all groups of three
//            characters. Such runs seldom occur twice; as words they would make up most of the index.
//   pairs    and single characters of scripts without spaces (Chinese, Japanese, Thai).
// Of each text asked the index answers the messages which are sure to hold it, and those which may: where groups or
// pairs or several words met in one message, which says nothing of their order, or where a bound was reached. Who asks
// scans the latter, and all messages that the index does not reach yet: answers are exact, always.
//
// An index never leads: it knows mail that is durable. It may lag, be lost or be erased; then more is scanned.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::search {

enum class field : std::uint8_t {
  from, to, cc, bcc, subject, message_id,  // of what was kept at delivery
  header,                                  // the value of a named header field
  body,                                    // text parts, and headers of messages inside
  text,                                    // body and all header fields, of the parts too
};

struct probe {
  field in = field::body;
  std::string name;  // of field::header
  std::string text;  // as asked, UTF-8; empty: the named header field is there
  bool fuzzy = false;  // as search/fuzzy.hpp has it
};

// UIDs of the indexed part of a mailbox; what is in neither set does not match.
struct probe_answer {
  mail::uid_set sure, maybe;
  std::vector<std::uint8_t> scores;  // of a fuzzy probe: of each message in `sure`, ascending by UID

  unsigned score_of(std::uint32_t uid) const noexcept;  // 0: not sure
};

// Of one mailbox, as the index knows it.
struct findings {
  std::uint32_t uid_validity = 0;
  std::uint32_t below = 0;     // messages with lower UIDs are in the index; 0: none
  std::uint32_t last_uid = 0;  // one of them, and its content: an index of another mailbox, or of another past, is told
  std::array<std::uint8_t, 16> last_email_id{};  // from it by these
  std::vector<probe_answer> answers;             // in the order of the probes

  // Whether they are about this mailbox.
  bool fit(const store::mailbox_snapshot& mailbox) const noexcept;
};

// What a session asks. Answers come on the asking chain's executor.
class finder {
 public:
  virtual ~finder() = default;
  // Errors: base::errc::unavailable, corrupt. A mailbox that is not indexed answers below = 0.
  virtual base::task<base::result<findings>> find(store::account_id account, store::mailbox_id mailbox,
                                                  std::vector<probe> probes) = 0;
};

// A message on its way into the index; views live until add() returns.
struct message_text {
  const store::message_entry* entry = nullptr;
  std::string_view summary;  // serialised mail::message_summary, as the store has it
  std::string_view octets;   // empty: they cannot be read, and the message is scanned whenever it matters
};

struct indexed_mailbox {
  store::mailbox_id id = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t below = 0;   // the first UID that was not looked at
  std::uint32_t messages = 0;
};

// Changes the index of one account; one thread at a time. What was not committed is lost with the object.
class index_writer {
 public:
  virtual ~index_writer() = default;
  virtual std::vector<indexed_mailbox> mailboxes() const = 0;
  virtual std::size_t pending() const noexcept = 0;  // terms added and not committed; some hundred octets of memory each
  // Ascending by uid, none below the mailbox's mark.
  virtual base::status add(store::mailbox_id mailbox, const message_text& message) = 0;
  // Everything below `below` has been looked at.
  virtual base::status reached(store::mailbox_id mailbox, std::uint32_t uid_validity, std::uint32_t below) = 0;
  virtual base::result<mail::uid_set> uids(store::mailbox_id mailbox) const = 0;
  virtual base::status remove(store::mailbox_id mailbox, const mail::uid_set& uids) = 0;
  virtual base::status remove_mailbox(store::mailbox_id mailbox) = 0;
  // Durable, all or nothing; readers see it. `between` is called between two documents, and may take its time.
  virtual base::status commit(const std::function<void()>& between) = 0;
  base::status commit() { return commit([] {}); }
};

// The indexes of all accounts. Thread-safe; calls block on the disk.
class index {
 public:
  virtual ~index() = default;
  // Errors: corrupt (erase it, and build it anew), unavailable.
  virtual base::result<findings> find(const store::account_id& account, store::mailbox_id mailbox,
                                      const std::vector<probe>& probes) = 0;
  // Makes the index where there is none. One writer of an account at a time, else unavailable; corrupt: damaged, or of
  // another version.
  virtual base::result<std::unique_ptr<index_writer>> write(const store::account_id& account) = 0;
  // The mailboxes of an index that is there; empty where there is none.
  virtual base::result<std::vector<indexed_mailbox>> state(const store::account_id& account) = 0;
  virtual base::status erase(const store::account_id& account) = 0;  // not_found: there was none; unavailable: it is written
  virtual std::vector<store::account_id> accounts() const = 0;  // that have an index
};

// One Xapian database an account, in a folder of its name below `folder`, which is made where it is missing.
// Errors: unsupported where the library was built without Xapian; those of making the folder.
base::result<std::unique_ptr<index>> open_xapian_index(const std::string& folder);

}  // namespace briefwerk::search
