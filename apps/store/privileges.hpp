#pragma once

#include <string>

#include "briefwerk/net/error.hpp"

namespace briefwerk::apps {

// Makes a file or folder the user's (and the group's, or that of the user's own), so that it can be used behind
// drop_privileges(). Nothing to do for an empty name, or where the process is not root's.
net::explained<void> give_to(const std::string& path, const std::string& user, const std::string& group);

// Before drop_privileges(): where only root may write in the folder of `path`, makes the file there and gives it to the user,
// who could not make it. In a folder of anybody else, or behind a symbolic link, nothing is done with root's rights: links
// that others made could lead them anywhere. Neither is it for what is no plain file with this one name.
net::explained<void> make_file_for(const std::string& path, const std::string& user, const std::string& group);

// Becomes the user (and group) for good. Nothing to do for an empty name, or where the process is that user already.
net::explained<void> drop_privileges(const std::string& user, const std::string& group);

}  // namespace briefwerk::apps
