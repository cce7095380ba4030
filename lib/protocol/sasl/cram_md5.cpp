// CRAM-MD5, RFC 2195: the server sends a text that never came before, the client its name, a space and the HMAC-MD5
// of the text under the password in lower-case hexadecimal.

#include "briefwerk/base/encoding.hpp"
#include "protocol/sasl/mechanisms.hpp"

namespace briefwerk::protocol::sasl {
namespace {

using base::hash_kind;

class cram_md5_server final : public server_base {
 public:
  cram_md5_server(std::string text, std::string decoy_secret, const base::crypto& crypto)
      : text_("<" + std::move(text) + ">"), decoy_secret_(std::move(decoy_secret)), crypto_(crypto) {}
  std::string_view name() const noexcept override { return "CRAM-MD5"; }

  // RFC 4954 §4: an initial response to a mechanism whose server speaks first is an error.
  server_step start(std::optional<std::string_view> initial) override {
    if (state_ != state::begin || initial) return end(failure::malformed);
    state_ = state::proving;
    return challenge{text_};
  }

  server_step response(std::string_view octets) override {
    if (state_ != state::proving) return end(failure::malformed);
    if (is_too_long(octets)) return end(failure::too_long);
    const std::size_t space = octets.rfind(' ');
    if (space == octets.npos || space == 0) return end(failure::malformed);
    digest_ = octets.substr(space + 1);
    authcid_ = octets.substr(0, space);
    if (digest_.size() != 32 || digest_.find_first_not_of("0123456789abcdef") != digest_.npos)
      return end(failure::malformed);
    auto name = saslprep(authcid_);
    if (!name) return end(failure::bad_credentials);
    authcid_ = *name;
    state_ = state::searching;
    return find_credentials{std::move(*name)};
  }

  server_step answer(credentials_answer found) override {
    using outcome = credentials_answer::outcome;
    if (state_ != state::searching) return end(failure::malformed);
    if (found.what == outcome::unavailable) return end(failure::unavailable);
    const bool known = found.what == outcome::found && found.known.secret;
    // Without a secret the same work with one that nobody has.
    const std::string decoy = crypto_.hmac(hash_kind::sha256, decoy_secret_, authcid_);
    const std::string mac = crypto_.hmac(hash_kind::md5, known ? *found.known.secret : decoy, text_);
    const bool right = base::equal_in_constant_time(base::hex_encode(mac), digest_);
    if (!right || !known) return end(failure::bad_credentials);
    state_ = state::ended;
    return done{authcid_, {}};
  }
  using server_base::answer;

 private:
  enum class state : std::uint8_t { begin, proving, searching, ended };
  server_step end(failure why) {
    state_ = state::ended;
    return fail_with(why);
  }
  state state_ = state::begin;
  std::string text_, decoy_secret_, digest_;
  const base::crypto& crypto_;
};

class cram_md5_client final : public client_mechanism {
 public:
  cram_md5_client(client_identity identity, const base::crypto& crypto)
      : identity_(std::move(identity)), crypto_(crypto) {}
  std::string_view name() const noexcept override { return "CRAM-MD5"; }

  std::optional<std::string> start() override { return std::nullopt; }
  base::result<std::string> response(std::string_view challenge) override {
    if (answered_) return base::fail(errc::unexpected_challenge);
    // A signature of whatever the server likes, an empty text included, would serve somebody else's exchange too.
    if (challenge.size() < 3 || challenge.size() > base::limits::sasl_message || challenge.front() != '<' ||
        challenge.back() != '>')
      return base::fail(errc::malformed_challenge);
    answered_ = true;
    return identity_.authcid + " " + base::hex_encode(crypto_.hmac(hash_kind::md5, identity_.password, challenge));
  }
  base::status finish(std::optional<std::string_view>) override {
    if (!answered_) return base::fail(errc::unexpected_challenge);
    return {};
  }

 private:
  client_identity identity_;
  const base::crypto& crypto_;
  bool answered_ = false;
};

}  // namespace

std::unique_ptr<server_mechanism> make_cram_md5_server(std::string text, std::string decoy_secret,
                                                       const base::crypto& crypto) {
  return std::make_unique<cram_md5_server>(std::move(text), std::move(decoy_secret), crypto);
}
std::unique_ptr<client_mechanism> make_cram_md5_client(client_identity identity, const base::crypto& crypto) {
  return std::make_unique<cram_md5_client>(std::move(identity), crypto);
}

}  // namespace briefwerk::protocol::sasl
