// Builds one generation of a context and holds the callbacks of the handshake.

#include "net/tls_state.hpp"

#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "net/stream_core.hpp"

namespace briefwerk::net {

using detail::stream_core;

std::error_code verification_error(long x509_error) noexcept {
  switch (x509_error) {
    case X509_V_OK:
      return {};
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return errc::certificate_expired;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return errc::certificate_name;
    default:
      return errc::certificate_untrusted;
  }
}

// --- choice of the certificate --------------------------------------------------------------------------------

namespace {

bool extension(const SSL_CLIENT_HELLO& hello, std::uint16_t type, CBS& out) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (SSL_early_callback_ctx_extension_get(&hello, type, &data, &size) != 1) return false;
  CBS_init(&out, data, size);
  return true;
}

// RFC 6066 §3; empty where there is none.
std::string asked_name(const SSL_CLIENT_HELLO& hello) {
  CBS body, list, name;
  std::uint8_t type = 0;
  if (!extension(hello, TLSEXT_TYPE_server_name, body) || !CBS_get_u16_length_prefixed(&body, &list) ||
      !CBS_get_u8(&list, &type) || type != TLSEXT_NAMETYPE_host_name || !CBS_get_u16_length_prefixed(&list, &name) ||
      CBS_len(&name) > 255)
    return {};
  std::string out(reinterpret_cast<const char*>(CBS_data(&name)), CBS_len(&name));
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  if (out.ends_with('.')) out.pop_back();
  return out;
}

bool lists_u16(CBS list, std::initializer_list<std::uint16_t> wanted) {
  std::uint16_t value = 0;
  while (CBS_get_u16(&list, &value))
    if (std::find(wanted.begin(), wanted.end(), value) != wanted.end()) return true;
  return false;
}

// ECDSA on P-256 can be used when the client verifies it (RFC 8446 §4.2.3) and, where it is bound to TLS 1.2, offers a
// suite.
bool takes_ecdsa(const SSL_CLIENT_HELLO& hello) {
  CBS body, list, suites;
  if (!extension(hello, TLSEXT_TYPE_signature_algorithms, body) || !CBS_get_u16_length_prefixed(&body, &list) ||
      !lists_u16(list, {SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384}))
    return false;
  if (extension(hello, TLSEXT_TYPE_supported_versions, body) && CBS_get_u8_length_prefixed(&body, &list) &&
      lists_u16(list, {TLS1_3_VERSION}))
    return true;
  CBS_init(&suites, hello.cipher_suites, hello.cipher_suites_len);
  return lists_u16(suites, {0xc02b, 0xc02c, 0xcca9});  // ECDHE-ECDSA with AES-128-GCM, AES-256-GCM, ChaCha20
}

}  // namespace

const tls_identity& tls_state::choose(const SSL_CLIENT_HELLO& hello) const {
  const std::string name = asked_name(hello);
  auto at = names.find(name);
  if (at == names.end() && name.find('.') != std::string::npos) at = names.find("*" + name.substr(name.find('.')));
  pair found;
  if (at != names.end()) {
    found = at->second;
  } else {  // the default, and its twin with the other kind of key where there is one
    const tls_identity& first = identities.front();
    (first.about.ecdsa ? found.ecdsa : found.rsa) = &first;
    const auto twin = first.about.names.empty() ? names.end() : names.find(first.about.names.front());
    if (twin != names.end()) found = twin->second;
  }
  if (found.rsa == nullptr) return *found.ecdsa;
  return found.ecdsa != nullptr && takes_ecdsa(hello) ? *found.ecdsa : *found.rsa;
}

// --- callbacks ------------------------------------------------------------------------------------------------

