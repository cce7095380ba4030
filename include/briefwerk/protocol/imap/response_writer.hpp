#pragma once

// Writes responses into an output chain. Inline where rows are counted in millions. Nothing here checks the order of
// responses: that is the driver's (RFC 9051 §7).
//
//   auto& out = session.output();
//   out.exists(172);
//   auto row = out.fetch(12);             // "* 12 FETCH ("
//   row.uid(4711).flags(entry.flags, snapshot.keywords);
//   row.section(item, octets.view(), keep);
//   row.end();                            // ")" CRLF; also done by its destructor

#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "briefwerk/mail/flags.hpp"
#include "briefwerk/mail/rights.hpp"
#include "briefwerk/mail/special_use.hpp"
#include "briefwerk/mail/uid_set.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/protocol/imap/output_chain.hpp"

namespace briefwerk::protocol::imap {

// Mailbox attributes of LIST (RFC 9051 §7.3.1).
struct list_entry {
  std::string_view name;         // UTF-8
  char delimiter = '/';          // 0: NIL
  bool no_select = false, non_existent = false, no_inferiors = false, subscribed = false, remote = false;
  std::optional<bool> has_children;  // nothing: neither \HasChildren nor \HasNoChildren
  std::span<const mail::special_use> use;
  bool child_info_subscribed = false;   // ("CHILDINFO" ("SUBSCRIBED")), RFC 5258 §3.5
  std::string_view old_name;     // OLDNAME, RFC 9051 §6.3.9.7; empty: none
  bool no_access = false;        // RFC 5465 §5.9
};

// Only the items asked for are written.
struct status_values {
  std::uint64_t messages = 0, recent = 0, uid_next = 1, uid_validity = 0, unseen = 0, deleted = 0, size = 0,
                highest_modseq = 1, append_limit = 0, deleted_storage = 0;
  std::string_view mailbox_id;
};

struct acl_entry {
  std::string identifier;
  mail::right_set rights = 0;
};

struct esearch_result {
  std::string_view tag;
  bool by_uid = false;
  search_return returns = 0;     // which of the following are written (SAVE writes nothing)
  std::uint32_t min = 0, max = 0, count = 0;  // MIN, MAX are left out when count is 0, as ALL is (RFC 4731 §3.1)
  const mail::uid_set* all = nullptr;
  std::span<const std::uint32_t> order;  // of SORT: ALL in this order; `all` is null then
  result_range range;                    // of PARTIAL, and what it holds: in mailbox order, or of SORT
  const mail::uid_set* partial = nullptr;
  std::span<const std::uint32_t> partial_order;
  std::optional<std::uint64_t> modseq;  // RFC 7162 §3.1.5
  std::string_view mailbox = {};        // of RFC 7377, with its UIDVALIDITY; empty: neither is told
  std::uint32_t uid_validity = 0;
  std::span<const std::uint8_t> relevancy = {};  // scores of the numbers told, in their order (RFC 6203 §4)
};

class fetch_row;
class server_session;

class response_writer : public output_chain {
 public:
  // Names and texts go out as UTF-8 (after ENABLE IMAP4rev2 or UTF8=ACCEPT); else names are in modified UTF-7.
  void set_utf8(bool on) noexcept { utf8_ = on; }
  bool is_utf8() const noexcept { return utf8_; }

  // Parts.
  void number(std::uint64_t value) { advance(put_number(reserve(20), value)); }
  void crlf() { append("\r\n"); }
  // Quoted where it can be, else a literal. NUL, which neither may hold, is written as U+FFFD.
  void string(std::string_view text);
  void nstring(std::optional<std::string_view> text);  // nothing: NIL
  void astring(std::string_view text);                 // atom where it can be
  void mailbox(std::string_view utf8_name);
  void flag_names(mail::flag_set set, std::span<const std::string> keywords);  // "(\Seen $Junk)"
  void date_time(std::int64_t seconds, int offset_minutes = 0);                // "\" 7-Nov-2026 10:15:00 +0000\""
  void literal(std::string_view octets) { literal_mark(octets.size()), append(octets); }
  void literal(std::string_view octets, std::shared_ptr<const void> keep) {
    literal_mark(octets.size());
    append(octets, std::move(keep));
  }
  using output_chain::append;

