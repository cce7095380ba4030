#pragma once

// What IMAP, delivery, archive and tools need of stored mail. Implementations are safe for several threads and, where
// their engine is, for several processes on several machines: no answer depends on state that only one process has.
//
// Reading works on snapshots: an immutable picture of one mailbox, made of shared pages. A session keeps the snapshot
// whose sequence numbers its client knows; a change makes a new snapshot that shares all untouched pages, so comparing
// two of them costs only the pages that differ, and an idle session holds two pointers.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mail/flags.hpp"
#include "briefwerk/mail/rights.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/mail/special_use.hpp"
#include "briefwerk/store/blob.hpp"
#include "briefwerk/store/engine.hpp"
#include "briefwerk/store/queue_item.hpp"

namespace briefwerk::store {

enum class errc {
  no_such_mailbox = 1,
  mailbox_exists,
  bad_mailbox_name,   // too long, too deep, empty level, control character
  has_children,       // DELETE of a mailbox that cannot go while others are below it
  not_permitted,      // INBOX cannot be deleted
  over_quota,
  too_many_keywords,  // limits::imap_keywords
  no_such_account,
  no_such_domain,     // an account's or alias's domain is not served here
  domain_in_use,      // accounts or aliases are in it
  annotation_too_big,     // limits::store_annotation_value, store_annotation_name
  too_many_annotations,   // limits::store_annotations
};
const std::error_category& store_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), store_category()}; }

// Stable, never reused, opaque (not the login name). Names the account's partition.
using account_id = std::string;
// Stable within the account, never reused; renaming keeps it. 0 is no mailbox.
using mailbox_id = std::uint32_t;

// One message of a mailbox index; fixed width on disk and in memory (the layout on disk is this one, little-endian).
struct message_entry {
  std::uint32_t uid = 0;
  std::uint32_t size = 0;          // RFC822.SIZE in octets
  std::uint64_t modseq = 0;        // of the last change of flags (RFC 7162)
  std::uint64_t flags = 0;         // mail::flag bits; 16..63 are the mailbox's keyword slots
  std::int64_t internal_date = 0;  // seconds since 1970, UTC
  std::int64_t save_date = 0;      // when it came into this mailbox (RFC 8514)
  blob_ref blob;                   // the message, octet for octet as FETCH BODY[] answers it
  std::array<std::uint8_t, 16> email_id{};  // of the content (RFC 8474)
};

// Immutable; shared by any number of threads.
class mailbox_snapshot {
 public:
  static constexpr std::size_t page_size = 128;
  using page = std::pmr::vector<message_entry>;  // 1 to page_size entries, ascending uid

  mailbox_id id = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::uint64_t highest_modseq = 1;
  std::uint64_t total_size = 0;
  std::uint32_t unseen = 0, deleted = 0;  // messages without \Seen; with \Deleted
  std::vector<std::string> keywords;      // name of slot i, flag bit 16 + i

  std::size_t count() const noexcept { return starts_ && !starts_->empty() ? starts_->back() : 0; }
  // Pages in ascending order; page i holds the sequence numbers page_start(i) + 1 … page_start(i) + its size. They live as
  // long as this; a page that a later snapshot shares is the same object there.
  std::span<const page* const> pages() const noexcept { return pages_; }
  std::size_t page_start(std::size_t i) const noexcept { return i == 0 ? 0 : (*starts_)[i - 1]; }
  // index = sequence number - 1, below count().
  const message_entry& at(std::size_t index) const noexcept;
  // The index of the first message whose uid is not below `uid`; count() when there is none.
  std::size_t lower_bound(std::uint32_t uid) const noexcept;
  // nullptr when there is none.
  const message_entry* find(std::uint32_t uid) const noexcept;
  // First message without \Seen, as index; nothing when all are seen. Looked for once, and a snapshot made of this one goes
  // on from there.
  std::optional<std::size_t> first_unseen() const noexcept;

  // For implementations, before the snapshot is shared.
  void set_pages(std::vector<std::shared_ptr<const page>> pages);
  const std::shared_ptr<const page>& shared_page(std::size_t i) const noexcept { return (*owners_[i / block_size])[i % block_size]; }
  // The pages of `before`, but for some (by their place, ascending) in whose stead others of the same size stand.
  using replacement = std::pair<std::size_t, std::shared_ptr<const page>>;
  void set_pages(const mailbox_snapshot& before, std::span<replacement> others);

