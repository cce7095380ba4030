#include "fetch_plan.hpp"

#include <algorithm>

#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "search_plan.hpp"

namespace briefwerk::server::imap {
namespace {

namespace wire = protocol::imap;
using wire::fetch_kind;
using wire::section_text;

constexpr wire::fetch_kinds of_summary = wire::bit(fetch_kind::envelope) | wire::bit(fetch_kind::body) |
                                         wire::bit(fetch_kind::body_structure) | wire::bit(fetch_kind::preview);
constexpr wire::fetch_kinds of_octets =
    wire::bit(fetch_kind::section) | wire::bit(fetch_kind::rfc822) | wire::bit(fetch_kind::rfc822_header) |
    wire::bit(fetch_kind::rfc822_text) | wire::bit(fetch_kind::binary) | wire::bit(fetch_kind::binary_size);

mail::section_item item_of(section_text text) noexcept {
  switch (text) {
    case section_text::header: return mail::section_item::header;
    case section_text::header_fields: return mail::section_item::header_fields;
    case section_text::header_fields_not: return mail::section_item::header_fields_not;
    case section_text::text: return mail::section_item::text;
    case section_text::mime: return mail::section_item::mime;
    default: return mail::section_item::all;
  }
}

std::size_t header_length(std::string_view message) noexcept {
  mail::header_reader reader(message);
  mail::header_field field;
  while (reader.next(field)) {
  }
  return reader.position();
}

bool is_header_selection(section_text text) noexcept {
  return text == section_text::header_fields || text == section_text::header_fields_not;
}

bool is_header(section_text text) noexcept { return text == section_text::header || is_header_selection(text); }

// The header, or octets from the beginning or behind the header up to a known one.
bool stands_at_beginning(const wire::fetch_item& item) noexcept {
  const bool is_section = item.kind == fetch_kind::section || item.kind == fetch_kind::rfc822 ||
                          item.kind == fetch_kind::rfc822_header || item.kind == fetch_kind::rfc822_text;
  if (!is_section || !item.part.empty()) return false;
  return is_header(item.text) || (item.partial && (item.text == section_text::whole || item.text == section_text::text));
}

std::uint64_t end_of(const wire::partial_range& range) noexcept {
  return range.offset > UINT64_MAX - range.length ? UINT64_MAX : range.offset + range.length;
}

}  // namespace

std::optional<std::size_t> header_end(std::string_view beginning) {
  // The last line may go on.
  const auto whole = beginning.substr(0, beginning.rfind('\n') + 1);
  const std::size_t end = header_length(whole);
  return end < whole.size() ? std::optional(end) : std::nullopt;
}

fetch_plan::fetch_plan(const wire::fetch_command& command, bool read_only) : command_(command) {
  needs_summary_ = (command.kinds & of_summary) != 0;
  needs_octets_ = (command.kinds & of_octets) != 0;
  if (!needs_octets_) return;
  beginning_only_ = true;
  sections_.resize(command.items.size());
  for (std::size_t i = 0; i < command.items.size(); ++i) {
    const auto& item = command.items[i];
    if ((wire::bit(item.kind) & of_octets) == 0) continue;
    if (!item.peek && item.kind != fetch_kind::binary_size && !read_only) sets_seen_ = true;
    sections_[i] = section_of(item);
    beginning_only_ = beginning_only_ && stands_at_beginning(item);
    if (item.partial && !is_header(item.text)) least_beginning_ = std::max(least_beginning_, end_of(*item.partial));
  }
}

bool fetch_plan::is_enough(std::string_view beginning) const {
  const auto header = header_end(beginning);
  for (const auto& item : command_.items) {
    if ((wire::bit(item.kind) & of_octets) == 0) continue;
    if (item.text != section_text::whole && !header) return false;
    if (is_header(item.text)) continue;
    const std::uint64_t there = beginning.size() - (item.text == section_text::text ? *header : 0);
    if (there < end_of(*item.partial)) return false;
  }
  return true;
}

bool fetch_plan::write_index_item(wire::fetch_row& row, const wire::fetch_item& item, const store::message_entry& entry,
                                  mail::flag_set flags, std::uint64_t modseq, std::span<const std::string> keywords) {
  switch (item.kind) {
    case fetch_kind::uid: row.uid(entry.uid); return true;
    case fetch_kind::flags: row.flags(flags, keywords); return true;
    case fetch_kind::internal_date: row.internal_date(entry.internal_date); return true;
    case fetch_kind::size: row.size(entry.size); return true;
    case fetch_kind::modseq: row.modseq(modseq); return true;
    case fetch_kind::email_id: row.email_id(email_id_text(entry.email_id)); return true;
    case fetch_kind::thread_id: row.thread_id(std::nullopt); return true;
    case fetch_kind::save_date: row.save_date(entry.save_date); return true;
    default: return false;
  }
}

void fetch_plan::write(wire::response_writer& out, const fetch_subject& subject, std::span<const std::string> keywords) {
  auto row = begin(out, subject);
  write_unasked(row, subject, keywords);
  for (std::size_t i = 0; i < items(); ++i) write_item(row, i, subject, keywords);
  row.end();
}

wire::fetch_row fetch_plan::begin(wire::response_writer& out, const fetch_subject& subject) {
  summary_ = {};
  if (needs_summary_) {
    if (const auto read = mail::view_summary(subject.summary)) summary_ = *read;
  }
  tree_is_made_ = false;
  return out.fetch(subject.sequence, subject.entry->uid);
}

void fetch_plan::write_unasked(wire::fetch_row& row, const fetch_subject& subject, std::span<const std::string> keywords) const {
  if (subject.report_identity && (command_.kinds & wire::bit(fetch_kind::uid)) == 0) row.uid(subject.entry->uid);
  if (subject.report_flags && (command_.kinds & wire::bit(fetch_kind::flags)) == 0) row.flags(subject.flags, keywords);
  if (subject.report_identity && (command_.kinds & wire::bit(fetch_kind::modseq)) == 0) row.modseq(subject.modseq);
}

void fetch_plan::write_item(wire::fetch_row& row, std::size_t index, const fetch_subject& subject,
                            std::span<const std::string> keywords) {
  const auto& item = command_.items[index];
  switch (item.kind) {
    case fetch_kind::envelope: row.envelope(summary_.envelope); break;
    case fetch_kind::body: row.body(summary_.body); break;
    case fetch_kind::body_structure: row.body_structure(summary_.body_structure); break;
    case fetch_kind::preview: row.preview(summary_.preview); break;
    case fetch_kind::section:
    case fetch_kind::rfc822:
    case fetch_kind::rfc822_header:
    case fetch_kind::rfc822_text: write_section(row, index, subject.octets); break;
    case fetch_kind::binary:
    case fetch_kind::binary_size: write_binary(row, index, subject.octets); break;
    default: write_index_item(row, item, *subject.entry, subject.flags, subject.modseq, keywords);
  }
}

const mail::mime_tree& fetch_plan::tree_of(std::string_view octets) {
  if (!tree_is_made_) tree_.parse(octets);
  tree_is_made_ = true;
  return tree_;
}

std::string_view detail::part_of_message(const wire::fetch_item& item, std::string_view whole) {
  if (item.text == section_text::text) return whole.substr(header_length(whole));
  if (item.text == section_text::header) return whole.substr(0, header_length(whole));
  return whole;
}

std::string_view detail::selected_fields(const wire::fetch_item& item, std::string_view header, std::string& scratch) {
  if (!is_header_selection(item.text)) return header;
  scratch.clear();
  mail::append_header_fields(scratch, header, item.fields, item.text == section_text::header_fields_not);
  return scratch;
}

mail::section section_of(const wire::fetch_item& item) {
  mail::section out;
  out.path.assign(item.part.begin(), item.part.end());
  out.item = item_of(item.text);
  return out;
}

void fetch_plan::write_section(wire::fetch_row& row, std::size_t index, const store::message_octets& octets) {
  const auto& item = command_.items[index];
  const std::string_view whole = octets.view();
  const auto found = section_octets(item, sections_[index], whole, scratch_,
                                    [&]() -> const mail::mime_tree& { return tree_of(whole); });
  if (!found) {
    row.section_nil(item);
  } else if (is_header_selection(item.text)) {
    row.section(item, wire::fetch_row::cut(item, *found));
  } else {
    row.section(item, wire::fetch_row::cut(item, *found), octets.owner());
  }
}

// RFC 3516 §4: the body of a part without its transfer encoding.
void fetch_plan::write_binary(wire::fetch_row& row, std::size_t index, const store::message_octets& octets) {
  const auto& item = command_.items[index];
  const std::string_view whole = octets.view();
  const bool size_only = item.kind == fetch_kind::binary_size;
  if (item.part.empty()) {
    if (size_only)
      row.binary_size(item, whole.size());
    else
      row.section(item, wire::fetch_row::cut(item, whole), octets.owner());
    return;
  }
  const auto& tree = tree_of(whole);
  const auto range = mail::find_section(tree, sections_[index]);
  const auto* part = mail::find_part(tree, item.part);
  const bool unknown = part != nullptr && part->encoding == mail::transfer_encoding::unknown;
  unknown_encoding_ = unknown_encoding_ || unknown;
  if (!range || part == nullptr || unknown) {
    if (size_only)
      row.binary_size(item, 0);
    else
      row.section_nil(item);
    return;
  }
  const bool encoded = part->kind == mail::part_kind::leaf && (part->encoding == mail::transfer_encoding::base64 ||
                                                               part->encoding == mail::transfer_encoding::quoted_printable);
  if (!encoded) {
    if (size_only)
      row.binary_size(item, range->length);
    else
      row.section(item, wire::fetch_row::cut(item, range->of(whole)), octets.owner());
    return;
  }
  auto decoded = std::make_shared<const std::string>(mail::decode_body(part->encoding, range->of(whole)));
  if (size_only)
    row.binary_size(item, decoded->size());
  else
    row.section(item, wire::fetch_row::cut(item, *decoded), decoded);
}

}  // namespace briefwerk::server::imap
