#pragma once

// The whole room.

#include "briefwerk/search/index.hpp"
#include "briefwerk/search/service.hpp"
