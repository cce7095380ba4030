#pragma once

// The whole room.

#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/filter/verdict.hpp"
