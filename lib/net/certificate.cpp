#include "briefwerk/net/certificate.hpp"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "briefwerk/base/ip.hpp"
#include "net/socket_address.hpp"

namespace briefwerk::net {
namespace {

bssl::UniquePtr<EVP_PKEY> make_key(key_kind kind) {
  bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
  if (kind == key_kind::ecdsa_p256) {
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    if (ec == nullptr || EC_KEY_generate_key(ec.get()) != 1 || EVP_PKEY_assign_EC_KEY(key.get(), ec.get()) != 1)
      return nullptr;
    (void)ec.release();
    return key;
  }
  bssl::UniquePtr<RSA> rsa(RSA_new());
  const bssl::UniquePtr<BIGNUM> exponent(BN_new());
  if (BN_set_word(exponent.get(), RSA_F4) != 1 || RSA_generate_key_ex(rsa.get(), 2048, exponent.get(), nullptr) != 1 ||
      EVP_PKEY_assign_RSA(key.get(), rsa.get()) != 1)
    return nullptr;
  (void)rsa.release();
  return key;
}

std::string contents(BIO* bio) {
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;
  if (BIO_mem_contents(bio, &data, &size) != 1) return {};
  return std::string(reinterpret_cast<const char*>(data), size);
}

bool add_name(GENERAL_NAMES* names, int type, std::string_view octets) {
  bssl::UniquePtr<GENERAL_NAME> name(GENERAL_NAME_new());
  ASN1_STRING* value = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
  if (name == nullptr || value == nullptr ||
      ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size())) != 1) {
    ASN1_STRING_free(value);
    return false;
  }
  GENERAL_NAME_set0_value(name.get(), type, value);
  if (sk_GENERAL_NAME_push(names, name.get()) == 0) return false;
  (void)name.release();
  return true;
}

bool add_names(X509* certificate, const certificate_request& request) {
  const bssl::UniquePtr<GENERAL_NAMES> names(sk_GENERAL_NAME_new_null());
  for (const std::string& each : request.names) {
    const result<base::ip_address> address = base::ip_address::parse(each);
    const bool added =
        address ? add_name(names.get(), GEN_IPADD, address->octets()) : add_name(names.get(), GEN_DNS, each);
    if (!added) return false;
  }
  for (const std::string& each : request.emails)
    if (!add_name(names.get(), GEN_EMAIL, each)) return false;
  return X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) == 1;
}

bool add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const bssl::UniquePtr<X509_EXTENSION> made(X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
  return made != nullptr && X509_add_ext(certificate, made.get(), -1) == 1;
}

bool set_subject(X509* certificate, std::string_view name) {
  // X.520 allows 64 characters in a common name; the alternative names are what counts (RFC 9525 §2).
  X509_NAME* subject = X509_get_subject_name(certificate);
  const std::string_view text = name.substr(0, 64);
  return X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                                    reinterpret_cast<const std::uint8_t*>(text.data()), static_cast<int>(text.size()),
                                    -1, 0) == 1;
}

