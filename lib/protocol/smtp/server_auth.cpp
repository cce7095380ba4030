// AUTH (RFC 4954). The machine carries the exchange and its base64; what the octets mean is the driver's.

#include <algorithm>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/protocol/smtp/server_session.hpp"
#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {
namespace {

bool equal_without_case(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, upper, upper);
}

}  // namespace

bool server_session::may_authenticate() const noexcept {
  return !options_.mechanisms.empty() && (tls_.has_value() || options_.auth_without_tls);
}

server_session::maybe_step server_session::run(const auth_command& auth) {
  const reply* refusal = nullptr;
  const auto mechanism = std::ranges::find_if(
      options_.mechanisms, [&auth](const std::string& name) { return equal_without_case(name, auth.mechanism); });
  if (options_.mechanisms.empty()) refusal = &replies::not_implemented;
  else if (!may_authenticate()) refusal = &replies::auth_needs_tls;
  else if (!said_hello_ || !extended_) refusal = &replies::hello_first;
  else if (authenticated_) refusal = &replies::auth_already;
  else if (in_transaction_) refusal = &replies::bad_sequence;  // RFC 4954 §4: not during a mail transaction
  else if (mechanism == options_.mechanisms.end()) refusal = &replies::auth_unknown_mechanism;
  if (refusal != nullptr) {
    put_error(*refusal);
    return std::nullopt;
  }
  has_response_ = auth.initial_response.has_value();
  if (has_response_) {
    // RFC 4954 §4: "=" is the empty initial response.
    auto decoded = base::base64_decode(*auth.initial_response == "=" ? std::string_view() : *auth.initial_response);
    if (!decoded) {
      put_error(replies::auth_bad_base64);
      return std::nullopt;
    }
    decoded_ = std::move(*decoded);
  }
  mechanism_ = *mechanism;
  first_auth_ = true;
  phase_ = phase::auth_ask;
  return std::nullopt;
}

server_session::maybe_step server_session::ask_auth() {
  if (!out_.empty()) return flush();
  phase_ = phase::auth_line;
  auth_question about{mechanism_, std::exchange(first_auth_, false), std::nullopt};
  if (has_response_) about.response = decoded_;
  return put_question(asked::auth, about);
}

server_session::maybe_step server_session::read_auth_line() {
  const reply* refusal = nullptr;
  switch (read_line()) {
    case line_state::incomplete:
      if (!out_.empty()) return flush();
      return need_bytes{};
    case line_state::too_long: refusal = &replies::auth_line_too_long; break;
    case line_state::bare: refusal = &replies::bare_line_end; break;
    case line_state::complete:
      if (line_ == "*") refusal = &replies::auth_cancelled;
      break;
  }
  if (refusal == nullptr) {
    auto decoded = base::base64_decode(line_);
    if (decoded) decoded_ = std::move(*decoded);
    else refusal = &replies::auth_bad_base64;
  }
  if (refusal != nullptr) {
    end_auth();
    put_error(*refusal);
    return std::nullopt;
  }
  if (final_auth_) {
    // RFC 4954 §4: the client answers the additional data of success with an empty response.
    asked_ = asked::auth;
    const bool empty = decoded_.empty();
    final_auth_ = false;
    answer(empty ? replies::auth_ok : replies::auth_failed);
    return std::nullopt;
  }
  has_response_ = true;
  phase_ = phase::auth_ask;
  return std::nullopt;
}

void server_session::answer(const auth_challenge& challenge) {
  if (std::exchange(asked_, asked::nothing) == asked::auth) put_challenge(challenge.data);
}

void server_session::answer(const auth_success& success) {
  if (asked_ != asked::auth) return;
  if (success.server_data.empty()) return answer(replies::auth_ok);
  asked_ = asked::nothing;
  final_auth_ = true;
  put_challenge(success.server_data);
}

void server_session::put_challenge(std::string_view data) {
  out_.append("334 ").append(base::base64_encode(data)).append("\r\n");
}

void server_session::answer_auth(const reply& decision) {
  end_auth();
  if (decision.is_positive()) {
    authenticated_ = true;
    return put(decision);
  }
  // 4xx says nothing about the peer; an accepting code other than 2xx makes no sense here.
  const reply& refusal = decision.is_accepting() ? replies::auth_unavailable : decision;
  if (refusal.is_permanent() && ++auth_failures_ >= options_.auth_failures) {
    put(replies::auth_too_many);
    return close_with(close_reason::too_many_errors);
  }
  put(refusal);
}

void server_session::end_auth() noexcept {
  phase_ = phase::commands;
  final_auth_ = false;
  std::ranges::fill(decoded_, '\0');
  decoded_.clear();
}

}  // namespace briefwerk::protocol::smtp
