#pragma once

// What mail gets that comes from elsewhere and goes on to elsewhere, by an alias.

#include <string>

#include "briefwerk/mailauth/srs.hpp"

namespace briefwerk::delivery {

struct forwarding {
  const mailauth::srs* rewriting = nullptr;  // null: the sender stays, and SPF fails at the next server
  std::string domain;                        // of rewritten senders; empty: that of the address that forwards
};

}  // namespace briefwerk::delivery
