#pragma once

// What a message_hasher has found, for the verifiers, signers and sealers of the room.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "briefwerk/mailauth/message_hasher.hpp"
#include "mailauth/dkim/canonical_body.hpp"
#include "mailauth/dkim/signature.hpp"

namespace briefwerk::mailauth {

// A DKIM-Signature or ARC-Message-Signature field of the message, read when the header block was complete.
struct found_signature {
  std::size_t field = 0;  // index into the fields
  base::result<signature_field> parsed;
};

struct message_state {
  struct running_hash {
    body_hash_kind kind;
    std::size_t place = 0;  // in its canonical body
    body_hash result;
  };

  message_state(const base::crypto& provider, std::vector<body_hash_kind> kinds)
      : crypto(provider), wanted(std::move(kinds)) {}

  void feed(std::string_view octets);
  void feed_header(std::string_view& octets);
  std::size_t find_body(std::size_t searched) noexcept;
  void finish();

  void end_header();
  void read_signatures();
  void start_hashes();
  void start_hash(const body_hash_kind& kind);
  void check_lines(std::string_view octets);
  void end_line_check();

  const base::crypto& crypto;
  std::vector<body_hash_kind> wanted;

  std::string header;
  bool in_header = true;
  std::size_t line_start = 0;  // of the header's last line so far
  std::vector<mail::header_field> fields;
  std::vector<std::uint32_t> hashes;  // name_hash of each
  std::vector<found_signature> dkim, arc;

  std::unique_ptr<canonical_body> simple, relaxed;
  std::vector<running_hash> running;

  message_defects defects;
  char last = '\n';             // of the octets that were checked
  std::size_t line_length = 0;  // of the line that they end in
};

struct message_access {
  static const message_state& of(const message_hasher& message) noexcept { return *message.state_; }
};

}  // namespace briefwerk::mailauth
