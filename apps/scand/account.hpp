#pragma once

// The user that scans, apart from the one whose mail it is.

#include <sys/types.h>

#include <optional>
#include <string>

namespace briefwerk::scand {

struct account {
  uid_t user;
  gid_t group;
};

std::optional<account> find_account(const std::string& user);
std::optional<gid_t> find_group(const std::string& group);

// For good, without further groups. Only root can; true as well for who is that user already.
bool become(const account& who);

}  // namespace briefwerk::scand
