#include "briefwerk/mail/address.hpp"
#include "briefwerk/protocol/smtp/command.hpp"

namespace briefwerk::protocol::smtp {
namespace {

bool to_address(const path& from, mail::mailbox_address& out) {
  if (from.domain.empty()) {
    out.local = from.local_part;
    return true;
  }
  auto parsed = mail::parse_mailbox(from.mailbox, mail::utf8::allow);
  if (!parsed) return false;
  out = std::move(*parsed);
  return true;
}

}  // namespace

bool add_sender(mail::smtp_envelope& envelope, const mail_command& mail) {
  envelope.sender.reset();
  if (!mail.from.is_null() && !to_address(mail.from, envelope.sender.emplace())) return false;
  envelope.envelope_id = mail.envid.value_or(std::string_view());
  envelope.ret = mail.ret;
  envelope.body = mail.body;
  envelope.smtputf8 = mail.smtputf8;
  envelope.announced_size = mail.size.value_or(0);
  envelope.require_tls = mail.requiretls;
  return true;
}

bool add_recipient(mail::smtp_envelope& envelope, const rcpt_command& rcpt) {
  mail::envelope_recipient recipient;
  if (!to_address(rcpt.to, recipient.address)) return false;
  recipient.original_recipient = rcpt.orcpt;
  recipient.notify_on = rcpt.notify_on;
  envelope.recipients.push_back(std::move(recipient));
  return true;
}

}  // namespace briefwerk::protocol::smtp
