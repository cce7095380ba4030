#pragma once

// The whole room.

#include "briefwerk/search/fuzzy.hpp"
#include "briefwerk/search/index.hpp"
#include "briefwerk/search/service.hpp"