 private:
  // Snapshots share the pages in blocks: a change of one flag in a large mailbox would otherwise count a reference to each page.
  static constexpr std::size_t block_size = 32;
  using block = std::array<std::shared_ptr<const page>, block_size>;
  // What any thread may find out, and any other need not know.
  class hint {
   public:
    hint() = default;
    hint(const hint& other) noexcept : value_(other.get()) {}
    hint& operator=(const hint& other) noexcept {
      set(other.get());
      return *this;
    }
    std::size_t get() const noexcept { return value_.load(std::memory_order_relaxed); }
    void set(std::size_t value) noexcept { value_.store(static_cast<std::uint32_t>(value), std::memory_order_relaxed); }

   private:
    std::atomic<std::uint32_t> value_{0};
  };

  std::vector<const page*> pages_;
  std::vector<std::shared_ptr<const block>> owners_;
  std::shared_ptr<const std::vector<std::uint32_t>> starts_;  // running totals, one a page
  mutable hint seen_pages_;  // so many at the beginning are known to have \Seen everywhere
};
using snapshot_ptr = std::shared_ptr<const mailbox_snapshot>;

// A snapshot that is still being read, of the moment at which it was asked for.
class pending_snapshot {
 public:
  virtual ~pending_snapshot() = default;
  virtual base::task<base::result<snapshot_ptr>> get() = 0;  // this must live until the answer
};

struct mailbox_info {
  mailbox_id id = 0;
  std::string name;  // UTF-8, levels separated by '/'; "INBOX" in capitals
  std::optional<mail::special_use> use;
  bool subscribed = false;
  bool selectable = true;  // false: a name only (\NoSelect), or a subscription to what is gone (\NonExistent, id 0)
  std::uint32_t uid_validity = 0;
};

struct listed_mailbox {
  mailbox_info info;
  bool has_children = false;          // mailboxes below it, not mere names
  bool has_subscribed_below = false;  // subscriptions to names below it
};

// An account's names as of one moment, piece by piece: what changes meanwhile is not seen. Keeps old data alive in the
// store: for as long as an answer takes, not longer. The store must outlive it; one chain at a time.
class mailbox_names {
 public:
  virtual ~mailbox_names() = default;
  // The next ones, at most `most` (not 0), as list() would have them in its order; none at the end.
  virtual base::task<base::result<std::vector<listed_mailbox>>> next(std::size_t most) = 0;
};

struct mailbox_status {
  std::uint32_t messages = 0, unseen = 0, deleted = 0, uid_next = 1, uid_validity = 0;
  std::uint64_t highest_modseq = 1, size = 0;
};

// What SELECT tells of a mailbox. Its messages, of the same moment, are here already or on their way.
struct opened_mailbox {
  mailbox_status now;
  std::vector<std::string> keywords;
  std::optional<std::uint32_t> first_unseen;  // as index
  snapshot_ptr messages;                      // null: `pending` brings them
  std::shared_ptr<pending_snapshot> pending;
};
opened_mailbox opened(snapshot_ptr messages);

// Flags of a request: system bits and keyword names (the store finds or makes their slots; names compare without case).
struct flag_list {
  std::uint64_t system = 0;
  std::vector<std::string> keywords;
  std::uint64_t kept = 0;  // of flag_change::replace: bits (mail::flag_set) that stay as each message has them
};

enum class flag_change : std::uint8_t { replace, add, remove };

struct appended {
  std::uint32_t uid_validity = 0, uid = 0;
  mailbox_id mailbox = 0;  // where it went; 0: the store does not say
};

struct uid_mapping {  // COPYUID; `from` and `to` have the same order and number
  std::uint32_t uid_validity = 0;
  std::vector<std::uint32_t> from, to;
};

struct flags_changed {
  snapshot_ptr after;
  std::vector<std::uint32_t> changed;   // uids whose flags are now as asked, ascending
  std::vector<std::uint32_t> modified;  // uids left alone since their modseq is above unchanged_since
};

