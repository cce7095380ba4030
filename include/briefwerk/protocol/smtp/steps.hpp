#pragma once

// The steps that the server and the client machine have in common.

#include <cstdint>
#include <string>
#include <string_view>

namespace briefwerk::protocol::smtp {

enum class close_reason : std::uint8_t {
  quit,             // QUIT was said and answered
  refused,          // 421, or abort() was called
  too_many_errors,  // a limit of bad commands or failed authentications was reached
  out_of_step       // the peer's octets cannot be followed any further
};

struct need_bytes {};                      // everything fed was used: read, then feed()
struct write { std::string_view bytes; };  // write all of it, then next()
struct start_tls {};                       // handshake, then tls_started(); if it fails, close the connection
struct close { close_reason why; };        // the last step: close the connection

// What TLS agreed on, for the Received field; from the TLS layer.
struct tls_info {
  std::string version;  // "TLSv1.3"
  std::string cipher;   // "TLS_AES_128_GCM_SHA256"
};

}  // namespace briefwerk::protocol::smtp
