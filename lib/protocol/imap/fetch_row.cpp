// The rarer items of a FETCH row.

#include "briefwerk/protocol/imap/response_writer.hpp"

namespace briefwerk::protocol::imap {
namespace {

std::string_view name_of(section_text text) noexcept {
  switch (text) {
    case section_text::whole: return "";
    case section_text::header: return "HEADER";
    case section_text::header_fields: return "HEADER.FIELDS";
    case section_text::header_fields_not: return "HEADER.FIELDS.NOT";
    case section_text::text: return "TEXT";
    case section_text::mime: return "MIME";
  }
  return "";
}

}  // namespace

// "BODY" section ["<" number ">"] SP, under the name of the request; the peek is not repeated (RFC 9051 §7.5.2).
void fetch_row::section_label(const fetch_item& item) {
  switch (item.kind) {
    case fetch_kind::rfc822: return label("RFC822 ");
    case fetch_kind::rfc822_header: return label("RFC822.HEADER ");
    case fetch_kind::rfc822_text: return label("RFC822.TEXT ");
    case fetch_kind::binary: label("BINARY["); break;
    case fetch_kind::binary_size: label("BINARY.SIZE["); break;
    default: label("BODY["); break;
  }
  for (std::size_t i = 0; i < item.part.size(); ++i) {
    if (i != 0) out_.append('.');
    out_.number(item.part[i]);
  }
  const auto text = name_of(item.text);
  if (!item.part.empty() && !text.empty()) out_.append('.');
  out_.append(text);
  for (std::size_t i = 0; i < item.fields.size(); ++i) {
    out_.append(i == 0 ? " (" : " ");
    out_.astring(item.fields[i]);
  }
  out_.append(item.fields.empty() ? "]" : ")]");
  if (item.partial) {
    out_.append('<');
    out_.number(item.partial->offset);
    out_.append('>');
  }
  out_.append(' ');
}

fetch_row& fetch_row::section(const fetch_item& item, std::string_view octets, std::shared_ptr<const void> keep) {
  section_label(item);
  // RFC 3516 §4.2: octets that may hold NUL go as literal8.
  if (item.kind == fetch_kind::binary && octets.find('\0') != octets.npos) out_.append('~');
  out_.literal(octets, std::move(keep));
  return *this;
}

fetch_row& fetch_row::section(const fetch_item& item, std::string_view octets) {
  section_label(item);
  if (item.kind == fetch_kind::binary && octets.find('\0') != octets.npos) out_.append('~');
  out_.literal(octets);
  return *this;
}

fetch_row& fetch_row::section_nil(const fetch_item& item) {
  section_label(item);
  out_.append("NIL");
  return *this;
}

fetch_row& fetch_row::binary_size(const fetch_item& item, std::uint64_t octets) {
  section_label(item);
  out_.number(octets);
  return *this;
}

fetch_row& fetch_row::email_id(std::string_view id) {
  label("EMAILID (");
  out_.append(id);
  out_.append(')');
  return *this;
}

fetch_row& fetch_row::thread_id(std::optional<std::string_view> id) {
  if (!id) return ready("THREADID ", "NIL");
  label("THREADID (");
  out_.append(*id);
  out_.append(')');
  return *this;
}

fetch_row& fetch_row::save_date(std::optional<std::int64_t> seconds) {
  if (!seconds) return ready("SAVEDATE ", "NIL");
  label("SAVEDATE ");
  out_.date_time(*seconds);
  return *this;
}

fetch_row& fetch_row::preview(std::optional<std::string_view> text) {
  label("PREVIEW ");
  out_.nstring(text);
  return *this;
}

}  // namespace briefwerk::protocol::imap
