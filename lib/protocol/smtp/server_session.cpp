#include "briefwerk/protocol/smtp/server_session.hpp"

#include <charconv>

namespace briefwerk::protocol::smtp {
namespace {

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

}  // namespace

server_session::server_session(const server_options& options) noexcept : options_(options) {}

server_step server_session::next() {
  if (!greeted_) {
    greeted_ = true;
    return put_question(asked::connect, connect_question{});
  }
  if (std::exchange(drop_pending_, false)) return drop_message{};
  if (std::exchange(reset_pending_, false)) return reset{std::exchange(refusal_, std::nullopt)};
  for (;;) {
    maybe_step step;
    switch (phase_) {
      case phase::commands: step = read_command(); break;
      case phase::data: step = read_data(); break;
      case phase::chunk: step = read_chunk(); break;
      case phase::message_complete: step = ask_message_end(); break;
      case phase::auth_ask: step = ask_auth(); break;
      case phase::auth_line: step = read_auth_line(); break;
      case phase::tls_ready:
        if (!out_.empty()) return flush();
        phase_ = phase::tls_wait;
        return start_tls{};
      case phase::tls_wait: close_with(close_reason::out_of_step); break;
      case phase::closing:
        if (!out_.empty()) return flush();
        phase_ = phase::closed;
        break;
      case phase::closed: return close{close_reason_};
    }
    // What a command left to say comes before what it asks next.
    if (drop_pending_ && !step) {
      drop_pending_ = false;
      return drop_message{};
    }
    if (reset_pending_ && !step) {
      reset_pending_ = false;
      return reset{std::exchange(refusal_, std::nullopt)};
    }
    if (step) return std::move(*step);
  }
}

void server_session::feed(std::string_view bytes) noexcept {
  if (phase_ != phase::tls_ready && phase_ != phase::tls_wait) input_ = bytes;
}

void server_session::answer(const reply& decision) {
  const asked about = std::exchange(asked_, asked::nothing);
  switch (about) {
    case asked::nothing: return;
    case asked::connect:
      if (decision.is_accepting()) return put_greeting();
      refused_connection_ = true;
      break;
    case asked::hello: return answer_hello(decision);
    case asked::auth: return answer_auth(decision);
    case asked::mail: return answer_mail(decision);
    case asked::rcpt:
      if (decision.is_accepting()) ++recipients_;
      break;
    case asked::message_start: return answer_message_start(decision);
    case asked::message_end:
      put_final(decision);
      return end_message();
    case asked::verify: break;
  }
  put(decision);
}

void server_session::answer(std::span<const reply> decisions) {
  if (asked_ != asked::message_end || decisions.size() <= 1) {
    return answer(decisions.empty() ? replies::local_error : decisions.front());
  }
  asked_ = asked::nothing;
  // RFC 2033 §4.2: as many replies as recipients, whatever the driver gave.
  const std::size_t count = options_.role == server_role::lmtp ? recipients_ : 1;
  for (std::size_t i = 0; i < count; ++i) put(i < decisions.size() ? decisions[i] : replies::local_error);
  end_message();
}

void server_session::accept() {
  switch (asked_) {
    case asked::nothing: return;
    case asked::auth: return answer(auth_success{});
    case asked::mail: return answer(replies::sender_ok);
    case asked::rcpt: return answer(replies::recipient_ok);
    case asked::message_start: return answer(replies::start_data);
    case asked::message_end: return answer(replies::queued);
    case asked::verify: return answer(replies::cannot_verify);
    case asked::connect:
    case asked::hello: return answer(replies::ok);
  }
}

void server_session::tls_started(tls_info info) {
  // RFC 3207 §4.2: all knowledge from before is discarded, and with it what was pipelined behind STARTTLS.
  input_ = {};
  partial_.clear();
  line_ = {};
  line_in_partial_ = skipping_line_ = false;
  said_hello_ = extended_ = authenticated_ = false;
  hello_name_.clear();
  if (in_transaction_) abandon_transaction();
  tls_ = std::move(info);
  phase_ = phase::commands;
}

void server_session::abort(const reply& farewell) {
  asked_ = asked::nothing;
  input_ = {};
  // Between the reply to STARTTLS and the end of the handshake nothing may be said in the clear.
  if (phase_ != phase::tls_wait && phase_ != phase::closed) append_reply(out_, farewell);
  close_with(close_reason::refused);
}

server_step server_session::flush() {
  writing_.clear();
  std::swap(writing_, out_);
  return write{writing_};
}

server_step server_session::put_question(asked kind, smtp::question about) {
  asked_ = kind;
  return ask{std::move(about)};
}

void server_session::put(const reply& value) {
  append_reply(out_, value, smtputf8_);
  if (value.code == 421) close_with(close_reason::refused);
}

void server_session::put_error(const reply& value) {
  if (++bad_commands_ < options_.bad_commands) return put(value);
  put(replies::too_many_bad_commands);
  close_with(close_reason::too_many_errors);
}

void server_session::put_greeting() {
  out_.append("220 ").append(options_.hostname).append(options_.role == server_role::lmtp ? " LMTP " : " ESMTP ");
  out_.append(options_.greeting).append("\r\n");
}

void server_session::answer_hello(const reply& decision) {
  if (!decision.is_accepting()) return put(decision);
  // RFC 5321 §4.1.4: EHLO acts as RSET too.
  if (in_transaction_) abandon_transaction();
  hello_name_ = asked_name_;
  said_hello_ = true;
  extended_ = asked_hello_ != hello_kind::helo;
  if (extended_) return put_capabilities();
  out_.append("250 ").append(options_.hostname).append("\r\n");
}

void server_session::put_capabilities() {
  const extensions& offered = options_.offered;
  const auto line = [this](std::string_view text) { out_.append("250-").append(text).append("\r\n"); };
  line(options_.hostname);
  if (offered.pipelining) line("PIPELINING");
  if (offered.size) {
    out_.append("250-SIZE");
    if (options_.message_size > 0) {
      out_.push_back(' ');
      append_number(out_, options_.message_size);
    }
    out_.append("\r\n");
  }
  if (offered.eightbitmime) line("8BITMIME");
  if (offered.smtputf8) line("SMTPUTF8");
  if (offered.dsn) line("DSN");
  if (offered.chunking) line("CHUNKING");
  if (offered.chunking && offered.binarymime) line("BINARYMIME");
  if (options_.offer_starttls && !tls_) line("STARTTLS");
  if (offered.requiretls && tls_) line("REQUIRETLS");  // RFC 8689 §2: only inside TLS
  if (may_authenticate() && !authenticated_) {
    out_.append("250-AUTH");
    for (const auto& mechanism : options_.mechanisms) out_.append(" ").append(mechanism);
    out_.append("\r\n");
  }
  if (offered.limits) {
    out_.append("250-LIMITS RCPTMAX=");
    append_number(out_, options_.recipients);
    out_.append(" MAILMAX=");
    append_number(out_, options_.transactions);
    out_.append("\r\n");
  }
  out_.append("250 ENHANCEDSTATUSCODES\r\n");
}

void server_session::close_with(close_reason why) noexcept {
  if (phase_ == phase::closed) return;
  close_reason_ = why;
  phase_ = phase::closing;
}

void server_session::end_transaction() noexcept {
  in_transaction_ = in_message_ = chunking_ = chunk_failed_ = smtputf8_ = false;
  body_ = mail::body_kind::seven_bit;
  refusal_.reset();
  recipients_ = 0;
  message_octets_ = declared_size_ = 0;
}

void server_session::abandon_transaction() noexcept {
  if (in_message_ && !refusal_ && !chunk_failed_) drop_pending_ = true;
  end_transaction();
  reset_pending_ = true;
}

}  // namespace briefwerk::protocol::smtp