namespace {

enum ssl_select_cert_result_t on_hello(const SSL_CLIENT_HELLO* hello) {
  stream_core* core = stream_core::of(hello->ssl);
  const tls_identity& chosen = core->tls->choose(*hello);
  core->server_end_point = &chosen.server_end_point;
  if (SSL_get_SSL_CTX(hello->ssl) != chosen.context.get() &&
      SSL_set_SSL_CTX(hello->ssl, chosen.context.get()) == nullptr)
    return ssl_select_cert_error;
  return ssl_select_cert_success;
}

int on_ticket(SSL* ssl, std::uint8_t* name, std::uint8_t* iv, EVP_CIPHER_CTX* cipher, HMAC_CTX* mac, int encrypt) {
  ticket_keys& keys = *stream_core::of(ssl)->tls->tickets;
  ticket_keys::key key;
  bool renew = false;
  if (encrypt != 0) {
    key = keys.current();
    std::memcpy(name, key.name.data(), key.name.size());
    RAND_bytes(iv, 16);
  } else if (!keys.find(name, key, renew)) {
    return 0;
  }
  const int cipher_ok = encrypt != 0 ? EVP_EncryptInit_ex(cipher, EVP_aes_128_cbc(), nullptr, key.cipher.data(), iv)
                                     : EVP_DecryptInit_ex(cipher, EVP_aes_128_cbc(), nullptr, key.cipher.data(), iv);
  const int mac_ok = HMAC_Init_ex(mac, key.mac.data(), key.mac.size(), EVP_sha256(), nullptr);
  OPENSSL_cleanse(&key, sizeof key);
  if (cipher_ok != 1 || mac_ok != 1) return -1;
  return renew ? 2 : 1;
}

int on_alpn(SSL* ssl, const std::uint8_t** out, std::uint8_t* out_length, const std::uint8_t* offered,
            unsigned offered_length, void*) {
  const std::string& ours = stream_core::of(ssl)->tls->alpn;
  std::uint8_t* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_length, reinterpret_cast<const std::uint8_t*>(ours.data()),
                            static_cast<unsigned>(ours.size()), offered, offered_length) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int on_certificate(X509_STORE_CTX* context, void*) {
  const auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  stream_core* core = stream_core::of(ssl);
  const int verified = X509_verify_cert(context);
  if (!core->tls->verify_required) return 1;  // the reason stays in the context, and so in the session
  if (verified != 1) core->verification = verification_error(X509_STORE_CTX_get_error(context));
  return verified;
}

int on_new_session(SSL* ssl, SSL_SESSION* session) {
  const stream_core* core = stream_core::of(ssl);
  core->tls->sessions->put(core->session_key, bssl::UniquePtr<SSL_SESSION>(session));
  return 1;
}

// --- building -------------------------------------------------------------------------------------------------

constexpr const char* suites_tls_1_2 =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]:[ECDHE-RSA-AES128-GCM-SHA256|"
    "ECDHE-RSA-CHACHA20-POLY1305]:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384";

explained_error broken(const std::string& what) {
  return {make_error_code(errc::tls_failed), what + ": " + last_tls_reason()};
}

explained<bssl::UniquePtr<SSL_CTX>> new_context(tls_version minimum) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  if (context == nullptr || SSL_CTX_set_strict_cipher_list(context.get(), suites_tls_1_2) != 1 ||
      SSL_CTX_set_min_proto_version(context.get(), static_cast<std::uint16_t>(minimum)) != 1 ||
      SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) != 1)
    return std::unexpected(broken("cannot set up TLS"));
  SSL_CTX_set_options(context.get(), SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  return context;
}

explained<void> load_trust(SSL_CTX* context, const std::string& file, bool needed) {
  static constexpr const char* system_files[] = {"/etc/ssl/certs/ca-certificates.crt",
                                                 "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                                 "/etc/ssl/cert.pem"};
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  if (!file.empty()) {
    // What the administrator names is trusted as it is: a root, an intermediate or the server's own certificate.
    X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    if (X509_STORE_load_locations(store, file.c_str(), nullptr) == 1) return {};
    return std::unexpected(explained_error{make_error_code(errc::certificate_unreadable),
                                           "cannot read trusted certificates from " + file + ": " + last_tls_reason()});
  }
  for (const char* each : system_files)
    if (::access(each, R_OK) == 0 && X509_STORE_load_locations(store, each, nullptr) == 1) return {};
  ERR_clear_error();
  if (!needed) return {};
  return std::unexpected(explained_error{make_error_code(base::errc::not_found),
                                         "no file with the system's trusted certificates (package ca-certificates)"});
}

explained<std::string> alpn_wire_form(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& each : protocols) {
    if (each.empty() || each.size() > 255)
      return std::unexpected(
          explained_error{make_error_code(base::errc::malformed), "bad ALPN protocol name '" + each + "'"});
    out += static_cast<char>(each.size());
    out += each;
  }
  return out;
}

