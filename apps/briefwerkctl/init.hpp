#pragma once

#include <string>
#include <vector>

#include "apps/briefwerkctl/connection.hpp"

namespace briefwerk::apps::ctl {

struct init_options {
  std::string config_file;
  std::string hostname;
  std::string data;
  std::vector<std::string> listen{"0.0.0.0", "[::]"};
  unsigned port_offset = 0;  // added to 25, 587, 465, 143 and 993
  std::string user;
  std::string certificate, key;  // both empty: one is made, signed by itself
};

// Writes the configuration and, where none is given, a certificate. What exists is kept. Answers what was done.
json init(const init_options& options);

}  // namespace briefwerk::apps::ctl
