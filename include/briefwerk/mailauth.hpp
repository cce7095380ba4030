#pragma once

// The whole room.

#include "briefwerk/mailauth/outcome.hpp"
