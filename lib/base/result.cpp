#include "briefwerk/base/result.hpp"

namespace briefwerk::base {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "briefwerk"; }
  std::string message(int value) const override {
    switch (static_cast<errc>(value)) {
      case errc::cancelled: return "cancelled";
      case errc::timed_out: return "timed out";
      case errc::end_of_stream: return "connection closed by the peer";
      case errc::limit_exceeded: return "limit exceeded";
      case errc::malformed: return "malformed";
      case errc::not_found: return "not found";
      case errc::already_exists: return "already exists";
      case errc::conflict: return "changed by another writer";
      case errc::no_space: return "no space left";
      case errc::corrupt: return "stored data is corrupt";
      case errc::unavailable: return "temporarily unavailable";
      case errc::denied: return "permission denied";
      case errc::unsupported: return "not supported";
    }
    return "error " + std::to_string(value);
  }
};

}  // namespace

const std::error_category& base_category() noexcept {
  static const category instance;
  return instance;
}

}  // namespace briefwerk::base