explained<void> set_up_server(SSL_CTX* context, const tls_server_options& options, const tls_state& state) {
  const auto lifetime = static_cast<std::uint32_t>(2 * options.ticket_rotation.count());
  SSL_CTX_set_timeout(context, lifetime);
  SSL_CTX_set_session_psk_dhe_timeout(context, lifetime);
  static constexpr std::uint8_t scope[] = {'b', 'r', 'i', 'e', 'f', 'w', 'e', 'r', 'k'};
  SSL_CTX_set_session_id_context(context, scope, sizeof scope);
  SSL_CTX_set_select_certificate_cb(context, on_hello);
  SSL_CTX_set_num_tickets(context, 1);
  if (options.tickets)
    SSL_CTX_set_tlsext_ticket_key_cb(context, on_ticket);
  else
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  if (!state.alpn.empty()) SSL_CTX_set_alpn_select_cb(context, on_alpn, nullptr);
  if (options.clients == client_certificates::none) return {};
  const int fatal = options.clients == client_certificates::require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | fatal, nullptr);
  SSL_CTX_set_cert_verify_callback(context, on_certificate, nullptr);
  return load_trust(context, options.client_ca_file, true);
}

}  // namespace

explained<std::shared_ptr<const tls_state>> make_server_state(const tls_server_options& options,
                                                              std::shared_ptr<ticket_keys> tickets) {
  auto state = std::make_shared<tls_state>();
  state->server = true;
  state->verify_required = options.clients == client_certificates::require;
  state->tickets = std::move(tickets);
  explained<std::string> alpn = alpn_wire_form(options.alpn);
  if (!alpn) return std::unexpected(std::move(alpn.error()));
  state->alpn = std::move(*alpn);
  if (options.certificates.empty())
    return std::unexpected(explained_error{make_error_code(base::errc::not_found), "no TLS certificate is configured"});
  state->identities.resize(options.certificates.size());
  for (std::size_t i = 0; i < options.certificates.size(); ++i) {
    tls_identity& identity = state->identities[i];
    explained<bssl::UniquePtr<SSL_CTX>> context = new_context(options.minimum);
    if (!context) return std::unexpected(std::move(context.error()));
    identity.context = std::move(*context);
    explained<void> done = set_up_server(identity.context.get(), options, *state);
    if (done) done = load_identity(identity, options.certificates[i]);
    if (!done) return std::unexpected(std::move(done.error()));
    for (const std::string& name : identity.about.names) {
      tls_state::pair& pair = state->names[name];
      const tls_identity*& slot = identity.about.ecdsa ? pair.ecdsa : pair.rsa;
      if (slot == nullptr) slot = &identity;  // the first of a kind wins
    }
  }
  return state;
}

explained<std::shared_ptr<const tls_state>> make_client_state(const tls_client_options& options,
                                                              std::shared_ptr<session_cache> sessions) {
  auto state = std::make_shared<tls_state>();
  state->verify_required = options.verification == peer_verification::required;
  state->sessions = std::move(sessions);
  explained<std::string> alpn = alpn_wire_form(options.alpn);
  if (!alpn) return std::unexpected(std::move(alpn.error()));
  tls_identity& identity = state->identities.emplace_back();
  explained<bssl::UniquePtr<SSL_CTX>> made = new_context(options.minimum);
  if (!made) return std::unexpected(std::move(made.error()));
  identity.context = std::move(*made);
  SSL_CTX* context = identity.context.get();
  explained<void> done = load_trust(context, options.ca_file, state->verify_required);
  if (done && !options.client_certificate.certificate.empty())
    done = load_identity(identity, options.client_certificate);
  if (!done) return std::unexpected(std::move(done.error()));
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context, on_certificate, nullptr);
  if (!alpn->empty() && SSL_CTX_set_alpn_protos(context, reinterpret_cast<const std::uint8_t*>(alpn->data()),
                                                static_cast<unsigned>(alpn->size())) != 0)
    return std::unexpected(broken("cannot set up ALPN"));
  if (state->sessions) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_new_session);
  }
  return state;
}

}  // namespace briefwerk::net
