#include "briefwerk/protocol/imap/response_writer.hpp"

#include <algorithm>
#include <bit>
#include <chrono>

#include "briefwerk/mail/charset.hpp"
#include "protocol/imap/characters.hpp"

namespace briefwerk::protocol::imap {
namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";  // U+FFFD

enum class form { atom, quoted, literal };

form form_of(std::string_view text, bool utf8) noexcept {
  bool atom = !text.empty(), quoted = true;
  for (const char c : text) {
    if (has_class(c, in_astring)) continue;
    atom = false;
    const auto octet = static_cast<unsigned char>(c);
    // RFC 9051 §4.3: quoted strings hold UTF-8 only for a client that knows it.
    quoted &= c != '\r' && c != '\n' && c != '\0' && (octet < 0x80 || utf8);
  }
  return atom ? form::atom : quoted ? form::quoted : form::literal;
}

char* put_two(char* at, unsigned value) noexcept {
  std::memcpy(at, &detail::digit_pairs[value * 2], 2);
  return at + 2;
}

std::string without_nul(std::string_view text) {
  std::string clean;
  for (const char c : text) c == '\0' ? clean += replacement : clean += c;
  return clean;
}

}  // namespace

void response_writer::literal_mark(std::uint64_t size) {
  char* at = reserve(24);
  *at++ = '{';
  at = put_number(at, size);
  std::memcpy(at, "}\r\n", 3);
  advance(at + 3);
}

void response_writer::string(std::string_view text) {
  switch (form_of(text, utf8_)) {
    case form::atom:
    case form::quoted: {
      if (utf8_ && !mail::is_valid_utf8(text)) return literal(text);
      char* at = reserve(2 + 2 * text.size());
      *at++ = '"';
      for (const char c : text) {
        if (c == '"' || c == '\\') *at++ = '\\';
        *at++ = c;
      }
      *at++ = '"';
      return advance(at);
    }
    case form::literal:
      if (text.find('\0') != text.npos) return string(without_nul(text));
      return literal(text);
  }
}

void response_writer::nstring(std::optional<std::string_view> text) { text ? string(*text) : append("NIL"); }

void response_writer::astring(std::string_view text) {
  // NIL as an atom could be taken for no string.
  if (form_of(text, utf8_) == form::atom && !is_word(text, "NIL")) return append(text);
  string(text);
}

void response_writer::mailbox(std::string_view utf8_name) {
  if (!utf8_ && (!mail::is_ascii(utf8_name) || utf8_name.find('&') != utf8_name.npos)) {
    if (const auto encoded = mail::encode_modified_utf7(utf8_name)) return astring(*encoded);
  }
  astring(utf8_name);
}

void response_writer::keyword_names(mail::flag_set set, std::span<const std::string> keywords, bool first) {
  for (auto rest = set & mail::flags::keyword_mask; rest != 0; rest &= rest - 1) {
    const auto slot = static_cast<std::size_t>(std::countr_zero(rest)) - mail::flags::first_keyword_bit;
    if (slot >= keywords.size() || keywords[slot].empty()) continue;
    if (!first) append(' ');
    first = false;
    append(keywords[slot]);
  }
}

// date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
void response_writer::date_time(std::int64_t seconds, int offset_minutes) {
  using namespace std::chrono;
  constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  // Years that four digits can show.
  const auto local = std::clamp<std::int64_t>(seconds + offset_minutes * 60, -62167219200, 253402300799);
  const auto days = floor<std::chrono::days>(std::chrono::seconds(local));
  const year_month_day date{sys_days(days)};
  const auto time = static_cast<unsigned>(local - days.count() * 86400);
  const auto day = static_cast<unsigned>(date.day());
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  const auto zone = static_cast<unsigned>(offset_minutes < 0 ? -offset_minutes : offset_minutes);
  char* at = reserve(28);
  *at++ = '"';
  at = put_two(at, day);
  if (day < 10) at[-2] = ' ';
  *at++ = '-';
  std::memcpy(at, months.data() + 3 * (static_cast<unsigned>(date.month()) - 1), 3);
  at += 3;
  *at++ = '-';
  at = put_two(put_two(at, year / 100), year % 100);
  *at++ = ' ';
  at = put_two(at, time / 3600);
  *at++ = ':';
  at = put_two(at, time / 60 % 60);
  *at++ = ':';
  at = put_two(at, time % 60);
  *at++ = ' ';
  *at++ = offset_minutes < 0 ? '-' : '+';
  at = put_two(put_two(at, zone / 60 % 100), zone % 60);
  *at++ = '"';
  advance(at);
}