// A message on its way into mailboxes and the queue. The octets are kept alive by the caller until the answer.
struct message_source {
  std::string_view octets;
  std::string_view summary;  // serialised mail::message_summary of exactly these octets
};

// Where a delivered or appended message goes.
struct local_target {
  account_id account;
  std::string mailbox = "INBOX";
  flag_list flags;
  std::optional<std::int64_t> internal_date;  // absent: now
  bool create_mailbox = false;                // Sieve's fileinto :create; APPEND never
  bool fall_back_to_inbox = true;             // false: errc::no_such_mailbox
  bool ignore_quota = false;
};

// Message octets, decompressed and verified, alive as long as this.
using message_octets = octets;

struct stored_summary {
  std::uint32_t uid = 0;
  std::string_view summary;  // serialised mail::message_summary
};

using summary_function = std::function<bool(const stored_summary&)>;

struct stored_summaries {
  std::vector<stored_summary> rows;   // ascending by uid
  std::shared_ptr<const void> owner;  // keeps the views alive
  bool more = false;                  // the range may hold further messages behind the last row
};

// What a reader of mail made of the summaries of many messages and wants to find again: a row of octets for each range of
// uids from number * digest_uids on.
inline constexpr std::uint32_t digest_uids = 1024;
struct digest {
  std::uint32_t number = 0;
  std::string octets;
};
using digest_function = std::function<void(std::uint32_t number, std::string_view octets)>;

// 0: no limit.
struct quota_limits {
  std::uint64_t octets = 0, messages = 0;
};

struct quota_usage {
  std::uint64_t used_octets = 0, used_messages = 0;
  quota_limits limits;
};

// RFC 5464. An entry's name is in lower case; "/private/…" is of one user alone, "/shared/…" of all who see the mailbox.
struct annotation {
  std::string entry;
  std::string value;  // any octets
};
struct annotation_change {
  std::string entry;
  std::optional<std::string> value;  // nothing: the entry goes
};

// Who may do what with a mailbox (RFC 4314). Its own account may do everything, and has no entry.
struct access_entry {
  account_id user;           // empty: anyone
  bool negative = false;     // takes these rights from those whom it is about
  mail::right_set rights = 0;  // never none
};
using access_list = std::vector<access_entry>;
struct mailbox_access {
  mailbox_id mailbox = 0;
  access_list entries;
};
struct access_change {
  account_id user;  // empty: anyone
  bool negative = false;
  flag_change how = flag_change::replace;  // of the entry that there is; one that has no rights left goes
  mail::right_set rights = 0;
};
// What an account that is not the mailbox's own may do: all that its entry and anyone's give, without what negative
// ones take.
mail::right_set rights_of(const access_list& entries, const account_id& user) noexcept;

// COPY or MOVE between mailboxes of any two accounts.
struct transfer_request {
  account_id from_account;
  mailbox_id from = 0;
  mail::uid_set uids;
  account_id to_account;
  mailbox_id to = 0;
  bool moves = false;
  mail::flag_set flags_kept = ~mail::flag_set{0};  // others are dropped; keywords all or none
};

// Answers come on the asking chain's executor. Views and references given stay the caller's until the answer.
class mailbox_store {
 public:
  virtual ~mailbox_store() = default;

  // Makes INBOX and the special-use mailboxes (Sent, Drafts, Junk, Trash, Archive), subscribed. Does nothing where they are.
  virtual base::task<base::status> create_account(account_id account) = 0;
  // Erases everything of the account.
  virtual base::task<base::status> remove_account(account_id account) = 0;

