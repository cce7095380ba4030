#include "briefwerk/protocol/sasl/error.hpp"

#include <string>

namespace briefwerk::protocol::sasl {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "sasl"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::malformed_challenge: return "the server's message is malformed";
      case errc::unexpected_challenge: return "the server's message comes out of turn";
      case errc::bad_nonce: return "the server does not use our nonce";
      case errc::iterations_out_of_bounds: return "the server asks for too few or too many iterations";
      case errc::server_not_authentic: return "the server does not know the password";
      case errc::refused_by_server: return "the server refuses";
      case errc::no_common_mechanism: return "no mechanism that both sides may use";
      case errc::prohibited_character: return "a character that names and passwords may not contain";
      case errc::empty_after_preparation: return "empty name or password";
      case errc::malformed_credentials: return "malformed SCRAM credentials";
    }
    return "error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& sasl_category() noexcept {
  static const category instance;
  return instance;
}

}  // namespace briefwerk::protocol::sasl
