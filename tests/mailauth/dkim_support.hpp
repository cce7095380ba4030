#pragma once

// Keys, a resolver and a signed message, for the tests of DKIM and ARC.

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth/dkim.hpp"

namespace briefwerk::test {

using mailauth::canonicalization;
using mailauth::dkim_errc;
using mailauth::dkim_result;
using mailauth::message_hasher;
using mailauth::outcome;

inline const base::crypto& provider() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

// Made once for the whole program.
inline std::shared_ptr<const base::private_key> rsa_key() {
  static const auto key = provider().generate_key(base::key_kind::rsa).value();
  return key;
}
inline std::shared_ptr<const base::private_key> ed25519_key() {
  static const auto key = provider().generate_key(base::key_kind::ed25519).value();
  return key;
}

inline std::string key_record(const base::private_key& key, std::string_view tags = "v=DKIM1;") {
  const std::string kind = key.kind() == base::key_kind::rsa ? " k=rsa; p=" : " k=ed25519; p=";
  return std::string(tags) + kind + base::base64_encode(key.public_part()->encode());
}

constexpr std::string_view plain_message =
    "From: Joe SixPack <joe@football.example.com>\r\nTo: Suzie Q <suzie@shopping.example.net>\r\n"
    "Subject: Is dinner ready?\r\nDate: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n"
    "Hi.\r\n\r\nWe lost  the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";

struct dkim_world {
  base::scripted_resolver dns;
  base::manual_clock clock{base::wall_time(std::chrono::seconds(1700000000))};
  mailauth::dkim_keys keys{provider(), dns};

  dkim_world() {
    dns.add_txt("rsa._domainkey.football.example.com", key_record(*rsa_key()));
    dns.add_txt("ed._domainkey.football.example.com", key_record(*ed25519_key()));
  }

  std::chrono::sys_seconds now() const { return std::chrono::floor<std::chrono::seconds>(clock.now()); }

  static message_hasher read(std::string_view message, std::vector<mailauth::body_hash_kind> wanted = {},
                             std::size_t step = std::string_view::npos) {
    message_hasher out(provider(), std::move(wanted));
    for (; !message.empty(); message.remove_prefix(std::min(step, message.size()))) out.feed(message.substr(0, step));
    out.finish();
    return out;
  }

  std::vector<dkim_result> verify(const message_hasher& message, mailauth::dkim_verify_options options = {}) {
    const mailauth::dkim_verifier verifier(keys, clock, options);
    return base::sync_wait(verifier.verify(message));
  }
  std::vector<dkim_result> verify(std::string_view message, mailauth::dkim_verify_options options = {}) {
    return verify(read(message), options);
  }

  static mailauth::dkim_sign_options sign_options() {
    mailauth::dkim_sign_options options;
    options.domain = "football.example.com";
    options.keys = {{"rsa", rsa_key()}, {"ed", ed25519_key()}};
    return options;
  }
  base::result<std::string> sign(std::string_view message, mailauth::dkim_sign_options options = sign_options()) {
    const auto signer = mailauth::dkim_signer::make(std::move(options));
    if (!signer) return base::fail(signer.error());
    return signer->sign(read(message, {signer->body_hash()}), now());
  }
};

}  // namespace briefwerk::test
