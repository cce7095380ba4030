#pragma once

#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"

namespace briefwerk::apps {

// A message of the server to its administrator, with Return-Path. `text`: lines of ASCII that end in CRLF.
std::string make_notice(std::string_view hostname, std::string_view to, std::string_view subject, std::string_view text,
                        base::wall_time now, const base::crypto& crypto);

}  // namespace briefwerk::apps