void response_writer::numbers(const mail::uid_set& set) {
  bool first = true;
  for (const auto& range : set.ranges()) {
    char* at = reserve(24);
    if (!first) *at++ = ',';
    first = false;
    at = put_number(at, range.first);
    if (range.last != range.first) {
      *at++ = ':';
      at = put_number(at, range.last);
    }
    advance(at);
  }
}

void response_writer::condition(std::string_view name, std::string_view code, std::string_view text) {
  append("* ");
  append(name);
  append(' ');
  status_text(code, text);
}

// resp-text CRLF; RFC 9051 §7.1: never empty, and no line end can be smuggled in by what it quotes.
void response_writer::status_text(std::string_view code, std::string_view text) {
  if (!code.empty()) {
    append('[');
    append(code);
    append("] ");
  }
  if (text.empty()) text = "Done";
  char* at = reserve(text.size());
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    *at++ = octet < 0x20 || octet == 0x7f ? ' ' : octet >= 0x80 && !utf8_ ? '?' : c;
  }
  advance(at);
  crlf();
}

void response_writer::vanished(const mail::uid_set& uids, bool earlier) {
  if (uids.empty()) return;
  append(earlier ? "* VANISHED (EARLIER) " : "* VANISHED ");
  numbers(uids);
  crlf();
}

void response_writer::flags(std::span<const std::string> keywords) {
  append("* FLAGS ");
  flag_names(mail::flags::system_mask | mail::flags::keyword_mask, keywords);
  crlf();
}

void response_writer::permanent_flags(mail::flag_set changeable, std::span<const std::string> keywords) {
  append("* OK [PERMANENTFLAGS (");
  char* at = reserve(64);
  advance(put_flags(at, changeable));
  const bool first = (changeable & mail::flags::system_mask) == 0;
  if ((changeable & mail::flags::keyword_mask) != 0) {
    keyword_names(mail::flags::keyword_mask, keywords, first);
    append(first && keywords.empty() ? "\\*" : " \\*");
  }
  append(changeable == 0 ? ")] No flag can be changed\r\n" : ")] Flags permitted\r\n");
}

void response_writer::list(const list_entry& entry, bool lsub) {
  append(lsub ? "* LSUB (" : "* LIST (");
  bool first = true;
  const auto attribute = [&](std::string_view name) {
    if (!first) append(' ');
    first = false;
    append(name);
  };
  // mbx-list-sflag: at most one; \NonExistent means \NoSelect as well (RFC 9051 §7.3.1). LSUB knows \NoSelect only.
  if (entry.non_existent && !lsub) attribute("\\NonExistent");
  else if (entry.no_select || entry.non_existent) attribute("\\NoSelect");
  if (entry.no_inferiors) attribute("\\NoInferiors");
  if (entry.no_access && !lsub) attribute("\\NoAccess");
  if (entry.has_children && !lsub) attribute(*entry.has_children ? "\\HasChildren" : "\\HasNoChildren");
  if (entry.subscribed && !lsub) attribute("\\Subscribed");
  if (entry.remote && !lsub) attribute("\\Remote");
  for (const auto use : entry.use) {
    if (const auto name = mail::special_use_name(use); !name.empty() && !lsub) attribute(name);
  }
  append(") ");
  if (entry.delimiter == 0) {
    append("NIL ");
  } else {
    string({&entry.delimiter, 1});
    append(' ');
  }
  mailbox(entry.name);
  if (entry.child_info_subscribed || !entry.old_name.empty()) {
    append(" (");
    if (entry.child_info_subscribed) append("\"CHILDINFO\" (\"SUBSCRIBED\")");
    if (!entry.old_name.empty()) {
      append(entry.child_info_subscribed ? " \"OLDNAME\" (" : "\"OLDNAME\" (");
      mailbox(entry.old_name);
      append(')');
    }
    append(')');
  }
  crlf();
}

