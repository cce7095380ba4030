#include "briefwerk/delivery/report.hpp"

#include <algorithm>
#include <chrono>

#include "briefwerk/base/random_id.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"
#include "briefwerk/protocol/smtp/command.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"

namespace briefwerk::delivery {

namespace smtp = protocol::smtp;

namespace {

constexpr std::size_t returned_at_most = 64 * 1024;

std::string_view action_name(report_action action) {
  switch (action) {
    case report_action::failed: return "failed";
    case report_action::delayed: return "delayed";
    case report_action::delivered: return "delivered";
    case report_action::relayed: return "relayed";
  }
  return "failed";
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 128; });
}

std::string date_of(std::chrono::sys_seconds when) { return mail::format_date({when, 0}); }

// RFC 3464 §2.3.4: the enhanced code of the last reply, where both are of one class (RFC 2034 §4), or the class that the
// action implies.
std::string status_of(const store::queue_recipient& recipient, report_action action) {
  const std::string_view reply = recipient.last_reply;
  std::size_t length = 0;
  if (reply.size() > 4) {
    const auto code = smtp::enhanced_code::parse_prefix(reply.substr(4), length);
    if (code && code->category == reply[0] - '0') return code->to_string();
  }
  switch (action) {
    case report_action::failed: return "5.0.0";
    case report_action::delayed: return "4.0.0";
    default: return "2.0.0";
  }
}

// Octets of the character that `text` begins with; 0 where it begins with none of UTF-8.
std::size_t character_size(std::string_view text) {
  for (std::size_t size = 1; size <= std::min<std::size_t>(text.size(), 4); ++size) {
    if (mail::is_valid_utf8(text.substr(0, size))) return size;
  }
  return 0;
}

// A peer's text in a report: one line, printable, in the charset of the part that it goes into.
std::string one_line(std::string_view text, bool utf8) {
  std::string clean;
  text = text.substr(0, 500);
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    const auto octet = static_cast<unsigned char>(text.front());
    if (octet < ' ' || octet == 127) clean += ' ';
    else if (size == 0 || (size > 1 && !utf8)) clean.append(std::max<std::size_t>(size, 1), '?');
    else clean += text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return clean;
}

std::string address_type(std::string_view address) {
  return (is_ascii(address) ? "rfc822; " : "utf-8; ") + std::string(address);
}

void append_delivery_status(std::string& out, const store::queue_item& item,
                            std::span<const reported_recipient> recipients, std::string_view hostname, bool utf8) {
  if (!item.envelope_id.empty()) {
    const auto plain = smtp::decode_xtext(item.envelope_id);
    mail::write_header_field(out, "Original-Envelope-Id", plain ? one_line(*plain, utf8) : item.envelope_id);
  }
  mail::write_header_field(out, "Reporting-MTA", "dns; " + std::string(hostname));
  mail::write_header_field(out, "Arrival-Date", date_of(std::chrono::sys_seconds(std::chrono::seconds(item.arrived))));
  for (const reported_recipient& one : recipients) {
    const store::queue_recipient& who = *one.recipient;
    out += "\r\n";
    if (const auto semicolon = who.original_recipient.find(';'); semicolon != std::string::npos) {
      // RFC 6533 §3: of the type utf-8 it may have come as it is.
      const std::string given = who.original_recipient.substr(semicolon + 1);
      mail::write_header_field(out, "Original-Recipient", who.original_recipient.substr(0, semicolon) + ";" +
                                                              one_line(smtp::decode_xtext(given).value_or(given), utf8));
    }
    mail::write_header_field(out, "Final-Recipient", address_type(who.address));
    mail::write_header_field(out, "Action", std::string(action_name(one.action)));
    mail::write_header_field(out, "Status", status_of(who, one.action));
    if (!who.last_host.empty()) mail::write_header_field(out, "Remote-MTA", "dns; " + one_line(who.last_host, utf8));
    if (!who.last_reply.empty()) mail::write_header_field(out, "Diagnostic-Code", "smtp; " + one_line(who.last_reply, utf8));
  }
}

std::string_view subject_for(report_action action) {
  switch (action) {
    case report_action::failed: return "Mail could not be delivered";
    case report_action::delayed: return "Mail is delayed";
    default: return "Mail was delivered";
  }
}

void append_explanation(std::string& out, std::span<const reported_recipient> recipients, std::string_view hostname) {
  out += "This is the mail server ";
  out += hostname;
  out += ".\r\n\r\n";
  for (const reported_recipient& one : recipients) {
    switch (one.action) {
      case report_action::failed: out += "Your message could not be delivered to\r\n"; break;
      case report_action::delayed: out += "Your message has not yet been delivered; there will be further attempts.\r\n"; break;
      case report_action::delivered: out += "Your message was delivered to\r\n"; break;
      case report_action::relayed: out += "Your message was passed on to a server that sends no reports\r\n"; break;
    }
    out += "    <" + one_line(one.recipient->address, true) + ">\r\n";
    if (!one.recipient->last_reply.empty()) {
      out += one.recipient->last_host.empty() ? "The reason:\r\n    "
                                              : "The answer of " + one_line(one.recipient->last_host, true) + ":\r\n    ";
      out += one_line(one.recipient->last_reply, true) + "\r\n";
    }
    out += "\r\n";
  }
}

