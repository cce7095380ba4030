#pragma once

// The whole room.

#include "briefwerk/mailauth/authentication_results.hpp"
#include "briefwerk/mailauth/iprev.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/spf.hpp"
#include "briefwerk/mailauth/trace.hpp"
