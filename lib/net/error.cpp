#include "briefwerk/net/error.hpp"

namespace briefwerk::net {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "briefwerk.net"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::stopping:
        return "the server is stopping";
      case errc::tls_failed:
        return "TLS failed";
      case errc::tls_version:
        return "no TLS version in common";
      case errc::tls_no_shared_cipher:
        return "no TLS cipher in common";
      case errc::tls_not_tls:
        return "the peer does not speak TLS";
      case errc::tls_truncated:
        return "the connection ended without TLS's closing message";
      case errc::certificate_untrusted:
        return "the certificate is not trusted";
      case errc::certificate_expired:
        return "the certificate has expired or is not valid yet";
      case errc::certificate_name:
        return "the certificate is for another name";
      case errc::certificate_missing:
        return "no certificate was sent";
      case errc::certificate_unreadable:
        return "the certificate or its key cannot be used";
      case errc::no_secret:
        return "there is no TLS secret to bind to";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& net_category() noexcept {
  static const category instance;
  return instance;
}

}  // namespace briefwerk::net
