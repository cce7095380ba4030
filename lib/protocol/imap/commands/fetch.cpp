#include <algorithm>
#include <functional>

#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/commands/fetch_parts.hpp"
#include "protocol/imap/commands/search_parts.hpp"

namespace briefwerk::protocol::imap {

namespace {

struct item_name {
  std::string_view name;
  fetch_kind kind;
  bool peek = true;
  section_text text = section_text::whole;
};
constexpr item_name names[] = {
    {"FLAGS", fetch_kind::flags},
    {"UID", fetch_kind::uid},
    {"ENVELOPE", fetch_kind::envelope},
    {"RFC822.SIZE", fetch_kind::size},
    {"INTERNALDATE", fetch_kind::internal_date},
    {"BODYSTRUCTURE", fetch_kind::body_structure},
    {"BODY", fetch_kind::body, false},
    {"BODY.PEEK", fetch_kind::section},
    {"RFC822", fetch_kind::rfc822, false},
    {"RFC822.HEADER", fetch_kind::rfc822_header, true, section_text::header},
    {"RFC822.TEXT", fetch_kind::rfc822_text, false, section_text::text},
    {"BINARY", fetch_kind::binary, false},
    {"BINARY.PEEK", fetch_kind::binary},
    {"BINARY.SIZE", fetch_kind::binary_size},
    {"MODSEQ", fetch_kind::modseq},
    {"EMAILID", fetch_kind::email_id},
    {"THREADID", fetch_kind::thread_id},
    {"SAVEDATE", fetch_kind::save_date},
    {"PREVIEW", fetch_kind::preview},
};

// section-part = nz-number *("." nz-number), then "." when a section-text follows.
bool read_part(scanner& in, fetch_item& item) {
  arena_list<std::uint32_t> part(in.memory());
  while (has_class(in.peek(), is_digit)) {
    std::uint32_t number = 0;
    if (!in.number(number, false)) return in.refuse_as(errc::bad_section);
    if (part.size() == base::limits::mime_depth * 2) return in.refuse(errc::too_deep);
    part.push_back(number);
    if (!in.accept('.')) break;
    if (in.peek() == ']') return in.refuse(errc::bad_section);
  }
  item.part = part.view();
  return true;
}

bool read_fields(scanner& in, fetch_item& item) {
  arena_list<std::string_view> fields(in.memory());
  if (!in.space() || !in.expect('(', errc::bad_section)) return false;
  do {
    std::string_view name;
    if (!in.astring(name)) return false;
    fields.push_back(name);
  } while (in.more());
  item.fields = fields.view();
  return in.expect(')', errc::bad_section);
}

// section-spec = section-msgtext / (section-part ["." section-text]); "[" is read.
bool read_section(scanner& in, fetch_item& item, bool binary) {
  if (!read_part(in, item)) return false;
  if (in.accept(']')) return true;
  if (binary) return in.refuse(errc::bad_section);
  if (in.accept_word("HEADER.FIELDS.NOT")) item.text = section_text::header_fields_not;
  else if (in.accept_word("HEADER.FIELDS")) item.text = section_text::header_fields;
  else if (in.accept_word("HEADER")) item.text = section_text::header;
  else if (in.accept_word("TEXT")) item.text = section_text::text;
  else if (!item.part.empty() && in.accept_word("MIME")) item.text = section_text::mime;
  else return in.refuse(errc::bad_section);
  const bool with_fields = item.text == section_text::header_fields || item.text == section_text::header_fields_not;
  return (!with_fields || read_fields(in, item)) && in.expect(']', errc::bad_section);
}

// partial = "<" number64 "." nz-number64 ">"
bool read_partial(scanner& in, fetch_item& item) {
  if (!in.accept('<')) return true;
  auto& range = item.partial.emplace();
  return in.number64(range.offset) && in.expect('.', errc::bad_section) && in.number64(range.length, false) &&
         in.expect('>', errc::bad_section);
}

bool read_item(scanner& in, fetch_item& item) {
  std::string_view name;
  if (!in.item_name(name)) return false;
  const item_name* found = nullptr;
  for (const auto& candidate : names) {
    if (!is_word(name, candidate.name)) continue;
    found = &candidate;
    break;
  }
  if (found == nullptr) return in.refuse(errc::bad_argument);
  item.kind = found->kind;
  item.peek = found->peek;
  item.text = found->text;
  const bool with_section = item.kind == fetch_kind::section || item.kind == fetch_kind::binary ||
                            item.kind == fetch_kind::binary_size;
  if (item.kind == fetch_kind::body && in.accept('[')) {
    item.kind = fetch_kind::section;
    return read_section(in, item, false) && read_partial(in, item);
  }
  if (item.kind == fetch_kind::body) item.peek = true;
  if (with_section) {
    if (!in.expect('[', errc::bad_section) || !read_section(in, item, item.kind != fetch_kind::section)) return false;
    return item.kind == fetch_kind::binary_size || read_partial(in, item);
  }
  if (item.kind == fetch_kind::preview && in.accept_text(" (LAZY)")) item.lazy = true;  // RFC 8970 §3.1
  return true;
}

bool read_macro(scanner& in, arena_list<fetch_item>& items) {
  const bool all = in.accept_word("ALL"), full = !all && in.accept_word("FULL"), fast = !all && !full && in.accept_word("FAST");
  if (!all && !full && !fast) return false;
  items.push_back({.kind = fetch_kind::flags});
  items.push_back({.kind = fetch_kind::internal_date});
  items.push_back({.kind = fetch_kind::size});
  if (!fast) items.push_back({.kind = fetch_kind::envelope});
  if (full) items.push_back({.kind = fetch_kind::body});
  return true;
}

// What was asked for twice is answered once, so that a row is no longer than what there is to tell. Not so the parts of a
// message, which may differ in their ranges.
void add_item(const fetch_item& item, arena_list<fetch_item>& items, fetch_kinds& kinds) {
  constexpr fetch_kinds parts = bit(fetch_kind::section) | bit(fetch_kind::binary) | bit(fetch_kind::binary_size);
  if ((kinds & ~parts & bit(item.kind)) == 0) items.push_back(item);
  kinds |= bit(item.kind);
}

bool read_items(scanner& in, arena_list<fetch_item>& items, fetch_kinds& kinds) {
  if (read_macro(in, items)) {
    for (const auto& item : items.view()) kinds |= bit(item.kind);
    return true;
  }
  const bool list = in.open();
  do {
    fetch_item item;
    if (!read_item(in, item)) return false;
    add_item(item, items, kinds);
  } while (list && in.more());
  return !list || in.expect(')');
}

// fetch-modifiers (RFC 4466 §2.5, RFC 7162 §3.1.4.1); "(" is read.
bool read_modifiers(scanner& in, fetch_command& fetch) {
  do {
    if (in.accept_word("CHANGEDSINCE")) {
      std::uint64_t modseq = 0;
      // 0 is no mod-sequence, but what programs that know none yet send: all has changed since.
      if (!in.space() || !in.number64(modseq)) return false;
      fetch.changed_since = modseq;
    } else if (fetch.by_uid && !fetch.partial && in.accept_word("PARTIAL")) {  // RFC 9394 §3.3
      if (!in.space() || !read_result_range(in, fetch.partial.emplace())) return false;
    } else if (in.accept_word("VANISHED")) {
      fetch.vanished = true;
    } else {
      return in.refuse(errc::bad_option);
    }
  } while (in.more());
  // RFC 7162 §3.2.6: VANISHED goes with UID FETCH and CHANGEDSINCE only.
  return (!fetch.vanished || (fetch.by_uid && fetch.changed_since)) || in.refuse(errc::bad_option);
}

bool is_octets(const fetch_item& item) noexcept {
  constexpr fetch_kinds octets = bit(fetch_kind::section) | bit(fetch_kind::rfc822) | bit(fetch_kind::rfc822_header) |
                                 bit(fetch_kind::rfc822_text) | bit(fetch_kind::binary);
  return (octets & bit(item.kind)) != 0;
}

// Octets of messages behind all that is short, whatever the order asked: programs read flags and dates in front of the
// first literal.
std::span<const fetch_item> octets_last(std::span<const fetch_item> items, arena& memory) {
  if (std::ranges::is_partitioned(items, std::not_fn(is_octets))) return items;
  arena_list<fetch_item> ordered(memory);
  for (const bool octets : {false, true})
    for (const auto& item : items)
      if (is_octets(item) == octets) ordered.push_back(item);
  return ordered.view();
}

}  // namespace

bool read_fetch_list(scanner& in, std::span<const fetch_item>& items, fetch_kinds& kinds) {
  arena_list<fetch_item> read(in.memory());
  do {
    fetch_item item;
    if (!read_item(in, item)) return false;
    add_item(item, read, kinds);
  } while (in.more());
  items = read.view();
  return in.expect(')');
}

// fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
//         [SP "(" fetch-modifier *(SP fetch-modifier) ")"]
base::result<command> parse_fetch(scanner& in, bool by_uid) {
  fetch_command fetch{.by_uid = by_uid};
  if (!in.space() || !in.set(fetch.messages) || !in.space()) return in.failure();
  arena_list<fetch_item> items(in.memory());
  if (!read_items(in, items, fetch.kinds)) return in.failure();
  if (in.more() && (!in.expect('(') || !read_modifiers(in, fetch) || !in.expect(')'))) return in.failure();
  if (!in.end()) return in.failure();
  // RFC 9051 §6.4.9: UID FETCH always tells the UID. In front: programs look for it before the first literal.
  if (by_uid && (fetch.kinds & bit(fetch_kind::uid)) == 0) {
    items.push_front({.kind = fetch_kind::uid});
    fetch.kinds |= bit(fetch_kind::uid);
  }
  // RFC 7162 §3.1.4.1: CHANGEDSINCE asks for MODSEQ as well.
  if (fetch.changed_since && (fetch.kinds & bit(fetch_kind::modseq)) == 0) {
    items.push_back({.kind = fetch_kind::modseq});
    fetch.kinds |= bit(fetch_kind::modseq);
  }
  fetch.items = octets_last(items.view(), in.memory());
  return fetch;
}

}  // namespace briefwerk::protocol::imap
