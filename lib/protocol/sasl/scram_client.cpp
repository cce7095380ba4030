#include <charconv>

#include "briefwerk/base/encoding.hpp"
#include "protocol/sasl/scram.hpp"

namespace briefwerk::protocol::sasl {
namespace {

class scram_client final : public client_mechanism {
 public:
  scram_client(scram_client_setup setup, client_identity identity, const base::crypto& crypto)
      : setup_(std::move(setup)), identity_(std::move(identity)), crypto_(crypto) {}
  std::string_view name() const noexcept override { return scram_name(setup_.hash, setup_.binding.has_value()); }

  std::optional<std::string> start() override {
    state_ = state::first;
    if (setup_.binding)
      gs2_header_ = "p=" + setup_.binding->type;
    else
      gs2_header_ = setup_.could_bind ? "y" : "n";
    gs2_header_ += ',';
    if (!identity_.authzid.empty()) gs2_header_ += "a=" + escape_name(identity_.authzid);
    gs2_header_ += ',';
    first_bare_ = "n=" + escape_name(identity_.authcid) + ",r=" + setup_.nonce;
    return gs2_header_ + first_bare_;
  }

  base::result<std::string> response(std::string_view challenge) override {
    if (challenge.size() > base::limits::sasl_message) return wrong(errc::malformed_challenge);
    if (state_ == state::first) return server_first(challenge);
    if (state_ != state::final) return wrong(errc::unexpected_challenge);
    const auto verified = server_final(challenge);
    if (!verified) return base::fail(verified.error());
    return std::string();
  }

  base::status finish(std::optional<std::string_view> data) override {
    if (state_ == state::final && data && !data->empty()) {
      const auto verified = server_final(*data);
      if (!verified) return base::fail(verified.error());
      data.reset();
    }
    if (state_ != state::verified || (data && !data->empty())) return wrong(errc::unexpected_challenge);
    return {};
  }

 private:
  enum class state : std::uint8_t { begin, first, final, verified, ended };

  std::unexpected<std::error_code> wrong(errc why) {
    state_ = state::ended;
    return base::fail(why);
  }

  base::result<std::string> server_first(std::string_view message);
  base::result<std::string> prove(std::string_view nonce, const std::string& salt, std::uint32_t iterations,
                                  std::string_view server_first);
  base::status server_final(std::string_view message);

  scram_client_setup setup_;
  client_identity identity_;
  const base::crypto& crypto_;
  state state_ = state::begin;
  std::string gs2_header_, first_bare_, server_signature_;
};

// server-first-message = [reserved-mext ","] "r=" nonce "," "s=" base64 "," "i=" number ["," extensions]
base::result<std::string> scram_client::server_first(std::string_view message) {
  std::string_view rest = message;
  if (take_attribute(rest, 'e')) return wrong(errc::refused_by_server);
  const auto nonce = take_attribute(rest, 'r');
  const auto salt_text = nonce ? take_attribute(rest, 's') : std::nullopt;
  const auto number = salt_text ? take_attribute(rest, 'i') : std::nullopt;
  if (!number || !is_nonce(*nonce) || message.ends_with(',') || !are_extensions(rest))
    return wrong(errc::malformed_challenge);
  const auto salt = base::base64_decode(*salt_text);
  if (!salt || number->find_first_not_of("0123456789") != number->npos || number->starts_with('0'))
    return wrong(errc::malformed_challenge);
  // A server that adds nothing could replay an old exchange.
  if (!nonce->starts_with(setup_.nonce) || nonce->size() == setup_.nonce.size()) return wrong(errc::bad_nonce);
  std::uint32_t iterations = 0;
  const auto end = std::from_chars(number->data(), number->data() + number->size(), iterations);
  // Too few make the password cheap to guess for who listens, too many our processor the server's.
  if (end.ec != std::errc() || iterations < base::limits::scram_iterations_min ||
      iterations > base::limits::scram_iterations_max)
    return wrong(errc::iterations_out_of_bounds);
  return prove(*nonce, *salt, iterations, message);
}

base::result<std::string> scram_client::prove(std::string_view nonce, const std::string& salt, std::uint32_t iterations,
                                              std::string_view server_first) {
  const auto hash = setup_.hash;
  const std::string bound = gs2_header_ + (setup_.binding ? setup_.binding->data : std::string());
  std::string out = "c=" + base::base64_encode(bound) + ",r=" + std::string(nonce);
  const std::string spoken = first_bare_ + "," + std::string(server_first) + "," + out;
  const std::string salted = crypto_.pbkdf2(hash, identity_.password, salt, iterations, base::digest_size(hash));
  const std::string client_key = crypto_.hmac(hash, salted, "Client Key");
  const std::string signature = crypto_.hmac(hash, crypto_.hash(hash, client_key), spoken);
  server_signature_ = crypto_.hmac(hash, crypto_.hmac(hash, salted, "Server Key"), spoken);
  state_ = state::final;
  return out += ",p=" + base::base64_encode(exclusive_or(client_key, signature));
}

// server-final-message = ("e=" server-error-value / "v=" base64) ["," extensions]
base::status scram_client::server_final(std::string_view message) {
  std::string_view rest = message;
  if (take_attribute(rest, 'e')) return wrong(errc::refused_by_server);
  const auto text = take_attribute(rest, 'v');
  if (!text || message.ends_with(',') || !are_extensions(rest)) return wrong(errc::malformed_challenge);
  const auto signature = base::base64_decode(*text);
  if (!signature) return wrong(errc::malformed_challenge);
  if (!base::equal_in_constant_time(*signature, server_signature_)) return wrong(errc::server_not_authentic);
  state_ = state::verified;
  return {};
}

}  // namespace

std::unique_ptr<client_mechanism> make_scram_client(scram_client_setup setup, client_identity identity,
                                                    const base::crypto& crypto) {
  return std::make_unique<scram_client>(std::move(setup), std::move(identity), crypto);
}

}  // namespace briefwerk::protocol::sasl
