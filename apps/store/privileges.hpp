#pragma once

#include <string>

#include "briefwerk/net/error.hpp"

namespace briefwerk::apps {

// Makes a file or folder the user's (and the group's, or that of the user's own), so that it can be used behind
// drop_privileges(). Nothing to do for an empty name, or where the process is not root's.
net::explained<void> give_to(const std::string& path, const std::string& user, const std::string& group);

// Becomes the user (and group) for good. Nothing to do for an empty name, or where the process is that user already.
net::explained<void> drop_privileges(const std::string& user, const std::string& group);

}  // namespace briefwerk::apps
