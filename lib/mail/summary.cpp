#include "briefwerk/mail/summary.hpp"

#include "briefwerk/base/varint.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/body_structure.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/envelope.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"
#include "mail/preview.hpp"
#include "mail/subject.hpp"

namespace briefwerk::mail {
namespace {

constexpr std::size_t key_size = 512;        // octets of a sort key that are kept
constexpr std::size_t kept_references = 100;
constexpr std::size_t message_id_size = 998;

std::string cut(std::string text, std::size_t size = key_size) {
  text.resize(utf8_prefix(text, size));
  return text;
}

struct sort_keys {
  std::string mailbox;
  std::string display;
};

// RFC 5256 §3: the mailbox of the first address; RFC 5957 §3: its display name, else mailbox@host. Where a group stands
// first, its name is both: so ENVELOPE shows it (RFC 9051 §7.5.2).
sort_keys keys_of(std::string_view value) {
  if (value.empty()) return {};
  // The first address is wanted; lists of thousands are not read for it.
  for (const auto& address : parse_address_list(value.substr(0, 4096))) {
    if (address.kind == list_address::kind_type::group_end) continue;
    if (address.kind == list_address::kind_type::group_begin) {
      return {cut(casemap(guess_utf8(address.name))), cut(casemap(decode_text(address.name)))};
    }
    const auto local = guess_utf8(address.local);
    const auto name = decode_text(address.name);
    const auto display = !name.empty() ? name : address.domain.empty() ? local : local + '@' + guess_utf8(address.domain);
    return {cut(casemap(local)), cut(casemap(display))};
  }
  return {};
}

std::string first_id(std::string_view value) {
  auto ids = parse_message_ids(value, 1);
  return ids.empty() || ids.front().size() > message_id_size ? std::string{} : std::move(ids.front());
}

void thread_ids(message_summary& out, const header_block& header) {
  out.message_id = first_id(header.value("Message-ID"));
  out.in_reply_to = first_id(header.value("In-Reply-To"));
  auto& ids = out.references;
  ids = parse_message_ids(header.value("References"), 5000);
  std::erase_if(ids, [](const std::string& id) { return id.size() > message_id_size; });
  if (ids.empty() && !out.in_reply_to.empty()) ids.push_back(out.in_reply_to);
  // The first names the thread, the last ones the place in it.
  if (ids.size() > kept_references) ids.erase(ids.begin() + 1, ids.end() - (kept_references - 1));
}

bool is_attachment(const mime_tree& tree, const mime_part& part) {
  if (part.kind == part_kind::multipart) return false;
  auto value = tree.view(part.content_disposition);
  std::string_view disposition;
  if (read_token(value, disposition) && ascii::equals(disposition, "attachment")) return true;
  const bool has_name = [&] {
    std::string_view name, text;
    bool escaped = false;
    for (parameter_reader reader(value); reader.next(name, text, escaped);)
      if (ascii::starts_with(name, "filename")) return true;
    return false;
  }();
  if (part.kind == part_kind::message) return true;
  if (tree.is(part, "text")) return has_name;
  // Pictures that the text shows, and parts that serve the protocol, are no files.
  if (tree.is(part, "image")) return part.content_id.empty();
  if (tree.is(part, "message")) return false;
  for (const std::string_view subtype : {"pgp-signature", "pgp-encrypted", "pkcs7-signature", "x-pkcs7-signature"})
    if (tree.is(part, "application", subtype)) return false;
  return true;
}

bool has_attachment(const mime_tree& tree) {
  for (const auto& part : tree.parts()) {
    // What is inside an attached message is not counted: the message itself is.
    if (part.kind == part_kind::message && part.parent != no_part) return true;
    if (is_attachment(tree, part)) return true;
  }
  return false;
}

}  // namespace

message_summary summarise(const mime_tree& tree) {
  message_summary out;
  out.size = tree.raw().size();
  const auto header_text = tree.view(tree.root().header);
  const header_block header(header_text);
  append_envelope(out.envelope, header_text);
  append_body(out.body, tree);
  append_body_structure(out.body_structure, tree);
  if (const auto date = parse_date(header.value("Date"))) {
    out.sent = date->instant;
    out.sent_offset = static_cast<std::int16_t>(date->offset_minutes);
  }
  auto subject = base_subject(header.value("Subject"));
  out.base_subject = cut(casemap(subject.text));
  out.is_reply = subject.is_reply;
  thread_ids(out, header);
  auto from = keys_of(header.value("From"));
  auto to = keys_of(header.value("To"));
  out.from = std::move(from.mailbox);
  out.display_from = std::move(from.display);
  out.to = std::move(to.mailbox);
  out.display_to = std::move(to.display);
  out.cc = keys_of(header.value("Cc")).mailbox;
  out.has_attachment = has_attachment(tree);
  out.preview = preview(tree);
  return out;
}

message_summary summarise(std::string_view raw) {
  const mime_tree tree(raw);
  auto out = summarise(tree);
  out.size = raw.size();
  return out;
}

// Octets: version, flags, size, [sent, sent offset], then the strings in the order below, each with its length in
// front. Numbers are LEB128; sent is zigzag-coded.
namespace {

constexpr char version = 1;
enum : unsigned char { flag_reply = 1, flag_attachment = 2, flag_sent = 4 };

}  // namespace

void append_summary(std::string& out, const message_summary& summary) {
  out += version;
  out += static_cast<char>((summary.is_reply ? flag_reply : 0) | (summary.has_attachment ? flag_attachment : 0) |
                           (summary.sent ? flag_sent : 0));
  base::append_varint(out, summary.size);
  if (summary.sent) {
    base::append_varint(out, base::zigzag(summary.sent->time_since_epoch().count()));
    base::append_varint(out, base::zigzag(summary.sent_offset));
  }
  std::string references;
  for (const auto& id : summary.references) {
    references += std::string_view(id).substr(0, id.find('\0'));
    references += '\0';
  }
  for (const std::string* text :
       {&summary.envelope, &summary.body, &summary.body_structure, &summary.base_subject,
                                  &summary.message_id, &summary.in_reply_to, static_cast<const std::string*>(&references), &summary.from,
                                  &summary.to, &summary.cc, &summary.display_from, &summary.display_to,
                                  &summary.preview})
    base::append_varint_text(out, *text);
}

std::string encode_summary(const message_summary& summary) {
  std::string out;
  out.reserve(128 + summary.envelope.size() + summary.body.size() + summary.body_structure.size() +
              summary.preview.size());
  append_summary(out, summary);
  return out;
}

base::result<message_summary_view> view_summary(std::string_view octets) {
  using base::errc;
  using base::fail;
  if (octets.size() < 2) return fail(errc::corrupt);
  if (octets.front() != version) return fail(errc::unsupported);
  const auto flags = static_cast<unsigned char>(octets[1]);
  base::varint_reader in(octets.substr(2));
  message_summary_view out;
  out.is_reply = (flags & flag_reply) != 0;
  out.has_attachment = (flags & flag_attachment) != 0;
  out.size = in.number();
  if ((flags & flag_sent) != 0) {
    out.sent = std::chrono::sys_seconds(std::chrono::seconds(base::unzigzag(in.number())));
    const auto offset = base::unzigzag(in.number());
    if (offset < -1439 || offset > 1439) return fail(errc::corrupt);
    out.sent_offset = static_cast<std::int16_t>(offset);
  }
  for (std::string_view* text : {&out.envelope, &out.body, &out.body_structure, &out.base_subject, &out.message_id,
                                 &out.in_reply_to, &out.references, &out.from, &out.to, &out.cc, &out.display_from,
                                 &out.display_to, &out.preview})
    *text = in.text();
  if (!in.good()) return fail(errc::corrupt);
  return out;
}

std::string_view summary_envelope(std::string_view octets) noexcept {
  if (octets.size() < 2 || octets.front() != version) return {};
  base::varint_reader in(octets.substr(2));
  in.number();  // its size
  if ((static_cast<unsigned char>(octets[1]) & flag_sent) != 0) {
    in.number();
    in.number();
  }
  return in.text();
}

base::result<message_summary> decode_summary(std::string_view octets) {
  auto viewed = view_summary(octets);
  if (!viewed) return base::fail(viewed.error());
  message_summary out;
  out.size = viewed->size;
  out.envelope = viewed->envelope;
  out.body = viewed->body;
  out.body_structure = viewed->body_structure;
  out.sent = viewed->sent;
  out.sent_offset = viewed->sent_offset;
  out.base_subject = viewed->base_subject;
  out.is_reply = viewed->is_reply;
  out.message_id = viewed->message_id;
  out.in_reply_to = viewed->in_reply_to;
  viewed->for_each_reference([&](std::string_view id) { out.references.emplace_back(id); });
  out.from = viewed->from;
  out.to = viewed->to;
  out.cc = viewed->cc;
  out.display_from = viewed->display_from;
  out.display_to = viewed->display_to;
  out.has_attachment = viewed->has_attachment;
  out.preview = viewed->preview;
  return out;
}

}  // namespace briefwerk::mail