// RFC 2045 §2.9. A report with such content in it could itself not be passed on by most servers, and would be lost.
bool is_binary(std::string_view text) {
  char before = 0;
  for (const char c : text) {
    if (c == '\0' || (c == '\n') != (before == '\r')) return true;
    before = c;
  }
  return before == '\r';
}

// Fields of the message as text: lines end in CRLF, no NUL.
std::string as_text(std::string_view octets) {
  std::string text;
  text.reserve(octets.size());
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const bool ends_line = octets.substr(i, 2) == "\r\n";
    if (ends_line) text += "\r\n", ++i;
    else text += octets[i] == '\0' || octets[i] == '\r' || octets[i] == '\n' ? ' ' : octets[i];
  }
  return text;
}

// Return-Path is of this server, not of the message that the sender knows.
std::string_view without_return_path(std::string_view original) {
  mail::header_reader reader(original);
  mail::header_field field;
  if (reader.next(field) && mail::equals_ignoring_case(field.name, "Return-Path")) {
    return original.substr(reader.position());
  }
  return original;
}

}  // namespace

bool wants_report(const store::queue_recipient& recipient, report_action action) noexcept {
  const std::uint8_t asked = recipient.notify;
  if (asked & mail::notify::never) return false;
  switch (action) {
    case report_action::failed: return asked == 0 || (asked & mail::notify::failure);
    case report_action::delayed: return asked == 0 || (asked & mail::notify::delay);
    default: return asked & mail::notify::success;
  }
}

std::string make_report(const store::queue_item& item, std::span<const reported_recipient> recipients,
                        std::string_view original, std::string_view hostname, base::wall_time now,
                        const base::crypto& crypto) {
  const bool failed = std::ranges::any_of(recipients, [](const auto& r) { return r.action == report_action::failed; });
  const report_action worst = failed ? report_action::failed : recipients.front().action;
  const bool utf8 = !is_ascii(item.sender) ||
                    std::ranges::any_of(recipients, [](const auto& r) {
                      return !is_ascii(r.recipient->address) || !is_ascii(r.recipient->original_recipient);
                    });
  // Octets above 127 anywhere, RFC 2045 §6.4: every part that contains them says so.
  const std::string_view eight_bit = "Content-Transfer-Encoding: 8bit\r\n";
  const std::string boundary = "=_" + base::random_id(crypto);
  std::string_view message = without_return_path(original);
  mail::header_reader reader(message);
  for (mail::header_field field; reader.next(field);) {
  }
  // RFC 8689 §5: REQUIRETLS is as RET=HDRS, whatever RET says.
  const bool full = failed && !item.require_tls && item.return_content != static_cast<std::uint8_t>(mail::return_content::headers) &&
                    message.size() <= returned_at_most && !is_binary(message);

  std::string out = "Return-Path: <>\r\n";
  mail::write_header_field(out, "Date", date_of(std::chrono::floor<std::chrono::seconds>(now)));
  mail::write_header_field(out, "From", "Mail Delivery System <postmaster@" + std::string(hostname) + ">");
  mail::write_header_field(out, "To", "<" + item.sender + ">");
  mail::write_header_field(out, "Subject", std::string(subject_for(worst)));
  mail::write_header_field(out, "Message-ID", "<" + base::random_id(crypto) + "@" + std::string(hostname) + ">");
  mail::write_header_field(out, "Auto-Submitted", "auto-replied");
  mail::write_header_field(out, "MIME-Version", "1.0");
  mail::write_header_field(out, "Content-Type",
                           "multipart/report; report-type=delivery-status; boundary=\"" + boundary + "\"");
  out += eight_bit;
  out += "\r\n--" + boundary + "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
  append_explanation(out, recipients, hostname);
  out += "--" + boundary + "\r\nContent-Type: message/" + (utf8 ? "global-delivery-status" : "delivery-status") + "\r\n";
  if (utf8) out += eight_bit;
  out += "\r\n";
  append_delivery_status(out, item, recipients, hostname, utf8);
  out += "\r\n--" + boundary + "\r\nContent-Type: ";
  const std::string returned = full ? std::string(message) : as_text(message.substr(0, std::min(reader.position(), returned_at_most)));
  if (full) out += item.smtputf8 ? "message/global\r\n" : "message/rfc822\r\n";
  else out += item.smtputf8 ? "message/global-headers\r\n" : "text/rfc822-headers\r\n";
  if (!is_ascii(returned)) out += eight_bit;
  out += "\r\n";
  out += returned;
  if (!out.ends_with("\r\n")) out += "\r\n";
  out += "--" + boundary + "--\r\n";
  return out;
}

}  // namespace briefwerk::delivery
