#pragma once

// What DKIM and ARC need of a message, gathered in one pass while it arrives: its header fields, and the body hashes
// that its signatures ask for. Verifiers, signers and sealers all read the same object.
//
//   message_hasher message(crypto, {signer.body_hash()});
//   while (…) message.feed(octets);
//   message.finish();
//   auto results = co_await dkim.verify(message);

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/mail/header.hpp"

namespace briefwerk::mailauth {

enum class canonicalization : std::uint8_t { simple, relaxed };  // RFC 6376 §3.4

// What distinguishes one body hash from another.
struct body_hash_kind {
  canonicalization canonical = canonicalization::relaxed;
  base::hash_kind hash = base::hash_kind::sha256;
  std::optional<std::uint64_t> limit;  // l= (RFC 6376 §3.4.5): octets of the canonical body that are hashed
  bool operator==(const body_hash_kind&) const = default;
};

struct body_hash {
  std::string digest;
  std::uint64_t canonical_size = 0;  // octets of the whole canonical body, whatever the limit
};

// Why a message must not be signed (RFC 6376 §5.3, RFC 5322 §2.3): somebody on its way would change it. The first two
// are looked for only when a body hash was wanted: verifying needs none of them.
struct message_defects {
  bool bare_line_end = false;     // CR or LF alone
  bool long_line = false;         // more than 998 octets
  bool header_too_large = false;  // limits::header_block_size or limits::header_fields; no signature can be checked
  bool broken_header = false;     // a line that is neither field nor continuation
  bool any() const noexcept { return bare_line_end || long_line || header_too_large || broken_header; }
};

struct message_state;

// For one message; used from one thread at a time. Memory: the header block (limits::header_block_size) and a fixed
// amount for each different body hash, of which there are limits::dkim_body_hashes and those that are wanted.
class message_hasher {
 public:
  // `wanted`: body hashes besides those of the message's own signatures. `crypto` must outlive it.
  explicit message_hasher(const base::crypto& crypto, std::vector<body_hash_kind> wanted = {});
  message_hasher(message_hasher&&) noexcept;
  message_hasher& operator=(message_hasher&&) noexcept;
  ~message_hasher();

  // The message's octets in order, header block first, in pieces of any size. Lines end in CRLF.
  void feed(std::string_view octets);
  // The message is complete. feed() must not follow.
  void finish();

  // From here on after finish(). Views live as long as the object (a move keeps them).
  std::span<const mail::header_field> fields() const noexcept;
  std::string_view header() const noexcept;  // the block without its empty line
  const message_defects& defects() const noexcept;
  // Nothing when that hash was neither wanted nor asked for by one of the message's signatures.
  const body_hash* find(const body_hash_kind& kind) const noexcept;
  const base::crypto& crypto() const noexcept;

 private:
  friend struct message_access;  // the room's own view
  std::unique_ptr<message_state> state_;
};

}  // namespace briefwerk::mailauth
