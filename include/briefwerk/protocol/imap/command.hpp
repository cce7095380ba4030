#pragma once

// The commands of IMAP4rev1 (RFC 3501) and IMAP4rev2 (RFC 9051) with the extensions that protocols.md lists, as values.
//
// Strings are views of what the client sent (literals included) or of the command's arena; lists are spans in that
// arena. Both live as long as the question that shows the command. Mailbox names are UTF-8, however they were sent, with
// "INBOX" in capitals; user names, passwords and search texts are the client's octets after unquoting.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "briefwerk/mail/flags.hpp"
#include "briefwerk/mail/rights.hpp"
#include "briefwerk/mail/special_use.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/protocol/imap/fetch.hpp"
#include "briefwerk/protocol/imap/search.hpp"
#include "briefwerk/protocol/imap/set.hpp"

namespace briefwerk::protocol::imap {

// System bits (never \Recent) and keyword names as written; the list may name a keyword twice.
struct flag_list {
  mail::flag_set system = 0;
  std::span<const std::string_view> keywords;
};

// RFC 9051 §6.1: any state.
struct capability_command {};
struct noop_command {};
struct logout_command {};
// RFC 2971. An empty list is NIL.
struct id_field {
  std::string_view name;
  std::optional<std::string_view> value;
};
struct id_command {
  std::span<const id_field> fields;
};

// RFC 9051 §6.2: not authenticated.
struct starttls_command {};
struct authenticate_command {
  std::string_view mechanism;                             // as written
  std::optional<std::string_view> initial_response;       // base64 as written; "=" is the empty one (RFC 4959 §3)
};
struct login_command {
  std::string_view user, password;
};

// RFC 9051 §6.3: authenticated.
struct enable_command {
  std::span<const std::string_view> capabilities;
};
struct qresync_parameters {  // RFC 7162 §3.2.5
  std::uint32_t uid_validity = 0;
  std::uint64_t modseq = 0;
  std::optional<number_set> known_uids;
  std::optional<number_set> match_sequences, match_uids;
};
struct select_command {
  std::string_view mailbox;
  bool read_only = false;  // EXAMINE
  bool condstore = false;
  std::optional<qresync_parameters> qresync;
};
struct create_command {
  std::string_view mailbox;
  std::span<const mail::special_use> use;  // RFC 6154 §3
  bool unknown_use = false;                // an attribute that is not known: NO [USEATTR]
};
struct delete_command {
  std::string_view mailbox;
};
struct rename_command {
  std::string_view from, to;
};
struct subscribe_command {
  std::string_view mailbox;
  bool subscribe = true;  // false: UNSUBSCRIBE
};

// Bits of what STATUS can tell (RFC 9051 §6.3.11, 3501 §6.3.10, 7162, 7889, 8474).
enum status_item : std::uint16_t {
  status_messages = 1u << 0,
  status_recent = 1u << 1,
  status_uid_next = 1u << 2,
  status_uid_validity = 1u << 3,
  status_unseen = 1u << 4,
  status_deleted = 1u << 5,
  status_size = 1u << 6,
  status_highest_modseq = 1u << 7,
  status_append_limit = 1u << 8,
  status_mailbox_id = 1u << 9,
  status_deleted_storage = 1u << 10,  // RFC 9208 §4.1.4
};
using status_items = std::uint16_t;

struct status_command {
  std::string_view mailbox;
  status_items items = 0;
};

// LIST (RFC 9051 §6.3.9, RFC 5258) and LSUB (RFC 3501 §6.3.9).
struct list_command {
  bool lsub = false;
  bool extended = false;  // options or several patterns were given
  // Selection options.
  bool select_subscribed = false, select_remote = false, recursive_match = false, select_special_use = false;
  // Return options.
  bool return_subscribed = false, return_children = false, return_special_use = false;
  status_items return_status = 0;  // RFC 5819
  bool return_my_rights = false;   // RFC 8440
  std::span<const std::string_view> return_metadata;  // entries (RFC 9590), as of get_metadata_command
  std::string_view reference;
  std::span<const std::string_view> patterns;  // never empty; one empty pattern asks for the delimiter
};
struct namespace_command {};
struct idle_command {};

// RFC 9051 §6.4: selected.
struct check_command {};
struct close_command {};
struct unselect_command {};
struct expunge_command {
  std::optional<number_set> uids;  // UID EXPUNGE (RFC 4315 §2.1)
};
// "1:500", or "-1:-100" from the end (RFC 9394 §3.1): the smaller number first, both with the same sign, never 0.
struct result_range {
  std::int64_t first = 0, last = 0;
  bool from_end() const noexcept { return first < 0; }
};
struct search_command {
  bool by_uid = false;
  // RETURN was given (without options it means ALL): the answer is ESEARCH. After ENABLE IMAP4rev2 it always is, and
  // returns 0 then means ALL (RFC 9051 §6.4.4).
  bool extended = false;
  search_return returns = 0;
  result_range partial;  // of return_partial
  std::span<const fetch_item> update_items;  // of return_update: what is told of new messages (RFC 5465 §7)
  fetch_kinds update_kinds = 0;
  search_program program;
  // With return_save only: nothing else of the command was read; its answer is NO [BADCHARSET], and "$" is empty then
  // (RFC 5182 §2.1).
  bool unknown_charset = false;
};
// SORT (RFC 5256 §3; DISPLAYFROM and DISPLAYTO: RFC 5957; RELEVANCY, the highest first: RFC 6203 §6).
enum class sort_field : std::uint8_t { arrival, cc, date, from, size, subject, to, display_from, display_to, relevancy };
struct sort_key {
  sort_field field = sort_field::arrival;
  bool reverse = false;
};
struct sort_command {
  std::span<const sort_key> keys;  // never empty
  search_command search;           // extended: the answer is ESEARCH (RFC 5267 §3)
};
enum class thread_algorithm : std::uint8_t { ordered_subject, references };
struct thread_command {
  thread_algorithm algorithm = thread_algorithm::references;
  bool by_uid = false;
  search_program program;
};
// RFC 5267 §4.3.5.
struct cancel_update_command {
  std::span<const std::string_view> tags;
};
struct fetch_command {
  bool by_uid = false;
  number_set messages;
  std::span<const fetch_item> items;      // macros are expanded; UID FETCH always has uid, once
  fetch_kinds kinds = 0;                  // which kinds occur, as a mask
  std::optional<std::uint64_t> changed_since;  // RFC 7162 §3.1.4.1
  std::optional<result_range> partial;         // RFC 9394 §3.3
  bool vanished = false;
};
enum class store_how : std::uint8_t { replace, add, remove };
struct store_command {
  bool by_uid = false;
  number_set messages;
  store_how how = store_how::replace;
  bool silent = false;
  flag_list flags;
  std::optional<std::uint64_t> unchanged_since;  // RFC 7162 §3.1.3
};
struct copy_command {
  bool by_uid = false;
  number_set messages;
  std::string_view mailbox;
};
struct move_command {
  bool by_uid = false;
  number_set messages;
  std::string_view mailbox;
};

// RFC 8437: the session forgets who it was; answered by complete(ok, …) after the driver did.
struct unauthenticate_command {};

// RFC 4978.
struct compress_command {
  std::string_view algorithm;  // as written
};

// RFC 9208 §4.1.
struct get_quota_command {
  std::string_view root;
};
struct get_quota_root_command {
  std::string_view mailbox;
};
struct set_quota_command {
  std::string_view root;
};

// RFC 5464. Entries are as written, in any case, and valid: ASCII, "/private…" or "/shared…".
enum class metadata_depth : std::uint8_t { entry, children, all };
struct get_metadata_command {
  std::string_view mailbox;  // empty: the server's
  std::span<const std::string_view> entries;
  metadata_depth depth = metadata_depth::entry;
  std::optional<std::uint64_t> max_size;
};
struct metadata_value {
  std::string_view entry;
  std::optional<std::string_view> value;  // any octets; nothing: NIL
};
struct set_metadata_command {
  std::string_view mailbox;
  std::span<const metadata_value> values;
};

// RFC 4314 §3. An identifier is never empty; "-" before it stands for a negative entry.
struct get_acl_command {
  std::string_view mailbox;
};
enum class rights_change : std::uint8_t { replace, add, remove };
struct set_acl_command {
  std::string_view mailbox, identifier;
  rights_change how = rights_change::replace;
  mail::right_set rights = 0;
};
struct delete_acl_command {
  std::string_view mailbox, identifier;
};
struct list_rights_command {
  std::string_view mailbox, identifier;
};
struct my_rights_command {
  std::string_view mailbox;
};

// Which mailboxes are meant (RFC 5465 §6, RFC 7377 §2.2).
enum class mailbox_scope : std::uint8_t {
  selected, selected_delayed, inboxes, personal, subscribed, subtree, mailboxes, subtree_one,
};
struct mailbox_filter {
  mailbox_scope scope = mailbox_scope::selected;
  std::span<const std::string_view> names;  // of subtree, subtree_one and mailboxes
};

// RFC 5465. `groups` empty: NONE.
enum notify_event : std::uint8_t {
  event_message_new = 1u << 0,
  event_message_expunge = 1u << 1,
  event_flag_change = 1u << 2,
  event_mailbox_name = 1u << 3,
  event_subscription = 1u << 4,
  event_mailbox_metadata = 1u << 5,
  event_server_metadata = 1u << 6,
};
using notify_events = std::uint8_t;
inline constexpr notify_events events_of_messages = event_message_new | event_message_expunge | event_flag_change;
struct notify_group {
  mailbox_filter mailboxes;
  notify_events events = 0;
  std::span<const fetch_item> items;        // of new messages in the selected mailbox
  fetch_kinds kinds = 0;
};
struct notify_command {
  bool status = false;
  std::span<const notify_group> groups;  // at most one of a selected scope
};

// ESEARCH (RFC 7377): by UID, and with RETURN.
struct multisearch_command {
  std::span<const mailbox_filter> sources;  // empty: the selected mailbox
  search_command search;
};

// APPEND and REPLACE are not values of `command`: their octets are streamed, see server_session.hpp. This is what stands
// before each message (RFC 9051 §6.3.12, RFC 3502).
struct append_piece {
  std::string_view mailbox;  // the same for all pieces
  // REPLACE (RFC 8508): the message of the selected mailbox that goes when this one comes.
  std::optional<number_set> replaced;
  bool by_uid = false;       // `replaced` is a UID
  flag_list flags;
  std::optional<std::int64_t> internal_date;  // seconds since 1970, UTC
  bool binary = false;       // literal8 (RFC 3516 §4.4): may hold NUL
  bool catenated = false;    // made of parts (RFC 4469); else of one literal
};

using command =
    std::variant<capability_command, noop_command, logout_command, id_command, starttls_command, authenticate_command,
                 login_command, enable_command, select_command, create_command, delete_command, rename_command,
                 subscribe_command, status_command, list_command, namespace_command, idle_command, check_command,
                 close_command, unselect_command, expunge_command, search_command, fetch_command, store_command,
                 copy_command, move_command, sort_command, thread_command, cancel_update_command,
                 unauthenticate_command, get_quota_command, get_quota_root_command, set_quota_command, compress_command,
                 get_metadata_command, set_metadata_command, get_acl_command, set_acl_command, delete_acl_command,
                 list_rights_command, my_rights_command, notify_command, multisearch_command>;

}  // namespace briefwerk::protocol::imap
