// LOGIN: never standardised (draft-murchison-sasl-login), still the only one that some clients know. The server asks
// for the name and then for the password; the prompts below are the ones that those clients wait for.

#include "protocol/sasl/mechanisms.hpp"

namespace briefwerk::protocol::sasl {
namespace {

class login_server final : public server_base {
 public:
  std::string_view name() const noexcept override { return "LOGIN"; }

  // An initial response, which the draft does not know, is the name; clients send it.
  server_step start(std::optional<std::string_view> initial) override {
    if (state_ != state::begin) return end(failure::malformed);
    state_ = state::naming;
    if (initial && !initial->empty()) return response(*initial);
    return challenge{"Username:"};
  }

  server_step response(std::string_view octets) override {
    if (is_too_long(octets)) return end(failure::too_long);
    if (state_ == state::naming) {
      if (octets.empty()) return end(failure::malformed);
      authcid_ = octets;
      state_ = state::proving;
      return challenge{"Password:"};
    }
    if (state_ != state::proving || octets.empty()) return end(failure::malformed);
    auto name = saslprep(authcid_);
    auto secret = saslprep(octets);
    if (!name || !secret) return end(failure::bad_credentials);
    authcid_ = *name;
    state_ = state::checking;
    return check_password{std::move(*name), std::move(*secret)};
  }

  server_step answer(password_answer verdict) override {
    if (state_ != state::checking) return end(failure::malformed);
    if (verdict == password_answer::unavailable) return end(failure::unavailable);
    if (verdict != password_answer::right) return end(failure::bad_credentials);
    state_ = state::ended;
    return done{authcid_, {}};
  }
  using server_base::answer;

 private:
  enum class state : std::uint8_t { begin, naming, proving, checking, ended };
  server_step end(failure why) {
    state_ = state::ended;
    return fail_with(why);
  }
  state state_ = state::begin;
};

class login_client final : public client_mechanism {
 public:
  explicit login_client(client_identity identity) : identity_(std::move(identity)) {}
  std::string_view name() const noexcept override { return "LOGIN"; }

  std::optional<std::string> start() override { return std::nullopt; }
  // The prompts' words differ from server to server; their order does not.
  base::result<std::string> response(std::string_view) override {
    if (answered_ >= 2) return base::fail(errc::unexpected_challenge);
    return ++answered_ == 1 ? identity_.authcid : identity_.password;
  }
  base::status finish(std::optional<std::string_view>) override {
    if (answered_ != 2) return base::fail(errc::unexpected_challenge);
    return {};
  }

 private:
  client_identity identity_;
  int answered_ = 0;
};

}  // namespace

std::unique_ptr<server_mechanism> make_login_server() { return std::make_unique<login_server>(); }
std::unique_ptr<client_mechanism> make_login_client(client_identity identity) {
  return std::make_unique<login_client>(std::move(identity));
}

}  // namespace briefwerk::protocol::sasl