  virtual base::task<base::result<std::vector<mailbox_info>>> list(account_id account) = 0;  // by name, INBOX first
  // The same in pieces, for accounts that may have very many. A store without this makes them of list().
  virtual base::task<base::result<std::unique_ptr<mailbox_names>>> names(account_id account);
  virtual base::task<base::result<mailbox_info>> find(account_id account, std::string name) = 0;
  // Makes missing parents, as mailboxes that can be selected. Names are UTF-8, brought to NFC; "inbox" as first level
  // counts in any case. Errors: mailbox_exists, bad_mailbox_name; limit_exceeded past limits::store_mailboxes (so too
  // rename and subscribe).
  virtual base::task<base::result<mailbox_info>> create(account_id account, std::string name,
                                                        std::optional<mail::special_use> use) = 0;
  // Children go along; subscriptions are by name and stay (RFC 9051 §6.3.6, §6.3.8). Renaming INBOX moves its messages
  // to a new mailbox and leaves its children.
  virtual base::task<base::status> rename(account_id account, std::string from, std::string to) = 0;
  // With children the mailbox becomes a name that cannot be selected (RFC 9051 §6.3.5); such a name can be removed
  // when it has none (has_children before). Errors: not_permitted for INBOX.
  virtual base::task<base::status> remove(account_id account, std::string name) = 0;
  virtual base::task<base::status> subscribe(account_id account, std::string name, bool subscribed) = 0;

  virtual base::task<base::result<mailbox_status>> status(account_id account, mailbox_id mailbox) = 0;
  // Answers from a cache when nothing changed or little did; does not suspend then.
  virtual base::task<base::result<snapshot_ptr>> snapshot(account_id account, mailbox_id mailbox) = 0;

  // For SELECT, which needs less than the index of a large mailbox.
  virtual base::task<base::result<opened_mailbox>> open(account_id account, mailbox_id mailbox) {
    auto messages = co_await snapshot(std::move(account), mailbox);
    if (!messages) co_return base::fail(messages.error());
    co_return opened(std::move(*messages));
  }

  // Delivery: one durable, atomic commit for all targets and the queue. The answer has one result for each target, in
  // order: a target over quota, or one whose mailbox is damaged, fails alone. When the commit itself fails, nothing was
  // stored anywhere.
  virtual base::task<base::result<std::vector<base::result<appended>>>> deliver(message_source message,
                                                                                std::vector<local_target> targets,
                                                                                std::vector<queue_item> queue) = 0;
  // APPEND: several messages, all or none; pieces[i] goes to targets[i].
  virtual base::task<base::result<std::vector<appended>>> append(std::vector<message_source> pieces,
                                                                 std::vector<local_target> targets) = 0;

  // Keywords that need new slots take those that no message uses when the mailbox has no free one;
  // errc::too_many_keywords after that. base::errc::malformed for a name that cannot be a keyword.
  virtual base::task<base::result<flags_changed>> change_flags(account_id account, mailbox_id mailbox, mail::uid_set uids,
                                                               flag_change how, flag_list flags,
                                                               std::optional<std::uint64_t> unchanged_since) = 0;
  // Flags, internal date and email id go along; keywords that find no slot there are dropped.
  virtual base::task<base::result<uid_mapping>> copy(account_id account, mailbox_id from, mail::uid_set uids,
                                                     mailbox_id to) = 0;
  virtual base::task<base::result<uid_mapping>> move(account_id account, mailbox_id from, mail::uid_set uids,
                                                     mailbox_id to) = 0;
  // Removes the messages of `uids` that have \Deleted (all such messages where `uids` is absent). Answers their uids.
  virtual base::task<base::result<std::vector<std::uint32_t>>> expunge(account_id account, mailbox_id mailbox,
                                                                       std::optional<mail::uid_set> uids) = 0;

