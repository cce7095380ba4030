// Steps and answers of the machine. Reading is in session_input.cpp, commands that the session answers itself are in
// session_commands.cpp.

#include "briefwerk/protocol/imap/server_session.hpp"

#include <cassert>

#include "briefwerk/base/encoding.hpp"
#include "protocol/imap/session_work.hpp"

namespace briefwerk::protocol::imap {
namespace {

// Answers of pipelined commands are sent in portions of about this size.
constexpr std::size_t write_above = 65536;

}  // namespace

server_session::server_session(const server_options& options) : options_(options) {}
server_session::~server_session() = default;

server_session::work& server_session::working() {
  if (!work_) work_ = std::make_unique<work>();
  return *work_;
}

step server_session::next() {
  writing_.clear();
  if (!greeted_) put_greeting();
  for (;;) {
    if (drop_pending_) {
      drop_pending_ = false;
      return drop_message{};
    }
    if (cancel_pending_) {
      cancel_pending_ = false;
      return ask{auth_cancelled{}};
    }
    if (out_.size() > write_above) return write_out();
    if (auto found = proceed()) return *std::move(found);
  }
}

std::optional<step> server_session::proceed() {
  assert(asked_ == asked::nothing && "the question of the last step has no answer yet");
  switch (phase_) {
    case phase::commands: return read_command();
    case phase::auth: return read_auth();
    case phase::idling: return read_idle();
    case phase::message: return read_message();
    case phase::message_end: return read_message_end();
    case phase::append_steps: return next_append_step();
    case phase::skipping: return skip();
    case phase::tls_wait: return out_.empty() ? step(start_tls{}) : write_out();
    case phase::compression_wait:
      if (!out_.empty()) return write_out();
      phase_ = phase::commands;
      return start_compression{};
    case phase::closing:
      if (!out_.empty()) return write_out();
      phase_ = phase::closed;
      break;
    case phase::closed: break;
  }
  return close{close_reason_};
}

step server_session::write_out() {
  swap(static_cast<output_chain&>(out_), writing_);
  return write{writing_.pieces()};
}

std::span<const std::string_view> server_session::take_output() {
  writing_.clear();
  swap(static_cast<output_chain&>(out_), writing_);
  return writing_.pieces();
}

void server_session::output_sent() noexcept {
  writing_.clear();
  if (out_.empty()) swap(static_cast<output_chain&>(out_), writing_);
}

// All input is used. What a waiting session does not need is given back: most sessions wait most of the time.
step server_session::wait() {
  if (!out_.empty()) return write_out();
  const bool rests = !work_ || work_->is_idle();
  if ((phase_ == phase::idling || phase_ == phase::commands) && rests) {
    work_.reset();
    out_.release();
    writing_.release();
  }
  return need_bytes{.idling = phase_ == phase::idling, .between = phase_ == phase::commands && rests};
}

void server_session::feed(std::string_view bytes) noexcept { input_ = bytes; }

step server_session::put_question(asked kind, imap::question about) {
  asked_ = kind;
  return ask{std::move(about)};
}

void server_session::put_greeting() {
  greeted_ = true;
  const bool logged_in = state_ == session_state::authenticated;
  out_.append(logged_in ? "* PREAUTH " : "* OK ");
  out_.status_text("CAPABILITY " + capability_list(options_, {tls_, logged_in}), options_.greeting);
  login_pending_ = false;
}

void server_session::tagged(condition how, std::string_view code, std::string_view text) {
  out_.append(tag_);
  out_.append(how == condition::ok ? " OK " : how == condition::no ? " NO " : " BAD ");
  out_.status_text(code, text);
}

// A refusal by the session itself.
void server_session::refuse(const refusal& why) {
  tagged(why.how, why.code, why.text);
  if (messages_ != 0) drop_pending_ = true;
  if (++bad_commands_ >= options_.bad_commands) {
    return bye({}, "Too many bad commands", close_reason::too_many_bad_commands);
  }
  end_command();
}

void server_session::refuse(std::error_code why) {
  if (why == errc::bad_charset) return refuse({condition::no, codes::bad_charset, "Unknown charset"});
  if (why == errc::bad_event) return refuse({condition::no, codes::bad_event, "Unknown event"});
  const auto text = why.message();
  // The syntax is a mailbox's; only that there is none of that name (RFC 9051 §5.1).
  if (why == errc::bad_mailbox_name) return refuse({condition::no, codes::cannot, text});
  refuse({condition::bad, {}, text});
}

void server_session::end_command() {
  phase_ = phase::commands;
  asked_ = asked::nothing;
  octets_left_ = 0;
  messages_ = 0;
  replacing_ = false;
  if (!work_) return;
  work_->begin_line();
  work_->memory.clear();
}

void server_session::bye(std::string_view code, std::string_view text, close_reason why) {
  out_.append("* BYE ");
  out_.status_text(code, text);
  phase_ = phase::closing;
  asked_ = asked::nothing;
  state_ = session_state::logout;
  close_reason_ = why;
  input_ = {};
}

void server_session::abort(std::string_view code, std::string_view text) {
  if (phase_ == phase::closing || phase_ == phase::closed) return;
  if (!greeted_) greeted_ = true;
  bye(code, text, close_reason::aborted);
}

void server_session::complete(condition how, std::string_view code, std::string_view text) {
  const auto answered = asked_;
  const bool login = answered == asked::login || answered == asked::auth;
  const bool at_literal = (answered == asked::append_begin || answered == asked::append_url) &&
                          working().append.ends == append_arguments::stop::literal;
  if (at_literal && !working().mark.synchronising) {
    asked_ = asked::nothing;
    messages_ = 0;
    return refuse_after({how, code, text}, working().mark.size);
  }
  if (answered == asked::nothing) {
    // In the middle of a message: its rest is dropped first.
    if (phase_ == phase::message || phase_ == phase::message_end) refuse_after({how, code, text}, octets_left_);
    return;
  }
  if (how == condition::ok && login_pending_ && code.empty()) {
    const auto capabilities = "CAPABILITY " + capability_list(options_, {tls_, true});
    tagged(how, capabilities, text);
  } else {
    tagged(how, code, text);
  }
  login_pending_ = false;
  if (answered == asked::unauthenticate) forget_login();
  if (how == condition::ok) bad_commands_ = 0;
  end_command();
  if (login && how != condition::ok && ++auth_failures_ >= options_.auth_failures) {
    bye({}, "Too many failed logins", close_reason::too_many_auth_failures);
  }
}

void server_session::challenge(std::string_view data) {
  assert(asked_ == asked::auth);
  asked_ = asked::nothing;
  out_.append("+ ");
  out_.append(base::base64_encode(data));
  out_.crlf();
  phase_ = phase::auth;
  working().begin_line();
}

void server_session::continue_idle() {
  assert(asked_ == asked::idle);
  end_command();
  out_.append("+ idling\r\n");
  phase_ = phase::idling;
}

void server_session::authenticated() noexcept {
  state_ = session_state::authenticated;
  login_pending_ = true;
}

// RFC 8437 §3, §4.1: what the login and ENABLE brought is gone; TLS stays.
void server_session::forget_login() noexcept {
  state_ = session_state::not_authenticated;
  read_only_ = compressed_ = rev2_ = condstore_ = qresync_ = uid_only_ = utf8_accepted_ = false;
  out_.set_utf8(false);
  out_.set_uid_only(false);
}

void server_session::selected(bool read_only) noexcept {
  state_ = session_state::selected;
  read_only_ = read_only;
}

void server_session::unselected() noexcept {
  if (state_ == session_state::selected) state_ = session_state::authenticated;
}

// RFC 9051 §6.2.1: nothing that was received in the clear is used.
void server_session::tls_started() noexcept {
  tls_ = true;
  input_ = {};
  work_.reset();
  octets_left_ = 0;
  if (phase_ == phase::tls_wait) phase_ = phase::commands;
}

}  // namespace briefwerk::protocol::imap