bool set_serial(X509* certificate) {
  std::uint8_t octets[16];
  RAND_bytes(octets, sizeof octets);
  octets[0] &= 0x7f;  // positive, RFC 5280 §4.1.2.2
  const bssl::UniquePtr<BIGNUM> number(BN_bin2bn(octets, sizeof octets, nullptr));
  return number != nullptr && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// `issuer` null: by itself.
result<certificate_pair> make(const certificate_request& request, X509* issuer, EVP_PKEY* issuer_key) {
  if (request.names.empty()) return fail(base::errc::malformed);
  for (const std::string& each : request.names)
    if (each.empty() || each.size() > 253) return fail(base::errc::malformed);
  const bssl::UniquePtr<EVP_PKEY> key = make_key(request.key);
  const bssl::UniquePtr<X509> made(X509_new());
  if (key == nullptr || made == nullptr) return fail(errc::certificate_unreadable);
  X509* by = issuer == nullptr ? made.get() : issuer;
  constexpr long day = 24 * 3600;
  // An hour (or more, where it has expired) in the past: clocks differ.
  const long from = request.days > 0 ? -3600 : (request.days - 2) * day;
  bool ok = X509_set_version(made.get(), X509_VERSION_3) == 1 && set_serial(made.get()) &&
            X509_gmtime_adj(X509_getm_notBefore(made.get()), from) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(made.get()), request.days * day) != nullptr &&
            set_subject(made.get(), request.names.front()) &&
            X509_set_issuer_name(made.get(), X509_get_subject_name(by)) == 1 &&
            X509_set_pubkey(made.get(), key.get()) == 1 && add_names(made.get(), request);
  ok = ok &&
       add_extension(made.get(), by, NID_basic_constraints,
                     request.authority ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
       // A leaf that signed itself states no key usage: verifiers take it for a root only when keyCertSign is not
       // excluded.
       (!(request.authority || issuer != nullptr) ||
        add_extension(
            made.get(), by, NID_key_usage,
            request.authority ? "critical,digitalSignature,keyCertSign,cRLSign" : "critical,digitalSignature")) &&
       (request.authority || add_extension(made.get(), by, NID_ext_key_usage, "serverAuth,clientAuth")) &&
       add_extension(made.get(), by, NID_subject_key_identifier, "hash");
  ok = ok && X509_sign(made.get(), issuer_key == nullptr ? key.get() : issuer_key, EVP_sha256()) > 0;
  const bssl::UniquePtr<BIO> certificate_out(BIO_new(BIO_s_mem())), key_out(BIO_new(BIO_s_mem()));
  ok = ok && PEM_write_bio_X509(certificate_out.get(), made.get()) == 1 &&
       PEM_write_bio_PKCS8PrivateKey(key_out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  ERR_clear_error();
  if (!ok) return fail(errc::certificate_unreadable);
  return certificate_pair{contents(certificate_out.get()), contents(key_out.get())};
}

explained_error cannot_write(const std::string& path) {
  const std::error_code code(errno, std::generic_category());
  return {code, "cannot write " + path + ": " + code.message()};
}

}  // namespace

result<certificate_pair> make_self_signed(const certificate_request& request) {
  return make(request, nullptr, nullptr);
}

result<certificate_pair> make_signed(const certificate_request& request, const certificate_pair& authority) {
  const bssl::UniquePtr<BIO> certificate_in(
      BIO_new_mem_buf(authority.certificate.data(), static_cast<int>(authority.certificate.size())));
  const bssl::UniquePtr<BIO> key_in(BIO_new_mem_buf(authority.key.data(), static_cast<int>(authority.key.size())));
  const bssl::UniquePtr<X509> issuer(PEM_read_bio_X509(certificate_in.get(), nullptr, nullptr, nullptr));
  const bssl::UniquePtr<EVP_PKEY> key(PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr));
  if (issuer == nullptr || key == nullptr) {
    ERR_clear_error();
    return fail(errc::certificate_unreadable);
  }
  return make(request, issuer.get(), key.get());
}

result<std::string> public_key_digest(std::string_view pem) {
  const bssl::UniquePtr<BIO> in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const bssl::UniquePtr<X509> certificate(in ? PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr) : nullptr);
  ERR_clear_error();
  std::uint8_t* der = nullptr;
  const int size = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate.get()), &der) : -1;
  const bssl::UniquePtr<std::uint8_t> owner(der);
  if (size <= 0) return fail(base::errc::malformed);
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(der, static_cast<std::size_t>(size), reinterpret_cast<std::uint8_t*>(digest.data()));
  return digest;
}

explained<void> write_file(const std::string& path, std::string_view content, unsigned mode) {
  const std::string fresh = path + ".new";
  ::unlink(fresh.c_str());
  const descriptor fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (fd.get() < 0) return std::unexpected(cannot_write(fresh));
  const auto give_up = [&] {
    explained_error error = cannot_write(path);
    ::unlink(fresh.c_str());
    return std::unexpected(std::move(error));
  };
  if (::fchmod(fd.get(), mode) != 0) return give_up();
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t n = ::write(fd.get(), content.data() + done, content.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return give_up();
    done += static_cast<std::size_t>(n);
  }
  if (::fsync(fd.get()) != 0 || std::rename(fresh.c_str(), path.c_str()) != 0) return give_up();
  return {};
}

}  // namespace briefwerk::net
