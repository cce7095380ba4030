// What a stream tells about its TLS.

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "net/stream_core.hpp"
#include "net/tls_state.hpp"

namespace briefwerk::net {

bool stream::is_tls() const noexcept { return core_ != nullptr && core_->tls_ready; }

tls_info stream::tls() const {
  tls_info out;
  if (!is_tls()) return out;
  const SSL* ssl = core_->ssl.get();
  out.version = SSL_get_version(ssl);
  if (const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl)) {
    out.cipher = SSL_CIPHER_standard_name(cipher);
    out.bits = SSL_CIPHER_get_bits(cipher, nullptr);
  }
  if (const char* group = SSL_get_curve_name(SSL_get_curve_id(ssl))) out.group = group;
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) out.server_name = name;
  const std::uint8_t* alpn = nullptr;
  unsigned alpn_length = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_length);
  if (alpn_length != 0) out.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_length);
  out.resumed = SSL_session_reused(ssl) == 1;
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(ssl);
  out.peer_certificate = chain != nullptr && sk_CRYPTO_BUFFER_num(chain) != 0;
  out.peer_verification = out.peer_certificate ? verification_error(SSL_get_verify_result(ssl))
                                               : make_error_code(errc::certificate_missing);
  out.peer_verified = !out.peer_verification;
  return out;
}

result<peer_certificate> stream::certificate_of_peer() const {
  if (!is_tls()) return fail(errc::no_secret);
  const bssl::UniquePtr<X509> x509(SSL_get_peer_certificate(core_->ssl.get()));
  if (x509 == nullptr) return fail(base::errc::not_found);
  peer_certificate out;
  std::uint8_t* der = nullptr;
  const int length = i2d_X509(x509.get(), &der);
  if (length <= 0) return fail(base::errc::malformed);
  out.der.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  std::uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(x509.get(), EVP_sha256(), digest, &size) == 1)
    out.sha256.assign(reinterpret_cast<char*>(digest), size);
  out.subject = subject_line(x509.get());
  out.dns_names = subject_alt_names(x509.get(), GEN_DNS);
  out.email_addresses = subject_alt_names(x509.get(), GEN_EMAIL);
  return out;
}

result<std::string> stream::export_keying_material(std::string_view label, std::size_t length) const {
  if (!is_tls()) return fail(errc::no_secret);
  std::string out(length, '\0');
  auto* to = reinterpret_cast<std::uint8_t*>(out.data());
  if (SSL_export_keying_material(core_->ssl.get(), to, out.size(), label.data(), label.size(), nullptr, 0, 0) != 1) {
    ERR_clear_error();
    return fail(errc::no_secret);
  }
  return out;
}

// RFC 9266 §4.2: with TLS 1.2 the value is unique only under an extended master secret (RFC 7627).
result<std::string> stream::tls_exporter() const {
  if (!is_tls() || SSL_get_extms_support(core_->ssl.get()) != 1) return fail(errc::no_secret);
  return export_keying_material("EXPORTER-Channel-Binding", 32);
}

// The server's certificate: ours, or the peer's where we are the client.
result<std::string> stream::tls_server_end_point() const {
  if (!is_tls()) return fail(errc::no_secret);
  std::string digest;
  if (core_->server_end_point != nullptr) {
    digest = *core_->server_end_point;
  } else if (!core_->tls->server) {
    const bssl::UniquePtr<X509> x509(SSL_get_peer_certificate(core_->ssl.get()));
    if (x509 != nullptr) digest = certificate_digest(x509.get());
  }
  if (digest.empty()) return fail(errc::no_secret);
  return digest;
}

}  // namespace briefwerk::net
