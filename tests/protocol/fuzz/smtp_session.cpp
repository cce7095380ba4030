// A server session: octets in pieces, answers as the input says. The first octet chooses the options, each further
// piece begins with an octet that gives its size and steers the answers.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "briefwerk/protocol/smtp/server_session.hpp"

namespace smtp = briefwerk::protocol::smtp;

namespace {

void answer(smtp::server_session& session, const smtp::question& about, std::uint8_t dice) {
  if (std::holds_alternative<smtp::auth_question>(about) && (dice & 3) == 1) return session.answer(smtp::auth_challenge{"go on"});
  if (std::holds_alternative<smtp::auth_question>(about) && (dice & 3) == 2) return session.answer(smtp::auth_success{"v=x"});
  if (dice % 11 == 3) return session.answer(smtp::replies::local_error);
  if (dice % 13 == 5) return session.answer(smtp::reply{550, {5, 7, 1}, std::string("no\r\nway\x80")});
  if (dice == 77) return session.answer(smtp::replies::shutting_down);
  if (std::holds_alternative<smtp::message_end_question>(about) && (dice & 1)) {
    const smtp::reply each[] = {smtp::replies::queued, smtp::replies::mailbox_full};
    return session.answer(each);
  }
  session.accept();
}

// Replies are lines of printable ASCII (or UTF-8 in a SMTPUTF8 transaction) with a code.
void check_output(std::string_view bytes) {
  if (!bytes.ends_with("\r\n")) std::abort();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto octet = static_cast<unsigned char>(bytes[i]);
    if (octet == '\r' && bytes[i + 1] != '\n') std::abort();
    if (octet == '\n' && bytes[i - 1] != '\r') std::abort();
    if (octet < 32 && octet != '\r' && octet != '\n' && octet != '\t') std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  smtp::server_options options;
  options.require_tls = data[0] & 1;
  options.auth_without_tls = data[0] & 2;
  options.require_auth = data[0] & 4;
  if (data[0] & 8) options.role = smtp::server_role::lmtp;
  if (data[0] & 16) options.mechanisms = {"PLAIN", "SCRAM-SHA-256"};
  options.offered.requiretls = data[0] & 32;
  options.message_size = 300;
  options.recipients = 3;
  options.bad_commands = 1000;

  smtp::server_session session(options);
  std::unique_ptr<char[]> block;
  std::size_t at = 1;
  std::uint8_t dice = data[0];
  std::uint64_t message = 0;
  bool open = false;  // between message_start_question and its end
  for (;;) {
    auto step = session.next();
    if (auto* out = std::get_if<smtp::write>(&step)) {
      check_output(out->bytes);
    } else if (std::holds_alternative<smtp::need_bytes>(step)) {
      if (at >= size) return 0;
      dice = data[at++];
      const std::size_t piece = std::min<std::size_t>(dice == 255 ? size : dice, size - at);
      block = std::make_unique<char[]>(piece);
      if (piece > 0) std::memcpy(block.get(), data + at, piece);
      at += piece;
      session.feed({block.get(), piece});
    } else if (auto* octets = std::get_if<smtp::message_data>(&step)) {
      if (!open || octets->bytes.empty()) std::abort();
      message += octets->bytes.size();
      if (message > options.message_size) std::abort();
      if (dice % 17 == 4) session.refuse_message(smtp::replies::no_space);
    } else if (std::holds_alternative<smtp::start_tls>(step)) {
      open = false;
      if (dice == 99) session.abort(smtp::replies::timed_out);
      else session.tls_started({"TLSv1.3", "X"});
    } else if (auto* q = std::get_if<smtp::ask>(&step)) {
      if (std::holds_alternative<smtp::message_start_question>(q->question)) {
        open = true;
        message = 0;
      }
      if (const auto* end = std::get_if<smtp::message_end_question>(&q->question)) {
        if (!open || end->size != message || end->recipients == 0) std::abort();
        open = false;
      }
      dice = static_cast<std::uint8_t>(dice * 31 + 7);
      answer(session, q->question, dice);
    } else if (std::holds_alternative<smtp::close>(step)) {
      return 0;
    }
  }
}
