#pragma once

// Certificates for a first start and for tests.

#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/net/error.hpp"

namespace briefwerk::net {

struct certificate_pair {
  std::string certificate;  // PEM
  std::string key;          // PEM, PKCS #8
};

enum class key_kind : unsigned char { ecdsa_p256, rsa_2048 };

struct certificate_request {
  std::vector<std::string> names;  // DNS names and IP addresses, the first becomes the common name; at least one
  int days = 365;                  // negative: expired already
  key_kind key = key_kind::ecdsa_p256;
  bool authority = false;           // may sign others
  std::vector<std::string> emails;  // rfc822Name entries, for client certificates
};

// Signed by itself. errc::malformed: no name, or one longer than 253 octets.
result<certificate_pair> make_self_signed(const certificate_request& request);
// Signed by an authority made as above (authority = true); the certificate PEM is the leaf alone.
result<certificate_pair> make_signed(const certificate_request& request, const certificate_pair& authority);

// SHA-256 of the SubjectPublicKeyInfo of the first certificate in a PEM text: what a TLSA record "3 1 1" holds (RFC 6698
// §2.1, RFC 7672 §3.1). errc::malformed: there is none.
result<std::string> public_key_digest(std::string_view pem);

// Writes with the given permissions, complete or not at all (a new file renamed over the old one).
explained<void> write_file(const std::string& path, std::string_view content, unsigned mode = 0600);

}  // namespace briefwerk::net