  // What was kept of the messages first ≤ uid ≤ last at delivery, ascending, at most `most` rows (the rest by asking
  // again from the last uid + 1). Messages that are gone are left out.
  virtual base::task<base::result<stored_summaries>> summaries(account_id account, mailbox_id mailbox,
                                                               std::uint32_t first, std::uint32_t last,
                                                               std::size_t most) = 0;
  // The same without a limit, as it lies in the store: calls `f` with each, in order, until it answers false. What `f`
  // is given lives until it returns; it must not ask the store.
  virtual base::task<base::status> visit_summaries(account_id account, mailbox_id mailbox, std::uint32_t first,
                                                   std::uint32_t last, const summary_function& f);
  // Digests are kept until one of their messages goes, or the mailbox; a reader can do without them at any time.
  // `modseq`: the highest one of the snapshot that they were made from. Errors: conflict when the mailbox is not in that
  // state any more; no_such_mailbox; unsupported for a store that keeps none.
  virtual base::task<base::status> keep_digests(account_id account, mailbox_id mailbox, std::vector<digest> digests,
                                                std::uint64_t modseq);
  // Calls `f` with those of first ≤ number ≤ last that are kept, ascending. What it is given lives until it returns; it
  // must not ask the store.
  virtual base::task<base::status> visit_digests(account_id account, mailbox_id mailbox, std::uint32_t first,
                                                 std::uint32_t last, const digest_function& f);
  // base::errc::not_found when the message was removed long ago, corrupt when its octets are damaged.
  virtual base::task<base::result<message_octets>> read(blob_ref blob) = 0;
  // The first `most` octets of it at least, or all where it has no more: a header need not hold a large message.
  virtual base::task<base::result<message_octets>> read_beginning(blob_ref blob, std::uint64_t most) {
    static_cast<void>(most);
    co_return co_await read(blob);
  }
  // Several at once: out[i] answers blobs[i]. A store whose reads may wait for a disk overrides it, so that they wait
  // together.
  virtual base::task<void> read_all(std::span<const blob_ref> blobs, std::span<base::result<message_octets>> out) {
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      auto one = co_await read(blobs[i]);
      out[i] = std::move(one);
    }
  }

  // Uids removed by changes whose modseq is above `modseq` (RFC 7162 VANISHED). Nothing when the history does not
  // reach back that far.
  virtual base::task<base::result<std::optional<mail::uid_set>>> expunged_since(account_id account, mailbox_id mailbox,
                                                                                std::uint64_t modseq) = 0;

  virtual base::task<base::result<quota_usage>> usage(account_id account) = 0;
  // What is stored already stays, even above new limits.
  virtual base::task<base::status> set_quota(account_id account, quota_limits limits) = 0;

  // What is noted at a mailbox of the account, as `user` (an account, the owner or another) sees it: ascending by entry.
  // Mailbox 0: what the account notes for itself. Values count as used octets; they follow a renamed mailbox (that of
  // INBOX stays as well) and go with a removed one.
  virtual base::task<base::result<std::vector<annotation>>> annotations(account_id account, mailbox_id mailbox,
                                                                        account_id user) = 0;
  // All of `changes`, in order, or none. With a mailbox they are one of its changes: its highest modseq grows
  // (RFC 7162 §3.2). Errors: annotation_too_big, too_many_annotations, over_quota.
  virtual base::task<base::status> annotate(account_id account, mailbox_id mailbox, account_id user,
                                            std::vector<annotation_change> changes) = 0;

  // `changed` is called from a thread of the store after commits that touched the mailbox or what is noted at it
  // (mailbox 0: the list of mailboxes, subscriptions, rights, what the account notes for itself), once for all that happened since the last call. It must only note the fact and post to its executor,
  // and must not end a subscription.
  virtual subscription watch(account_id account, std::function<void(mailbox_id)> changed) = 0;

  // REPLACE (RFC 8508): the message comes into the target's mailbox and `uid` goes from `from`, in one commit; the quota
  // counts what is left of it. base::errc::not_found when `uid` is gone already.
  virtual base::task<base::result<appended>> replace(account_id account, mailbox_id from, std::uint32_t uid,
                                                     message_source message, local_target target);

  // Rights stay with a renamed mailbox (with INBOX as well as with what its messages went to), go with a removed one,
  // and a new mailbox begins with those of its parent. A store without these has no shared mailboxes.
  virtual base::task<base::result<access_list>> access(account_id account, mailbox_id mailbox);
  virtual base::task<base::result<std::vector<mailbox_access>>> access_of_all(account_id account);  // that have entries
  // Errors: no_such_mailbox; limit_exceeded past limits::store_access_entries.
  virtual base::task<base::status> change_access(account_id account, mailbox_id mailbox, access_change change);
  // The other accounts that give `user`, or anyone, some right; perhaps some more.
  virtual base::task<base::result<std::vector<account_id>>> sharing_with(account_id user);
  // One commit, as copy() and move() make it; the quota of `to_account` counts.
  virtual base::task<base::result<uid_mapping>> transfer(transfer_request what);
};

}  // namespace briefwerk::store

template <>
struct std::is_error_code_enum<briefwerk::store::errc> : std::true_type {};
