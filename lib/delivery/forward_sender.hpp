#pragma once

#include <chrono>
#include <string>

#include "briefwerk/base/task.hpp"
#include "briefwerk/delivery/forwarding.hpp"
#include "briefwerk/store/directory.hpp"

namespace briefwerk::delivery {

// The reverse-path of a message that `via`, an address of ours, passes on. A sender of a domain that is served here may
// send from here and stays, and so does the null sender, and one that would become too long: a bounce that may be lost
// is better than mail that is.
base::task<std::string> forward_sender(const forwarding& how, store::directory& accounts, std::string sender,
                                       std::string via, std::chrono::sys_seconds now);

}  // namespace briefwerk::delivery
