#pragma once

// Errors of the net room. Failed system calls come as std::generic_category codes (ECONNREFUSED and so on), a
// passed deadline as base::errc::timed_out, an orderly end of the peer as base::errc::end_of_stream, a stream that was
// closed or cancelled on this side as base::errc::cancelled.

#include <expected>
#include <string>
#include <system_error>

#include "briefwerk/base/result.hpp"

namespace briefwerk::net {

using base::fail;
using base::result;
using base::status;

enum class errc {
  stopping = 1,            // readable(): the server is told to stop; the session says good-bye and ends
  tls_failed,              // the peer broke the TLS protocol, or sent a fatal alert
  tls_version,             // no protocol version in common
  tls_no_shared_cipher,    // no cipher, group or signature algorithm in common
  tls_not_tls,             // the peer's bytes are no TLS at all
  tls_truncated,           // the connection ended without TLS's closing message
  certificate_untrusted,   // no chain to a trusted root
  certificate_expired,     // or not yet valid
  certificate_name,        // does not name the host that was asked for
  certificate_missing,     // a required client certificate was not sent
  certificate_unreadable,  // a file that is no certificate or key, or the two do not belong together
  no_secret,               // key material asked for without TLS, or without what makes it safe (RFC 9266 §4.2)
};

const std::error_category& net_category() noexcept;

inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), net_category()}; }

// What an administrator has to read: which file, which address, and why.
struct explained_error {
  std::error_code code;
  std::string text;  // "cannot listen on 192.0.2.1:25: Permission denied"; no final stop
};

template <class T>
using explained = std::expected<T, explained_error>;

}  // namespace briefwerk::net

template <>
struct std::is_error_code_enum<briefwerk::net::errc> : std::true_type {};
