#pragma once

#include <vector>

#include "apps/briefwerkctl/connection.hpp"

namespace briefwerk::apps::ctl {

void print_json(const json& value);
void print_table(const json& rows, const std::vector<const char*>& columns);
void print_status(const json& status);

}  // namespace briefwerk::apps::ctl