  // Untagged responses, each a whole line.
  void exists(std::uint32_t count) { numbered(count, " EXISTS\r\n"); }
  void recent(std::uint32_t count) { numbered(count, " RECENT\r\n"); }
  void expunge(std::uint32_t sequence) { numbered(sequence, " EXPUNGE\r\n"); }
  void vanished(const mail::uid_set& uids, bool earlier);                      // RFC 7162 §3.2.10; nothing when empty
  void flags(std::span<const std::string> keywords);                           // "* FLAGS (…)": system flags and these
  // "* OK [PERMANENTFLAGS (…)]": what can be changed, keywords all or none, and new ones made (\*) where they can.
  void permanent_flags(mail::flag_set changeable, std::span<const std::string> keywords);
  void ok(std::string_view code, std::string_view text) { condition("OK", code, text); }
  void no(std::string_view code, std::string_view text) { condition("NO", code, text); }
  void list(const list_entry& entry, bool lsub = false);
  void status(std::string_view name, status_items items, const status_values& values);
  void search(const mail::uid_set& numbers, std::optional<std::uint64_t> modseq = {});  // "* SEARCH 2 3 5"
  void esearch(const esearch_result& result);
  // RFC 5267 §4.3: "ADDTO" or "REMOVEFROM" of a context whose order is the mailbox's.
  void search_update(std::string_view tag, bool by_uid, bool add, const mail::uid_set& numbers);
  void sort(std::span<const std::uint32_t> numbers, std::optional<std::uint64_t> modseq = {});  // "* SORT 3 1 2"
  // RFC 9208 §5: usage and limits in units of 1024 octets and messages; no limit: the resource is left out.
  void quota(std::string_view root, std::optional<std::pair<std::uint64_t, std::uint64_t>> storage,
             std::optional<std::pair<std::uint64_t, std::uint64_t>> messages);
  void quota_root(std::string_view mailbox, std::string_view root);
  // RFC 5464 §4.4.1; nothing where there are no values.
  void metadata(std::string_view mailbox, std::span<const metadata_value> values);
  void metadata_changed(std::string_view mailbox, std::span<const std::string> entries);  // §4.4.2: names alone
  // "* NAMESPACE (("" "/")) (("Other Users/" "/")) NIL" (RFC 2342 §5): one personal namespace, and that of other users
  // where there is one.
  void name_space(char delimiter, std::string_view others = {});
  // RFC 4314 §3.6 to §3.8. `required`: what the identifier always has; the rest can be given, one by one.
  void acl(std::string_view mailbox, std::span<const acl_entry> entries);
  void list_rights(std::string_view mailbox, std::string_view identifier, mail::right_set required);
  void my_rights(std::string_view mailbox, mail::right_set rights);
  void id(std::span<const std::pair<std::string_view, std::string_view>> fields);  // empty: NIL
  void enabled(std::span<const std::string_view> capabilities);

  // A row under construction; one at a time. After set_uid_only() it is named by the UID (UIDFETCH, RFC 9586 §3.3).
  fetch_row fetch(std::uint32_t sequence, std::uint32_t uid = 0);
  void set_uid_only(bool on) noexcept { uid_only_ = on; }
  bool is_uid_only() const noexcept { return uid_only_; }

  // Decimal digits of `value` at `at`, at most 20; the end.
  static char* put_number(char* at, std::uint64_t value) noexcept;
  // "12 3" of a set: "1:3,7".
  void numbers(const mail::uid_set& set);

 private:
  friend class fetch_row;
  void numbered(std::uint32_t value, std::string_view rest) {
    char* at = reserve(2 + 10 + rest.size());
    *at++ = '*';
    *at++ = ' ';
    at = put_number(at, value);
    std::memcpy(at, rest.data(), rest.size());
    advance(at + rest.size());
  }
  void condition(std::string_view name, std::string_view code, std::string_view text);
  friend class server_session;
  void status_text(std::string_view code, std::string_view text);
  void literal_mark(std::uint64_t size);
  void annotation(std::optional<std::string_view> value);
  char* put_flags(char* at, mail::flag_set set) noexcept;  // system flags and \Recent, from a table
  void keyword_names(mail::flag_set set, std::span<const std::string> keywords, bool first);

  // "3,1,2" in this order.
  void ordered_numbers(std::span<const std::uint32_t> numbers);

