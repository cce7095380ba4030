#pragma once

// The whole room.

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/crypto/password.hpp"
