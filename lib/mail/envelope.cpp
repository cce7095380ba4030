#include "briefwerk/mail/envelope.hpp"

#include <array>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {

// RFC 9051 §9: quoted holds any 7-bit character but CR, LF and NUL; `"` and `\` escaped. A literal never holds NUL.
void append_imap_string(std::string& out, std::string_view value) {
  bool literal = false;
  bool nul = false;
  for (const char c : value) {
    literal = literal || c == '\r' || c == '\n' || ascii::is_8bit(c);
    nul = nul || c == '\0';
  }
  if (nul) {
    std::string without(value);
    std::erase(without, '\0');
    append_imap_string(out, without);
  } else if (literal) {
    out += '{';
    ascii::append_number(out, value.size());
    out += "}\r\n";
    out += value;
  } else {
    out += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
}

namespace {

void append_nstring(std::string& out, std::string_view value) {
  if (value.empty()) out += "NIL";
  else append_imap_string(out, value);
}

// RFC 9051 §7.5.2: (name source-route mailbox host). A group begins with NIL for the host and its name for the
// mailbox, and ends with NIL for both; so an address without host has an empty one.
void append_address(std::string& out, const list_address& address) {
  using kind = list_address::kind_type;
  out += '(';
  switch (address.kind) {
    case kind::group_begin:
      out += "NIL NIL ";
      append_imap_string(out, address.name);
      out += " NIL";
      break;
    case kind::group_end: out += "NIL NIL NIL NIL"; break;
    case kind::mailbox:
      append_nstring(out, address.name);
      out += ' ';
      append_nstring(out, address.route);
      out += ' ';
      append_imap_string(out, address.local);
      out += ' ';
      append_imap_string(out, address.domain);
      break;
  }
  out += ')';
}

enum field_index { date, subject, from, sender, reply_to, to, cc, bcc, in_reply_to, message_id, field_count };
constexpr std::array<std::string_view, field_count> field_names = {
    "date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"};

struct envelope_fields {
  // First of each name.
  std::array<std::string_view, field_count> values{};
  std::array<bool, field_count> present{};
  // Addresses of the second and later fields of one name, which follow those of the first.
  std::array<std::vector<std::string_view>, field_count> more;
};

envelope_fields collect(std::string_view block) {
  envelope_fields fields;
  header_reader reader(block);
  header_field field;
  while (reader.next(field)) {
    for (std::size_t i = 0; i < field_count; ++i) {
      if (field.name.size() != field_names[i].size() || !ascii::equals(field.name, field_names[i])) continue;
      if (fields.present[i]) {
        fields.more[i].push_back(field.value);
      } else {
        fields.values[i] = field.value;
        fields.present[i] = true;
      }
      break;
    }
  }
  return fields;
}

void append_addresses(std::string& out, const envelope_fields& fields, field_index which) {
  const auto start = out.size();
  const auto add = [&](std::string_view value) {
    for (const auto& address : parse_address_list(value)) {
      if (out.size() == start) out += '(';
      append_address(out, address);
    }
  };
  add(fields.values[which]);
  for (const auto& value : fields.more[which]) add(value);
  out += out.size() == start ? "NIL" : ")";
}

void append_text(std::string& out, const envelope_fields& fields, field_index which) {
  if (fields.present[which]) append_imap_string(out, unfold(fields.values[which]));
  else out += "NIL";
}

}  // namespace

void append_envelope(std::string& out, std::string_view header_block) {
  const auto fields = collect(header_block);
  out += '(';
  append_text(out, fields, date);
  out += ' ';
  append_text(out, fields, subject);
  out += ' ';
  const auto from_at = out.size();
  append_addresses(out, fields, from);
  const auto from_text = out.substr(from_at);
  for (const auto which : {sender, reply_to}) {
    out += ' ';
    const auto at = out.size();
    append_addresses(out, fields, which);
    // RFC 9051 §7.5.2: sender and reply-to default to from where they are absent or empty.
    if (out.compare(at, out.npos, "NIL") == 0) out.replace(at, out.npos, from_text);
  }
  for (const auto which : {to, cc, bcc}) {
    out += ' ';
    append_addresses(out, fields, which);
  }
  for (const auto which : {in_reply_to, message_id}) {
    out += ' ';
    append_text(out, fields, which);
  }
  out += ')';
}

}  // namespace briefwerk::mail
