#pragma once

#include <cstdint>
#include <string>

#include "apps/briefwerkctl/connection.hpp"

namespace briefwerk::apps::ctl {

// "90", "30s", "10m", "2h", "7d", "1d12h": seconds, at least one. Throws failure.
std::uint64_t parse_duration(const std::string& text);

void print_bans(const json& answer);         // of ban.list
void print_explanation(const json& answer);  // of ban.explain
void print_text(const std::string& text);

}  // namespace briefwerk::apps::ctl
