// The connection: greeting, EHLO, STARTTLS, AUTH, QUIT, and the loop.

#include "briefwerk/protocol/smtp/client_session.hpp"

#include "briefwerk/base/encoding.hpp"

namespace briefwerk::protocol::smtp {

client_session::client_session(const client_options& options)
    : options_(options), tls_(options.tls == tls_policy::active) {
  flight_.push_back({expected::greeting});
}

client_step client_session::next() {
  for (;;) {
    switch (phase_) {
      case phase::talking:
        if (auto step = talk()) return std::move(*step);
        break;
      case phase::tls_ready:
        phase_ = phase::tls_wait;
        return start_tls{};
      case phase::tls_wait: fail(replies::tls_refused, outcome_stage::tls); break;
      case phase::login_choice:
        return choose_login{offered_.mechanisms, login_refusal_ ? &*login_refusal_ : nullptr};
      case phase::challenge: return login_challenge{decoded_};
      case phase::ready: return ready{};
      case phase::closing:
        if (std::exchange(report_, false)) return finished{};
        if (!out_.empty()) return flush();
        phase_ = phase::closed;
        break;
      case phase::closed: return close{close_reason_};
    }
  }
}

std::optional<client_step> client_session::talk() {
  if (std::exchange(report_, false)) {
    phase_ = phase::ready;
    return finished{};
  }
  if (!direct_.empty()) {
    if (!out_.empty()) return flush();
    return write{std::exchange(direct_, {})};
  }
  while (awaits_reply() && !input_.empty()) {
    const auto used = parser_.feed(input_);
    if (!used) {
      fail(replies::protocol_error, waiting_for());
      return std::nullopt;
    }
    input_.remove_prefix(*used);
    if (!parser_.complete()) break;
    handle_reply();
    if (phase_ != phase::talking) return std::nullopt;
  }
  pump();
  if (report_) return std::nullopt;
  if (progress_ == progress::body) return pump_body();
  if (!out_.empty()) return flush();
  return need_bytes{};
}

void client_session::handle_reply() {
  const outcome_stage stage = waiting_for();
  const in_flight about = flight_[next_reply_++];
  if (!awaits_reply()) {
    flight_.clear();
    next_reply_ = 0;
  }
  const reply got = about.what == expected::ehlo ? parser_.take_raw() : parser_.take();
  // RFC 5321 §3.8: the server is going away, whatever it was asked.
  if (got.code == 421 && about.what != expected::quit) return fail(got, stage);
  dispatch(about, got);
}

void client_session::dispatch(const in_flight& about, const reply& got) {
  switch (about.what) {
    case expected::greeting:
      greeting_ = got;
      return got.is_positive() ? put_hello(true) : fail(got, outcome_stage::connection);
    case expected::ehlo:
    case expected::helo: return on_hello(got, about.what);
    case expected::starttls: return on_starttls(got);
    case expected::auth: return on_auth(got);
    case expected::rset: return got.is_positive() ? void() : fail(got, outcome_stage::mail);
    case expected::mail: return on_mail(got);
    case expected::rcpt: return on_rcpt(got, about.recipient);
    case expected::data: return on_data(got);
    case expected::chunk: return on_chunk(got);
    case expected::end_of_data: return on_end_of_data(got);
    case expected::quit: phase_ = phase::closing; return;
  }
}

void client_session::feed(std::string_view bytes) noexcept {
  if (phase_ != phase::tls_ready && phase_ != phase::tls_wait) input_ = bytes;
}

void client_session::put_hello(bool extended) {
  out_.append(options_.lmtp ? "LHLO " : extended ? "EHLO " : "HELO ");
  say(options_.hostname, extended ? expected::ehlo : expected::helo);
}

void client_session::on_hello(const reply& got, expected what) {
  if (got.is_positive()) {
    offered_ = what == expected::ehlo ? capabilities::parse(got.text.view()) : capabilities{};
    return after_hello();
  }
  // RFC 5321 §3.2: HELO where EHLO is not known. LMTP has nothing to fall back on.
  if (what == expected::ehlo && got.is_permanent() && !options_.lmtp) return put_hello(false);
  fail(got, outcome_stage::hello);
}

void client_session::after_hello() {
  if (!tls_ && options_.tls != tls_policy::never) {
    if (offered_.starttls && !tls_refused_) return say("STARTTLS", expected::starttls);
    if (options_.tls == tls_policy::required) return fail(replies::tls_not_offered, outcome_stage::tls);
  }
  if (!options_.log_in) {
    phase_ = phase::ready;
  } else if (tls_ || options_.login_without_tls) {
    phase_ = phase::login_choice;
  } else {
    fail(replies::tls_not_offered, outcome_stage::login);
  }
}

void client_session::on_starttls(const reply& got) {
  if (got.is_positive()) {
    // RFC 3207 §4.2, §6: what came behind the reply came in the clear, from anyone.
    input_ = {};
    parser_ = reply_parser();
    phase_ = phase::tls_ready;
    return;
  }
  if (options_.tls == tls_policy::required) return fail(replies::tls_refused, outcome_stage::tls);
  tls_refused_ = true;
  after_hello();
}

void client_session::tls_started() {
  input_ = {};
  parser_ = reply_parser();
  tls_ = true;
  offered_ = capabilities{};
  phase_ = phase::talking;
  put_hello(true);
}

void client_session::log_in(std::string_view mechanism, std::optional<std::string_view> initial_response) {
  if (phase_ != phase::login_choice) return;
  phase_ = phase::talking;
  out_.append("AUTH ").append(mechanism);
  // RFC 4954 §4: the empty initial response is "=".
  if (initial_response) out_.append(" ").append(initial_response->empty() ? "=" : base::base64_encode(*initial_response));
  say({}, expected::auth);
}

void client_session::respond(std::string_view data) {
  if (phase_ != phase::challenge) return;
  phase_ = phase::talking;
  say(base::base64_encode(data), expected::auth);
}

void client_session::cancel_login() {
  if (phase_ != phase::challenge) return;
  phase_ = phase::talking;
  say("*", expected::auth);
}

void client_session::skip_login() noexcept {
  if (phase_ == phase::login_choice) phase_ = phase::ready;
}

void client_session::on_auth(const reply& got) {
  if (got.is_intermediate()) {
    auto decoded = base::base64_decode(got.text.view());
    if (!decoded) return say("*", expected::auth);
    decoded_ = std::move(*decoded);
    phase_ = phase::challenge;
  } else if (got.is_positive()) {
    login_refusal_.reset();
    phase_ = phase::ready;
  } else {
    login_refusal_ = got;
    phase_ = phase::login_choice;
  }
}

void client_session::quit() {
  if (phase_ != phase::ready && phase_ != phase::login_choice) return;
  phase_ = phase::talking;
  say("QUIT", expected::quit);
}

void client_session::connection_lost(const reply& why) {
  out_.clear();
  direct_ = {};
  fail(why, waiting_for());
  out_.clear();
}

void client_session::cut_off(std::string_view said) {
  const bool writing = progress_ == progress::body || waiting_for() == outcome_stage::end_of_data;
  reply_parser parser;
  if (!writing || chunking_ || !parser.feed(said) || !parser.complete()) return connection_lost();
  const reply got = parser.take();
  if (got.is_accepting()) return connection_lost();
  out_.clear();
  direct_ = {};
  fail(got, outcome_stage::data);
  out_.clear();
}

client_step client_session::flush() {
  writing_.clear();
  std::swap(writing_, out_);
  return write{writing_};
}

void client_session::say(std::string_view line, expected what, std::size_t recipient) {
  out_.append(line).append("\r\n");
  flight_.push_back({what, recipient});
}

// Nothing more can be done on this connection. Recipients without an outcome get this one.
void client_session::fail(const reply& why, outcome_stage stage) {
  if (phase_ == phase::closed || phase_ == phase::closing) return;
  if (progress_ != progress::none) {
    settle_all(why, stage);
    progress_ = progress::none;
    report_ = true;
  }
  // QUIT is due before the first message; inside a transaction the server may take it for something else.
  const bool polite = why.code != 421 && phase_ == phase::talking && !report_;
  failure_ = why;
  failure_stage_ = stage;
  close_reason_ = &why == &replies::protocol_error ? close_reason::out_of_step : close_reason::refused;
  phase_ = phase::closing;
  out_.clear();
  direct_ = {};
  flight_.clear();
  next_reply_ = 0;
  if (polite) out_.append("QUIT\r\n");
}

outcome_stage client_session::waiting_for() const noexcept {
  if (!awaits_reply()) return progress_ == progress::body ? outcome_stage::data : outcome_stage::connection;
  switch (flight_[next_reply_].what) {
    case expected::greeting: return outcome_stage::connection;
    case expected::ehlo:
    case expected::helo: return outcome_stage::hello;
    case expected::starttls: return outcome_stage::tls;
    case expected::auth: return outcome_stage::login;
    case expected::rset:
    case expected::mail: return outcome_stage::mail;
    case expected::rcpt: return outcome_stage::rcpt;
    case expected::data:
    case expected::chunk: return outcome_stage::data;
    case expected::end_of_data: return outcome_stage::end_of_data;
    case expected::quit: return outcome_stage::connection;
  }
  return outcome_stage::connection;
}

}  // namespace briefwerk::protocol::smtp
