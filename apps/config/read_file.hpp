#pragma once

#include <string>

#include "briefwerk/net/error.hpp"

namespace briefwerk::apps {

// All octets of a file. Errors name it and the reason; a folder is one.
net::explained<std::string> read_file(const std::string& path);

}  // namespace briefwerk::apps
