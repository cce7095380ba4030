#include "briefwerk/base/crypto.hpp"

namespace briefwerk::base {

result<std::shared_ptr<const public_key>> crypto::parse_public_key(key_kind, std::string_view) const {
  return fail(errc::unsupported);
}

result<std::shared_ptr<const private_key>> crypto::parse_private_key(std::string_view) const {
  return fail(errc::unsupported);
}

result<std::shared_ptr<const private_key>> crypto::generate_key(key_kind, unsigned) const {
  return fail(errc::unsupported);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  // volatile: the compiler may not leave the loop at the first difference.
  volatile unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const unsigned char now =
        static_cast<unsigned char>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
    difference = static_cast<unsigned char>(difference | now);
  }
  return difference == 0;
}

}  // namespace briefwerk::base