  bool utf8_ = false, uid_only_ = false;
};

namespace detail {

struct system_flag_text {
  char text[48];
  std::uint8_t size;
};
// "\Seen \Flagged" of each of the 64 combinations of system flags and \Recent.
constexpr auto make_system_flag_texts() {
  constexpr std::string_view names[] = {"\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "\\Recent"};
  std::array<system_flag_text, 64> table{};
  for (unsigned set = 0; set < table.size(); ++set) {
    auto& entry = table[set];
    for (unsigned bit = 0; bit < 6; ++bit) {
      if ((set >> bit & 1) == 0) continue;
      if (entry.size != 0) entry.text[entry.size++] = ' ';
      for (const char c : names[bit]) entry.text[entry.size++] = c;
    }
  }
  return table;
}
inline constexpr auto system_flag_texts = make_system_flag_texts();

constexpr auto make_digit_pairs() {
  std::array<char, 200> table{};
  for (unsigned i = 0; i < 100; ++i) {
    table[2 * i] = static_cast<char>('0' + i / 10);
    table[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return table;
}
inline constexpr auto digit_pairs = make_digit_pairs();

}  // namespace detail

inline char* response_writer::put_number(char* at, std::uint64_t value) noexcept {
  if (value >= 100000000) return std::to_chars(at, at + 20, value).ptr;
  auto rest = static_cast<std::uint32_t>(value);
  char digits[8];
  char* first = digits + 8;
  while (rest >= 100) {
    first -= 2;
    std::memcpy(first, &detail::digit_pairs[rest % 100 * 2], 2);
    rest /= 100;
  }
  if (rest >= 10) {
    first -= 2;
    std::memcpy(first, &detail::digit_pairs[rest * 2], 2);
  } else {
    *--first = static_cast<char>('0' + rest);
  }
  const auto count = static_cast<std::size_t>(digits + 8 - first);
  std::memcpy(at, first, count);
  return at + count;
}

inline char* response_writer::put_flags(char* at, mail::flag_set set) noexcept {
  const auto& entry = detail::system_flag_texts[set & (mail::flags::system_mask | mail::flags::recent)];
  std::memcpy(at, entry.text, sizeof entry.text);  // a fixed count is one or two moves; the rest is overwritten
  return at + entry.size;
}

inline void response_writer::flag_names(mail::flag_set set, std::span<const std::string> keywords) {
  char* at = reserve(64);
  *at++ = '(';
  at = put_flags(at, set);
  advance(at);
  if ((set & mail::flags::keyword_mask) != 0) {
    keyword_names(set, keywords, (set & (mail::flags::system_mask | mail::flags::recent)) == 0);
  }
  append(')');
}

// "* n FETCH (" … ")". Items are written in the order of the calls.
class fetch_row {
 public:
  fetch_row(const fetch_row&) = delete;
  fetch_row& operator=(const fetch_row&) = delete;
  ~fetch_row() { end(); }

  fetch_row& uid(std::uint32_t value) { return numeric("UID ", value); }
  fetch_row& size(std::uint64_t octets) { return numeric("RFC822.SIZE ", octets); }
  fetch_row& flags(mail::flag_set set, std::span<const std::string> keywords) {
    label("FLAGS ");
    out_.flag_names(set, keywords);
    return *this;
  }
  fetch_row& internal_date(std::int64_t seconds, int offset_minutes = 0) {
    label("INTERNALDATE ");
    out_.date_time(seconds, offset_minutes);
    return *this;
  }
  fetch_row& modseq(std::uint64_t value) {
    numeric("MODSEQ (", value);
    out_.append(')');
    return *this;
  }
  // Ready texts of mail::message_summary.
  fetch_row& envelope(std::string_view text) { return ready("ENVELOPE ", text); }
  fetch_row& body(std::string_view text) { return ready("BODY ", text); }
  fetch_row& body_structure(std::string_view text) { return ready("BODYSTRUCTURE ", text); }
  // BODY[…], BINARY[…] and the RFC822 items, under the name that the client asked by, as a literal; `octets` are what is
  // left after the item's partial range was applied (cut()). NIL: the part does not exist.
  fetch_row& section(const fetch_item& item, std::string_view octets, std::shared_ptr<const void> keep);
  fetch_row& section(const fetch_item& item, std::string_view octets);  // copied
  fetch_row& section_nil(const fetch_item& item);
  fetch_row& binary_size(const fetch_item& item, std::uint64_t octets);
  fetch_row& email_id(std::string_view id);                    // RFC 8474 §5.1
  fetch_row& thread_id(std::optional<std::string_view> id);
  fetch_row& save_date(std::optional<std::int64_t> seconds);   // RFC 8514 §4.3
  fetch_row& preview(std::optional<std::string_view> text);    // RFC 8970 §3.2
  void end() {
    if (!open_) return;
    open_ = false;
    char* at = out_.reserve(3);
    std::memcpy(at, ")\r\n", 3);
    out_.advance(at + 3);
  }

  // Octets of a section that its partial range selects.
  static std::string_view cut(const fetch_item& item, std::string_view octets) noexcept {
    if (!item.partial) return octets;
    if (item.partial->offset >= octets.size()) return {};
    return octets.substr(item.partial->offset, item.partial->length);
  }

 private:
  friend class response_writer;
  fetch_row(response_writer& out, std::uint32_t number, std::string_view name) : out_(out) {
    char* at = out_.reserve(2 + 10 + name.size());
    std::memcpy(at, "* ", 2);
    at = response_writer::put_number(at + 2, number);
    std::memcpy(at, name.data(), name.size());
    out_.advance(at + name.size());
  }

  void label(std::string_view name) {
    char* at = out_.reserve(name.size() + 1);
    if (!first_) *at++ = ' ';
    first_ = false;
    std::memcpy(at, name.data(), name.size());
    out_.advance(at + name.size());
  }
  fetch_row& numeric(std::string_view name, std::uint64_t value) {
    label(name);
    out_.number(value);
    return *this;
  }
  fetch_row& ready(std::string_view name, std::string_view text) {
    label(name);
    out_.append(text);
    return *this;
  }
  void section_label(const fetch_item& item);

  response_writer& out_;
  bool first_ = true, open_ = true;
};

inline fetch_row response_writer::fetch(std::uint32_t sequence, std::uint32_t uid) {
  if (uid_only_) return fetch_row(*this, uid, " UIDFETCH (");
  return fetch_row(*this, sequence, " FETCH (");
}

}  // namespace briefwerk::protocol::imap