void response_writer::status(std::string_view name, status_items items, const status_values& values) {
  append("* STATUS ");
  mailbox(name);
  append(" (");
  bool first = true;
  const auto item = [&](status_item bit, std::string_view label, std::uint64_t value) {
    if ((items & bit) == 0) return;
    if (!first) append(' ');
    first = false;
    append(label);
    number(value);
  };
  item(status_messages, "MESSAGES ", values.messages);
  item(status_recent, "RECENT ", values.recent);
  item(status_uid_next, "UIDNEXT ", values.uid_next);
  item(status_uid_validity, "UIDVALIDITY ", values.uid_validity);
  item(status_unseen, "UNSEEN ", values.unseen);
  item(status_deleted, "DELETED ", values.deleted);
  item(status_deleted_storage, "DELETED-STORAGE ", values.deleted_storage);
  item(status_size, "SIZE ", values.size);
  item(status_highest_modseq, "HIGHESTMODSEQ ", values.highest_modseq);
  item(status_append_limit, "APPENDLIMIT ", values.append_limit);
  if ((items & status_mailbox_id) != 0) {
    append(first ? "MAILBOXID (" : " MAILBOXID (");
    append(values.mailbox_id);
    append(')');
  }
  append(")\r\n");
}

void response_writer::search(const mail::uid_set& set, std::optional<std::uint64_t> modseq) {
  append("* SEARCH");
  set.for_each([&](std::uint32_t value) {
    char* at = reserve(12);
    *at++ = ' ';
    advance(put_number(at, value));
  });
  if (modseq && !set.empty()) {
    append(" (MODSEQ ");
    number(*modseq);
    append(')');
  }
  crlf();
}

// esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)
void response_writer::esearch(const esearch_result& result) {
  append("* ESEARCH (TAG ");
  string(result.tag);
  if (!result.mailbox.empty()) {
    append(" MAILBOX ");
    mailbox(result.mailbox);
    append(" UIDVALIDITY ");
    number(result.uid_validity);
  }
  append(')');
  if (result.by_uid) append(" UID");
  const auto value = [&](search_return_option option, std::string_view label, std::uint64_t what) {
    if ((result.returns & option) == 0) return;
    append(label);
    number(what);
  };
  if (result.count != 0) {
    value(return_min, " MIN ", result.min);
    value(return_max, " MAX ", result.max);
  }
  const bool any = result.all != nullptr ? !result.all->empty() : !result.order.empty();
  if ((result.returns & return_all) != 0 && any) {
    append(" ALL ");
    result.all != nullptr ? numbers(*result.all) : ordered_numbers(result.order);
  }
  if ((result.returns & return_partial) != 0) {
    const auto end = [&](std::int64_t at) {
      if (at < 0) append('-');
      number(static_cast<std::uint64_t>(at < 0 ? -at : at));
    };
    append(" PARTIAL (");
    end(result.range.first);
    append(':');
    end(result.range.last);
    append(' ');
    if (result.partial != nullptr && !result.partial->empty()) numbers(*result.partial);
    else if (!result.partial_order.empty()) ordered_numbers(result.partial_order);
    else append("NIL");
    append(')');
  }
  value(return_count, " COUNT ", result.count);
  if ((result.returns & return_relevancy) != 0) {
    append(" RELEVANCY (");
    for (std::size_t i = 0; i < result.relevancy.size(); ++i) {
      if (i != 0) append(' ');
      number(result.relevancy[i]);
    }
    append(')');
  }
  if (result.modseq && result.count != 0) {
    append(" MODSEQ ");
    number(*result.modseq);
  }
  crlf();
}

void response_writer::ordered_numbers(std::span<const std::uint32_t> numbers) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    char* at = reserve(12);
    if (i != 0) *at++ = ',';
    advance(put_number(at, numbers[i]));
  }
}

void response_writer::search_update(std::string_view tag, bool by_uid, bool add, const mail::uid_set& changed) {
  append("* ESEARCH (TAG ");
  string(tag);
  append(by_uid ? ") UID " : ") ");
  // Position 0: wherever they stand in the mailbox's order.
  append(add ? "ADDTO (0 " : "REMOVEFROM (0 ");
  numbers(changed);
  append(")\r\n");
}

