#pragma once

// SCRAM (RFC 5802, RFC 7677): messages, and the two sides. Nonces are given from outside, so that the published
// exchanges can be replayed.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "protocol/sasl/mechanisms.hpp"

namespace briefwerk::protocol::sasl {

// The text up to the next comma, which goes too. Nothing is left: an empty view without a data pointer to rely on.
std::string_view take_part(std::string_view& rest) noexcept;
// "x=value" at the front of `rest`; the value is not empty and holds neither comma nor NUL. `rest` moves behind the
// comma; nothing, and `rest` as it was, if another attribute stands there.
std::optional<std::string_view> take_attribute(std::string_view& rest, char letter) noexcept;
// What may follow the attributes known: any "x=value" list (RFC 5802 §7 extensions).
bool are_extensions(std::string_view rest) noexcept;
bool is_nonce(std::string_view text) noexcept;

std::string escape_name(std::string_view name);  // saslname: "," is =2C, "=" is =3D
std::optional<std::string> unescape_name(std::string_view text);

std::string exclusive_or(std::string_view a, std::string_view b);  // of the same length
std::string_view scram_name(base::hash_kind hash, bool plus) noexcept;
std::string make_nonce(const base::crypto& crypto);  // 144 bits, 24 characters

struct scram_server_setup {
  base::hash_kind hash = base::hash_kind::sha256;
  bool plus = false;
  bool plus_offered = false;  // in which case a client that says "y" was lied to
  std::vector<channel_binding> channel_bindings;
  std::string decoy_secret;
  std::uint32_t decoy_iterations = 0;
  std::string nonce;
};
std::unique_ptr<server_mechanism> make_scram_server(scram_server_setup setup, const base::crypto& crypto);

struct scram_client_setup {
  base::hash_kind hash = base::hash_kind::sha256;
  std::optional<channel_binding> binding;  // use -PLUS with it
  bool could_bind = false;                 // we can, the server does not offer it: "y"
  std::string nonce;
};
std::unique_ptr<client_mechanism> make_scram_client(scram_client_setup setup, client_identity identity,
                                                    const base::crypto& crypto);

}  // namespace briefwerk::protocol::sasl
