#pragma once

// What TLS handshakes need, shared by all threads: certificates chosen by the name the client asks for, ticket keys,
// trust. Thread-safe. Suites: TLS 1.3's, and for TLS 1.2 ECDHE with an AEAD only.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/net/error.hpp"

namespace briefwerk::net {

enum class tls_version : std::uint16_t { v1_2 = 0x0303, v1_3 = 0x0304 };

// One certificate with its chain, and its key: PEM files. A name that has an ECDSA and an RSA pair gets the ECDSA one
// wherever the client can use it (ten times cheaper for us).
struct certificate_files {
  std::string certificate;  // leaf first
  std::string key;          // may be the same file
};

enum class client_certificates : std::uint8_t {
  none,
  request,  // asked for; a session with none, or with one that does not verify, goes on and tls_info says so
  require,  // verified, or the handshake fails
};

struct tls_server_options {
  // The names come from each certificate's subjectAltName, *.example.org included. The first one is the default, for
  // clients that send no name or an unknown one.
  std::vector<certificate_files> certificates;
  tls_version minimum = tls_version::v1_2;
  client_certificates clients = client_certificates::none;
  std::string client_ca_file;     // PEM; who signs client certificates. Empty: the system's
  std::vector<std::string> alpn;  // in order of preference; empty: not spoken. No match: goes on without
  bool tickets = true;            // resumption without a cache; keys live in memory only
  std::chrono::seconds ticket_rotation{12 * 3600};  // a ticket is good for one to two rotations
};

enum class peer_verification : std::uint8_t {
  required,  // chain and host name, or the handshake fails
  recorded,  // opportunistic: the handshake goes on, tls_info tells the result
};

struct tls_client_options {
  peer_verification verification = peer_verification::required;
  std::string ca_file;  // PEM; empty: the system's, /etc/ssl/certs/ca-certificates.crt and the like
  tls_version minimum = tls_version::v1_2;
  certificate_files client_certificate;  // empty: none
  std::vector<std::string> alpn;
  std::size_t sessions_kept = 1000;  // for resumption, by host name; 0: none
};

class tls_context {
 public:
  // Errors name the file and the reason.
  static explained<std::shared_ptr<tls_context>> server(tls_server_options options);
  static explained<std::shared_ptr<tls_context>> client(tls_client_options options);
  ~tls_context();
  tls_context(const tls_context&) = delete;
  tls_context& operator=(const tls_context&) = delete;

  // Reads all files again. New handshakes use them; sessions that run are not touched, tickets stay good, but
  // for those of sessions that asked for client certificates, and those that a client keeps. On an error everything
  // stays as it was.
  explained<void> reload();
  // The same with other files or options.
  explained<void> reload(tls_server_options options);

  struct description {
    std::vector<std::string> names;
    bool ecdsa = false;
    std::string subject;
    std::chrono::sys_seconds not_after{};
    std::string file;
  };
  // For status output and warnings before expiry; empty for a client.
  std::vector<description> certificates() const;

  struct impl;
  impl& internals() noexcept { return *impl_; }  // for the net room itself

 private:
  explicit tls_context(std::unique_ptr<impl> made) noexcept;
  std::unique_ptr<impl> impl_;
};

}  // namespace briefwerk::net