void response_writer::sort(std::span<const std::uint32_t> order, std::optional<std::uint64_t> modseq) {
  append("* SORT");
  for (const auto value : order) {
    char* at = reserve(12);
    *at++ = ' ';
    advance(put_number(at, value));
  }
  if (modseq && !order.empty()) {
    append(" (MODSEQ ");
    number(*modseq);
    append(')');
  }
  crlf();
}

// quota-response = "QUOTA" SP quota-root-name SP quota-list
void response_writer::quota(std::string_view root, std::optional<std::pair<std::uint64_t, std::uint64_t>> storage,
                            std::optional<std::pair<std::uint64_t, std::uint64_t>> messages) {
  append("* QUOTA ");
  astring(root);
  append(" (");
  const auto resource = [&](std::string_view name, const std::pair<std::uint64_t, std::uint64_t>& values) {
    append(name);
    number(values.first);
    append(' ');
    number(values.second);
  };
  if (storage) resource("STORAGE ", *storage);
  if (messages) resource(storage ? " MESSAGE " : "MESSAGE ", *messages);
  append(")\r\n");
}

void response_writer::quota_root(std::string_view name, std::string_view root) {
  append("* QUOTAROOT ");
  mailbox(name);
  append(' ');
  astring(root);
  crlf();
}

// value = nstring / literal8; a string that holds NUL can only be the latter.
void response_writer::annotation(std::optional<std::string_view> value) {
  if (!value || value->find('\0') == value->npos) return nstring(value);
  append('~');
  literal(*value);
}

// metadata-resp = "METADATA" SP mailbox SP entry-values
void response_writer::metadata(std::string_view name, std::span<const metadata_value> values) {
  if (values.empty()) return;
  append("* METADATA ");
  mailbox(name);
  for (std::size_t i = 0; i < values.size(); ++i) {
    append(i == 0 ? " (" : " ");
    astring(values[i].entry);
    append(' ');
    annotation(values[i].value);
  }
  append(")\r\n");
}

void response_writer::metadata_changed(std::string_view name, std::span<const std::string> entries) {
  if (entries.empty()) return;
  append("* METADATA ");
  mailbox(name);
  for (const auto& entry : entries) {
    append(' ');
    astring(entry);
  }
  crlf();
}

void response_writer::name_space(char delimiter, std::string_view others) {
  const auto one = [&](std::string_view prefix) {
    append("((");
    string(prefix);
    append(' ');
    string({&delimiter, 1});
    append(")) ");
  };
  append("* NAMESPACE ");
  one("");
  others.empty() ? append("NIL ") : one(others);
  append("NIL\r\n");
}

// acl-data = "ACL" SP mailbox *(SP identifier SP rights)
void response_writer::acl(std::string_view name, std::span<const acl_entry> entries) {
  append("* ACL ");
  mailbox(name);
  for (const auto& entry : entries) {
    append(' ');
    astring(entry.identifier);
    append(' ');
    astring(mail::rights_text(entry.rights));
  }
  crlf();
}

// listrights-data = "LISTRIGHTS" SP mailbox SP identifier SP rights *(SP rights)
void response_writer::list_rights(std::string_view name, std::string_view identifier, mail::right_set required) {
  append("* LISTRIGHTS ");
  mailbox(name);
  append(' ');
  astring(identifier);
  append(' ');
  astring(mail::rights_text(required));
  for (const char letter : mail::rights_text(mail::rights::all & static_cast<mail::right_set>(~required))) {
    append(' ');
    append(letter);
  }
  crlf();
}

// myrights-data = "MYRIGHTS" SP mailbox SP rights
void response_writer::my_rights(std::string_view name, mail::right_set rights) {
  append("* MYRIGHTS ");
  mailbox(name);
  append(' ');
  astring(mail::rights_text(rights));
  crlf();
}

void response_writer::id(std::span<const std::pair<std::string_view, std::string_view>> fields) {
  append("* ID ");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    append(i == 0 ? '(' : ' ');
    string(fields[i].first);
    append(' ');
    string(fields[i].second);
  }
  append(fields.empty() ? "NIL\r\n" : ")\r\n");
}

void response_writer::enabled(std::span<const std::string_view> capabilities) {
  append("* ENABLED");
  for (const auto name : capabilities) {
    append(' ');
    append(name);
  }
  crlf();
}

}  // namespace briefwerk::protocol::imap
