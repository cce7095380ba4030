#include "briefwerk/base/encoding.hpp"
#include "protocol/sasl/scram.hpp"

namespace briefwerk::protocol::sasl {
namespace {

class scram_server final : public server_base {
 public:
  scram_server(scram_server_setup setup, const base::crypto& crypto) : setup_(std::move(setup)), crypto_(crypto) {}
  std::string_view name() const noexcept override { return scram_name(setup_.hash, setup_.plus); }

  server_step response(std::string_view octets) override {
    if (is_too_long(octets)) return end(failure::too_long);
    switch (state_) {
      case state::begin: return client_first(octets);
      case state::proving: return client_final(octets);
      case state::acknowledging: return acknowledged(octets);
      case state::searching:
      case state::ended: break;
    }
    return end(failure::malformed);
  }

  server_step answer(credentials_answer found) override;
  using server_base::answer;

 private:
  enum class state : std::uint8_t { begin, searching, proving, acknowledging, ended };

  server_step end(failure why) {
    state_ = state::ended;
    return fail_with(why);
  }

  std::optional<failure> read_binding(std::string_view flag);
  server_step client_first(std::string_view message);
  server_step client_final(std::string_view message);
  server_step acknowledged(std::string_view octets);
  const scram_keys* usable(const credentials_answer& found) const;

  scram_server_setup setup_;
  const base::crypto& crypto_;
  state state_ = state::begin;
  std::string gs2_and_binding_;  // what c= must decode to
  std::string client_first_bare_, server_first_, nonce_;
  scram_keys keys_;
  bool known_ = false;
};

// gs2-cbind-flag = ("p=" cb-name) / "n" / "y"
std::optional<failure> scram_server::read_binding(std::string_view flag) {
  if (flag == "n" || flag == "y") {
    if (setup_.plus) return failure::malformed;  // RFC 5802 §6: -PLUS without binding
    // The client can bind and was told that we cannot: somebody changed our list of mechanisms.
    if (flag == "y" && setup_.plus_offered) return failure::channel_binding;
    return {};
  }
  if (!flag.starts_with("p=") || flag.size() < 3) return failure::malformed;
  if (!setup_.plus) return failure::malformed;
  for (const channel_binding& one : setup_.channel_bindings) {
    if (one.type != flag.substr(2)) continue;
    gs2_and_binding_ = one.data;
    return {};
  }
  return failure::channel_binding;
}

// gs2-header = gs2-cbind-flag "," [ "a=" saslname ] ","
// client-first-message-bare = [reserved-mext ","] "n=" saslname "," "r=" c-nonce ["," extensions]
server_step scram_server::client_first(std::string_view message) {
  const std::string_view whole = message;
  const std::string_view flag = take_part(message);
  if (const auto wrong = read_binding(flag)) return end(*wrong);
  if (message.starts_with("a=")) {
    const auto value = take_attribute(message, 'a');
    const auto plain = value ? unescape_name(*value) : std::nullopt;
    if (!plain) return end(failure::malformed);
    auto prepared = saslprep(*plain);
    if (!prepared) return end(failure::malformed);
    authzid_ = std::move(*prepared);
  } else if (message.starts_with(',')) {
    message.remove_prefix(1);
  } else {
    return end(failure::malformed);
  }
  const std::string_view header = whole.substr(0, whole.size() - message.size());
  if (!header.ends_with(',')) return end(failure::malformed);
  gs2_and_binding_.insert(0, header);

  client_first_bare_ = message;
  // m= would stand here: an extension that must be understood, and none is known.
  const auto user = take_attribute(message, 'n');
  const auto nonce = user ? take_attribute(message, 'r') : std::nullopt;
  if (!nonce || !is_nonce(*nonce) || client_first_bare_.ends_with(',') || !are_extensions(message))
    return end(failure::malformed);
  const auto plain = unescape_name(*user);
  if (!plain) return end(failure::malformed);
  authcid_ = *plain;
  auto prepared = saslprep(*plain);
  if (!prepared) return end(failure::bad_credentials);
  authcid_ = *prepared;
  nonce_ = std::string(*nonce) + setup_.nonce;
  state_ = state::searching;
  return find_credentials{std::move(*prepared)};
}

const scram_keys* scram_server::usable(const credentials_answer& found) const {
  if (found.what != credentials_answer::outcome::found) return nullptr;
  const auto& keys = setup_.hash == base::hash_kind::sha1 ? found.known.sha1 : found.known.sha256;
  const std::size_t size = base::digest_size(setup_.hash);
  if (!keys || keys->hash != setup_.hash || keys->stored_key.size() != size || keys->server_key.size() != size ||
      keys->salt.empty())
    return nullptr;
  return &*keys;
}

server_step scram_server::answer(credentials_answer found) {
  if (state_ != state::searching) return end(failure::malformed);
  if (found.what == credentials_answer::outcome::unavailable) return end(failure::unavailable);
  // Always made, so that the time does not tell who is known.
  keys_ = decoy_keys(crypto_, setup_.hash, setup_.decoy_secret, authcid_, setup_.decoy_iterations);
  if (const scram_keys* real = usable(found)) {
    keys_ = *real;
    known_ = true;
  }
  server_first_ = "r=" + nonce_ + ",s=" + base::base64_encode(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
  state_ = state::proving;
  return challenge{server_first_};
}

// client-final-message = "c=" base64 "," "r=" nonce ["," extensions] "," "p=" base64
server_step scram_server::client_final(std::string_view message) {
  const std::size_t proof_at = message.rfind(",p=");
  if (proof_at == message.npos) return end(failure::malformed);
  const std::string_view without_proof = message.substr(0, proof_at);
  const auto proof = base::base64_decode(message.substr(proof_at + 3));
  std::string_view rest = without_proof;
  const auto binding = take_attribute(rest, 'c');
  const auto nonce = binding ? take_attribute(rest, 'r') : std::nullopt;
  if (!proof || !nonce || without_proof.ends_with(',') || !are_extensions(rest) ||
      proof->size() != base::digest_size(setup_.hash))
    return end(failure::malformed);
  const auto bound = base::base64_decode(*binding);
  if (!bound) return end(failure::malformed);
  if (!base::equal_in_constant_time(*bound, gs2_and_binding_)) return end(failure::channel_binding);
  if (*nonce != nonce_) return end(failure::malformed);

  const std::string spoken = client_first_bare_ + "," + server_first_ + "," + std::string(without_proof);
  const std::string signature = crypto_.hmac(setup_.hash, keys_.stored_key, spoken);
  const std::string client_key = exclusive_or(*proof, signature);
  const bool right = base::equal_in_constant_time(crypto_.hash(setup_.hash, client_key), keys_.stored_key);
  if (!right || !known_) return end(failure::bad_credentials);
  state_ = state::acknowledging;
  return challenge{"v=" + base::base64_encode(crypto_.hmac(setup_.hash, keys_.server_key, spoken)), true};
}

server_step scram_server::acknowledged(std::string_view octets) {
  if (!octets.empty()) return end(failure::malformed);
  state_ = state::ended;
  return done{authcid_, authzid_};
}

}  // namespace

std::unique_ptr<server_mechanism> make_scram_server(scram_server_setup setup, const base::crypto& crypto) {
  return std::make_unique<scram_server>(std::move(setup), crypto);
}

}  // namespace briefwerk::protocol::sasl
