// Certificates and keys from PEM files.

#include <openssl/bio.h>
#include <openssl/bytestring.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <fstream>

#include "net/tls_state.hpp"

namespace briefwerk::net {

std::string last_tls_reason() {
  const std::uint32_t packed = ERR_peek_error();
  const char* reason = packed == 0 ? nullptr : ERR_reason_error_string(packed);
  std::string out = reason == nullptr ? "unknown reason" : reason;
  ERR_clear_error();
  return out;
}

namespace {

constexpr std::size_t most_file_size = 1u << 20;  // a certificate chain or a key, with much room

explained_error unusable(const std::string& path, const std::string& why) {
  return {make_error_code(errc::certificate_unreadable), "cannot use " + path + ": " + why};
}

explained<std::string> read_pem_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    const int why = errno != 0 ? errno : EIO;
    return std::unexpected(explained_error{{why, std::generic_category()},
                                           "cannot read " + path + ": " + std::generic_category().message(why)});
  }
  std::string text(most_file_size, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad() || text.size() == most_file_size)
    return std::unexpected(unusable(path, "it is a folder or far too large"));
  return text;
}

// Never asks on a terminal: an encrypted key is an error.
int no_password(char*, int, int, void*) { return 0; }

bssl::UniquePtr<BIO> over(const std::string& text) {
  return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string to_utf8(const ASN1_STRING* text) {
  std::uint8_t* out = nullptr;
  const int length = ASN1_STRING_to_UTF8(&out, text);
  if (length < 0) {
    ERR_clear_error();
    return {};
  }
  std::string copy(reinterpret_cast<char*>(out), static_cast<std::size_t>(length));
  OPENSSL_free(out);
  return copy;
}

std::string common_name(const X509* certificate) {
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  return to_utf8(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

void lower(std::string& text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
}

std::chrono::sys_seconds to_time(const ASN1_TIME* when) {
  int days = 0, seconds = 0;
  const bssl::UniquePtr<ASN1_TIME> epoch(ASN1_TIME_set(nullptr, 0));
  if (epoch == nullptr || ASN1_TIME_diff(&days, &seconds, epoch.get(), when) != 1) return {};
  return std::chrono::sys_seconds(std::chrono::seconds(seconds) + std::chrono::days(days));
}

}  // namespace

std::vector<std::string> subject_alt_names(const X509* certificate, int type) {
  std::vector<std::string> out;
  const bssl::UniquePtr<GENERAL_NAMES> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  if (names == nullptr) return out;
  for (std::size_t i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != type) continue;
    const ASN1_STRING* text = name->d.ia5;  // dNSName and rfc822Name are both IA5String
    out.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                     static_cast<std::size_t>(ASN1_STRING_length(text)));
  }
  return out;
}

std::string subject_line(const X509* certificate) {
  const bssl::UniquePtr<BIO> out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (BIO_mem_contents(out.get(), &data, &size) != 1) return {};
  return std::string(reinterpret_cast<const char*>(data), size);
}

// RFC 5929 §4.1: the hash of the certificate's signature, SHA-256 where that is MD5 or SHA-1 or has none of its own.
std::string certificate_digest(const X509* certificate) {
  int digest_nid = NID_undef;
  const EVP_MD* digest = EVP_sha256();
  if (OBJ_find_sigid_algs(X509_get_signature_nid(certificate), &digest_nid, nullptr) == 1) {
    if (digest_nid == NID_sha384) digest = EVP_sha384();
    if (digest_nid == NID_sha512) digest = EVP_sha512();
    if (digest_nid == NID_sha224) digest = EVP_sha224();
  }
  std::uint8_t out[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, digest, out, &size) != 1) return {};
  return std::string(reinterpret_cast<char*>(out), size);
}

explained<void> load_identity(tls_identity& identity, const certificate_files& files) {
  ERR_clear_error();
  const explained<std::string> certificate_text = read_pem_file(files.certificate);
  if (!certificate_text) return std::unexpected(certificate_text.error());
  const explained<std::string> key_text = read_pem_file(files.key);
  if (!key_text) return std::unexpected(key_text.error());
  SSL_CTX* context = identity.context.get();

  const bssl::UniquePtr<BIO> in = over(*certificate_text);
  const bssl::UniquePtr<X509> leaf(PEM_read_bio_X509(in.get(), nullptr, no_password, nullptr));
  if (leaf == nullptr)
    return std::unexpected(unusable(files.certificate, "no certificate in it (" + last_tls_reason() + ")"));
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1)
    return std::unexpected(unusable(files.certificate, last_tls_reason()));
  for (;;) {
    const bssl::UniquePtr<X509> next(PEM_read_bio_X509(in.get(), nullptr, no_password, nullptr));
    if (next == nullptr) break;
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1)
      return std::unexpected(unusable(files.certificate, last_tls_reason()));
  }
  const std::uint32_t end = ERR_peek_last_error();
  if (end != 0 && !(ERR_GET_LIB(end) == ERR_LIB_PEM && ERR_GET_REASON(end) == PEM_R_NO_START_LINE))
    return std::unexpected(
        unusable(files.certificate, "a certificate of its chain is broken (" + last_tls_reason() + ")"));
  ERR_clear_error();

  const bssl::UniquePtr<BIO> key_in = over(*key_text);
  const bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, no_password, nullptr));
  if (key == nullptr)
    return std::unexpected(unusable(files.key, "no unencrypted private key in it (" + last_tls_reason() + ")"));
  const bssl::UniquePtr<EVP_PKEY> of_certificate(X509_get_pubkey(leaf.get()));
  if (of_certificate == nullptr || EVP_PKEY_cmp(of_certificate.get(), key.get()) != 1)
    return std::unexpected(unusable(files.key, "it does not belong to the certificate in " + files.certificate));
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return std::unexpected(unusable(files.key, last_tls_reason()));

  identity.about.names = subject_alt_names(leaf.get(), GEN_DNS);
  if (identity.about.names.empty()) {
    if (std::string name = common_name(leaf.get()); !name.empty()) identity.about.names.push_back(std::move(name));
  }
  for (std::string& name : identity.about.names) lower(name);
  identity.about.ecdsa = EVP_PKEY_id(key.get()) != EVP_PKEY_RSA;
  identity.about.subject = subject_line(leaf.get());
  identity.about.not_after = to_time(X509_get0_notAfter(leaf.get()));
  identity.about.file = files.certificate;
  identity.server_end_point = certificate_digest(leaf.get());
  return {};
}

}  // namespace briefwerk::net
