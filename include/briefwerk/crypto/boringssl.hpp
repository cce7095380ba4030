#pragma once

#include <memory>

#include "briefwerk/base/crypto.hpp"

namespace briefwerk::crypto {

// The crypto interface on BoringSSL. Target Briefwerk::crypto.
std::unique_ptr<base::crypto> make_boringssl();

}  // namespace briefwerk::crypto
