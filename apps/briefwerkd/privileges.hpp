#pragma once

#include <string>

#include "briefwerk/net/error.hpp"

namespace briefwerk::apps {

// Becomes the user (and group) for good. Nothing to do for an empty name, or where the process is that user already.
net::explained<void> drop_privileges(const std::string& user, const std::string& group);

}  // namespace briefwerk::apps
