#include "server/smtp/edited_message.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/protocol/smtp/command.hpp"

namespace briefwerk::server {
namespace {

using mail::edit_kind;
using mail::message_edit;
namespace smtp = protocol::smtp;

bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

// One line of a value; the first stands behind the colon, others continue it.
void append_line(std::string& out, std::string_view line, bool first) {
  if (first) {
    out += line;
  } else if (line.find_first_not_of(" \t") != line.npos) {  // RFC 5322 §3.2.2: no line of folding is empty
    out += "\r\n";
    if (!is_space(line.front())) out += '\t';
    out += line;
  }
}

std::string folded(std::string_view value) {
  std::string made;
  bool first = true;
  while (!value.empty()) {
    const std::size_t end = std::min(value.find_first_of("\r\n"), value.size());
    append_line(made, value.substr(0, end), std::exchange(first, false));
    value.remove_prefix(std::min(end + 1, value.size()));
  }
  std::erase(made, '\0');
  return made;
}

}  // namespace

edited_message::edited_message(std::string_view message) {
  mail::header_reader reader(message);
  std::size_t end = 0;
  for (mail::header_field one; reader.next(one);) {
    const auto begin = static_cast<std::size_t>(one.whole.data() - message.data());
    if (begin != end) fields_.push_back({.original = message.substr(end, begin - end)});
    fields_.push_back({.original = one.whole, .name_size = one.name.size()});
    end = begin + one.whole.size();
  }
  header_size_ = reader.position();
  end_of_header_ = message.substr(end, header_size_ - end);
  body_ = message.substr(header_size_);
}

edited_message::field edited_message::made_of(std::string_view name, std::string_view value) {
  return {.text = std::string(name) + ":" + folded(value) + "\r\n", .name_size = name.size()};
}

void edited_message::apply(std::span<const message_edit> edits) {
  for (const message_edit& one : edits) apply(one);
}

void edited_message::apply(const message_edit& edit) {
  switch (edit.what) {
    case edit_kind::add_header: fields_.push_back(made_of(edit.name, edit.value)); break;
    case edit_kind::insert_header: insert(edit); break;
    case edit_kind::change_header: change(edit); break;
    case edit_kind::replace_body: new_body_ = edit.value; break;
    case edit_kind::renumber: std::erase_if(fields_, [](const field& one) { return one.gone; }); break;
    case edit_kind::change_sender:
    case edit_kind::add_recipient:
    case edit_kind::remove_recipient: break;
  }
}

void edited_message::insert(const message_edit& edit) {
  std::size_t left = edit.index;
  const auto at = std::ranges::find_if(fields_, [&left](const field& one) { return one.name_size != 0 && left-- == 0; });
  fields_.insert(at, made_of(edit.name, edit.value));
}

void edited_message::change(const message_edit& edit) {
  std::size_t left = std::max<std::size_t>(edit.index, 1);
  const auto found = std::ranges::find_if(fields_, [&](const field& one) {
    return one.name_size != 0 && mail::equals_ignoring_case(one.name(), edit.name) && --left == 0;
  });
  if (found == fields_.end()) {
    if (!edit.value.empty()) fields_.push_back(made_of(edit.name, edit.value));
  } else if (edit.value.empty()) {
    found->gone = true;
  } else {
    *found = made_of(edit.name, edit.value);
  }
}

void edited_message::remove_if(const std::function<bool(const mail::header_field&)>& which) {
  for (field& one : fields_) {
    if (one.name_size == 0 || one.original.empty() || one.gone) continue;
    mail::header_reader reader(one.original);
    mail::header_field read;
    if (reader.next(read) && which(read)) one.gone = true;
  }
}

void edited_message::for_each(const std::function<void(std::string_view, std::string_view)>& each) const {
  for (const field& one : fields_) {
    if (one.name_size == 0 || one.gone) continue;
    std::string_view rest = one.whole();
    rest.remove_prefix(rest.find(':') + 1);
    if (rest.ends_with('\n')) rest.remove_suffix(1);
    if (rest.ends_with('\r')) rest.remove_suffix(1);
    each(one.name(), rest);
  }
}

std::string edited_message::header() const {
  std::string made;
  for (const field& one : fields_) {
    if (one.gone) continue;
    made += one.whole();
    if (!made.ends_with('\n')) made += "\r\n";  // a message that ended inside its last field
  }
  made += end_of_header_.ends_with('\n') ? end_of_header_ : std::string_view("\r\n");
  return made;
}

namespace {

constexpr smtp::extensions all_extensions{.requiretls = true};

// What MAIL or RCPT would make of it.
std::optional<smtp::command> parsed(std::string_view command, const message_edit& edit, std::string& line) {
  line = std::string(command) + "<" + edit.name + ">";
  if (!edit.value.empty()) line += " " + edit.value;
  const bool utf8 = std::ranges::any_of(edit.name, [](char c) { return static_cast<unsigned char>(c) > 127; });
  if (utf8 && edit.what == edit_kind::change_sender) line += " SMTPUTF8";
  auto read = smtp::parse_command(line, all_extensions);
  if (!read) return std::nullopt;
  return *read;
}

bool change_sender(mail::smtp_envelope& envelope, const message_edit& edit) {
  std::string line;
  const auto read = parsed("MAIL FROM:", edit, line);
  const auto* command = read ? std::get_if<smtp::mail_command>(&*read) : nullptr;
  mail::smtp_envelope made;
  if (command == nullptr || !smtp::add_sender(made, *command)) return false;
  envelope.sender = std::move(made.sender);
  if (command->envid) envelope.envelope_id = std::move(made.envelope_id);
  if (made.ret != mail::return_content::not_given) envelope.ret = made.ret;
  envelope.smtputf8 = envelope.smtputf8 || command->from.utf8;
  return true;
}

bool is_same(const mail::envelope_recipient& one, std::string_view key) {
  return mail::equals_ignoring_case(mail::normalised_key(one.address), key);
}

bool add_recipient(mail::smtp_envelope& envelope, const message_edit& edit) {
  std::string line;
  const auto read = parsed("RCPT TO:", edit, line);
  const auto* command = read ? std::get_if<smtp::rcpt_command>(&*read) : nullptr;
  mail::smtp_envelope made;
  if (command == nullptr || command->to.domain.empty() || !smtp::add_recipient(made, *command)) return false;
  const std::string key = mail::normalised_key(made.recipients.front().address);
  if (std::ranges::any_of(envelope.recipients, [&](const auto& one) { return is_same(one, key); })) return true;
  envelope.recipients.push_back(std::move(made.recipients.front()));
  envelope.smtputf8 = envelope.smtputf8 || command->to.utf8;
  return true;
}

bool remove_recipient(mail::smtp_envelope& envelope, const message_edit& edit) {
  const auto address = mail::parse_mailbox(edit.name, mail::utf8::allow);
  if (!address) return false;
  const std::string key = mail::normalised_key(*address);
  std::erase_if(envelope.recipients, [&](const auto& one) { return is_same(one, key); });
  return true;
}

}  // namespace

bool apply(mail::smtp_envelope& envelope, const message_edit& edit) {
  switch (edit.what) {
    case edit_kind::change_sender: return change_sender(envelope, edit);
    case edit_kind::add_recipient: return add_recipient(envelope, edit);
    case edit_kind::remove_recipient: return remove_recipient(envelope, edit);
    default: return true;
  }
}

}  // namespace briefwerk::server
