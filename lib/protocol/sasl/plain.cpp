// PLAIN, RFC 4616.
//
//   message = [authzid] NUL authcid NUL passwd

#include "protocol/sasl/mechanisms.hpp"

namespace briefwerk::protocol::sasl {
namespace {

class plain_server final : public server_base {
 public:
  std::string_view name() const noexcept override { return "PLAIN"; }

  server_step response(std::string_view octets) override {
    if (state_ != state::begin) return end(failure::malformed);
    if (is_too_long(octets)) return end(failure::too_long);
    const std::size_t first = octets.find('\0');
    const std::size_t second = first == octets.npos ? octets.npos : octets.find('\0', first + 1);
    if (second == octets.npos || octets.find('\0', second + 1) != octets.npos) return end(failure::malformed);
    const std::string_view authzid = octets.substr(0, first);
    const std::string_view authcid = octets.substr(first + 1, second - first - 1);
    const std::string_view password = octets.substr(second + 1);
    if (authcid.empty() || password.empty()) return end(failure::malformed);

    authcid_ = authcid;
    auto name = saslprep(authcid);
    auto secret = saslprep(password);
    // RFC 4616 §2: verification fails where preparation does.
    if (!name || !secret) return end(failure::bad_credentials);
    authcid_ = *name;
    if (!authzid.empty()) {
      auto other = saslprep(authzid);
      if (!other) return end(failure::malformed);
      authzid_ = std::move(*other);
    }
    state_ = state::checking;
    return check_password{std::move(*name), std::move(*secret)};
  }

  server_step answer(password_answer verdict) override {
    if (state_ != state::checking) return end(failure::malformed);
    if (verdict == password_answer::unavailable) return end(failure::unavailable);
    if (verdict != password_answer::right) return end(failure::bad_credentials);
    state_ = state::ended;
    return done{authcid_, authzid_};
  }
  using server_base::answer;

 private:
  enum class state : std::uint8_t { begin, checking, ended };
  server_step end(failure why) {
    state_ = state::ended;
    return fail_with(why);
  }
  state state_ = state::begin;
};

class plain_client final : public client_mechanism {
 public:
  explicit plain_client(client_identity identity) : identity_(std::move(identity)) {}
  std::string_view name() const noexcept override { return "PLAIN"; }

  std::optional<std::string> start() override {
    started_ = true;
    std::string out = identity_.authzid;
    ((out += '\0') += identity_.authcid) += '\0';
    return out += identity_.password;
  }
  base::result<std::string> response(std::string_view) override { return base::fail(errc::unexpected_challenge); }
  base::status finish(std::optional<std::string_view>) override {
    if (!started_) return base::fail(errc::unexpected_challenge);
    return {};
  }

 private:
  client_identity identity_;
  bool started_ = false;
};

}  // namespace

std::unique_ptr<server_mechanism> make_plain_server() { return std::make_unique<plain_server>(); }
std::unique_ptr<client_mechanism> make_plain_client(client_identity identity) {
  return std::make_unique<plain_client>(std::move(identity));
}

}  // namespace briefwerk::protocol::sasl
