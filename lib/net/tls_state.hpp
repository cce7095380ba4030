#pragma once

// One generation of a TLS context: what a reload replaces as a whole. Immutable after it was built, but for the ticket
// keys and the session cache, which have locks of their own and outlive generations.

#include <openssl/ssl.h>

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/net/tls_context.hpp"

namespace briefwerk::net {

// A certificate, its chain and its key in an SSL_CTX of their own.
struct tls_identity {
  bssl::UniquePtr<SSL_CTX> context;
  tls_context::description about;
  std::string server_end_point;  // RFC 5929 §4.1
};

// Keys of session tickets (RFC 5077 §4): AES-128-CBC and HMAC-SHA-256. Shared by all threads and generations.
class ticket_keys {
 public:
  struct key {
    std::array<std::uint8_t, 16> name, cipher, mac;
    std::chrono::steady_clock::time_point made;
  };
  explicit ticket_keys(std::chrono::seconds rotation) : rotation_(rotation) {}
  key current();
  // False: unknown or too old. `renew`: the client should get a ticket under the current key.
  bool find(const std::uint8_t* name, key& found, bool& renew);

 private:
  void rotate(std::chrono::steady_clock::time_point now);
  std::mutex mutex_;
  std::chrono::seconds rotation_;
  std::deque<key> keys_;  // newest first, at most two
};

// Sessions a client may resume, one for each host; taken out when used (RFC 8446 §C.4).
class session_cache {
 public:
  explicit session_cache(std::size_t most) : most_(most) {}
  void put(const std::string& host, bssl::UniquePtr<SSL_SESSION> session);
  bssl::UniquePtr<SSL_SESSION> take(const std::string& host);

 private:
  std::mutex mutex_;
  std::size_t most_;
  std::map<std::string, bssl::UniquePtr<SSL_SESSION>> sessions_;
  std::deque<std::string> order_;
};

struct tls_state {
  bool server = false;
  bool verify_required = false;          // of the peer's certificate, where it sends one
  std::vector<tls_identity> identities;  // server: at least one, the first is the default; client: exactly one
  struct pair {
    const tls_identity* ecdsa = nullptr;
    const tls_identity* rsa = nullptr;
  };
  std::map<std::string, pair, std::less<>> names;  // lower case; "*.example.org" as such
  std::string alpn;                                // wire form, RFC 7301 §3.1
  std::shared_ptr<ticket_keys> tickets;
  std::shared_ptr<session_cache> sessions;

  const tls_identity& choose(const SSL_CLIENT_HELLO& hello) const;
};

struct tls_context::impl {
  std::shared_ptr<const tls_state> current() const {
    std::lock_guard lock(mutex);
    return state;
  }
  mutable std::mutex mutex;
  std::shared_ptr<const tls_state> state;
  bool server = false;
  tls_server_options server_options;
  tls_client_options client_options;
  std::shared_ptr<ticket_keys> tickets;
};

explained<std::shared_ptr<const tls_state>> make_server_state(const tls_server_options& options,
                                                              std::shared_ptr<ticket_keys> tickets);
explained<std::shared_ptr<const tls_state>> make_client_state(const tls_client_options& options,
                                                              std::shared_ptr<session_cache> sessions);

// Reads certificate, chain and key into `identity.context` and describes them. An error names the file.
explained<void> load_identity(tls_identity& identity, const certificate_files& files);
std::vector<std::string> subject_alt_names(const X509* certificate, int type);  // GEN_DNS, GEN_EMAIL
std::string subject_line(const X509* certificate);
std::string certificate_digest(const X509* certificate);  // RFC 5929 §4.1
std::string last_tls_reason();                            // of BoringSSL's error queue, which it empties

// The outcome of X509_verify_cert as one of our errors; none for X509_V_OK.
std::error_code verification_error(long x509_error) noexcept;

}  // namespace briefwerk::net
