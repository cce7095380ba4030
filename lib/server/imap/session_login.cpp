#include "session.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

session::login_state& session::login() {
  if (login_) return *login_;
  login_ = std::make_unique<login_state>();
  if (machine_.is_tls()) {
    if (auto exported = stream_.tls_exporter()) login_->exporter = std::move(*exported);
    if (auto end_point = stream_.tls_server_end_point()) login_->end_point = std::move(*end_point);
  }
  login_->origin = {.peer = stream_.peer(), .service = options().name, .session_id = id_, .tls = machine_.is_tls(),
                    .tls_exporter = login_->exporter, .tls_server_end_point = login_->end_point};
  return *login_;
}

base::task<void> session::authenticate(const wire::auth_question& question) {
  auto& state = login();
  const std::string mechanism(question.mechanism);
  if (question.first) {
    state.succeeded.reset();
    state.exchange = options().logins->start(mechanism, state.origin);
  }
  if (state.succeeded) {  // the empty answer to what came with success
    const auth_result who = std::move(*state.succeeded);
    logged_in(who, mechanism);
    co_return;
  }
  if (!state.exchange) {
    machine_.complete(condition::no, codes::cannot, "Mechanism is not available here");
    co_return;
  }
  auto result = co_await state.exchange->respond(question.response);
  if (result.what == auth_result::kind::challenge) {
    machine_.challenge(result.data);
  } else if (result.what == auth_result::kind::success) {
    if (result.data.empty()) {
      logged_in(result, mechanism);
    } else {
      machine_.challenge(result.data);
      state.succeeded = std::move(result);
    }
  } else {
    refuse_login(result, mechanism);
  }
}

base::task<void> session::run(const wire::login_command& command) {
  auto& state = login();
  const auto result = co_await options().logins->check_password(command.user, command.password, state.origin);
  if (result.what == auth_result::kind::success)
    logged_in(result, "LOGIN command");
  else
    refuse_login(result, "LOGIN command");
}

void session::logged_in(const auth_result& who, std::string_view mechanism) {
  account_ = who.account;
  login_name_ = who.login;
  if (service_.counted.logins != nullptr) service_.counted.logins->add();
  options().log->log(base::log_level::info, options().name + ".login.accepted",
                     {{"session", id_}, {"peer", stream_.peer().address.to_string()}, {"login", who.login},
                      {"mechanism", mechanism}, {"tls", machine_.is_tls()}});
  machine_.authenticated();
  machine_.complete(condition::ok, "", "Logged in");
  login_.reset();
}

void session::refuse_login(const auth_result& why, std::string_view mechanism) {
  if (service_.counted.failed_logins != nullptr) service_.counted.failed_logins->add();
  const bool unavailable = why.what == auth_result::kind::unavailable;
  options().log->log(base::log_level::info, options().name + ".login.refused",
                     {{"session", id_}, {"peer", stream_.peer().address.to_string()}, {"login", why.login},
                      {"mechanism", mechanism}, {"temporary", unavailable}});
  login_->exchange.reset();
  if (why.what == auth_result::kind::banned) {
    // Not as a wrong password: the client would ask its user for another.
    machine_.complete(condition::no, codes::unavailable, "Too many failed logins from this address");
    machine_.abort(codes::alert, "Too many failed logins from this address: try again later");
  } else if (unavailable)
    machine_.complete(condition::no, codes::unavailable, "Logins are not possible now");
  else
    machine_.complete(condition::no, codes::authentication_failed, "Name or password is wrong");
}

}  // namespace briefwerk::server::imap
