#pragma once

#include <memory>

#include "briefwerk/base/crypto.hpp"

namespace briefwerk::crypto {

// The crypto interface on BoringSSL. Target Briefwerk::crypto. Stateless: one object serves every thread.
// random() draws from RAND_bytes, which aborts the process rather than give weak octets.
std::unique_ptr<base::crypto> make_boringssl();

}  // namespace briefwerk::crypto
