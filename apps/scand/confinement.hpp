#pragma once

// What a process that reads hostile files is left with.

#include <cstdint>
#include <string>

namespace briefwerk::scand {

struct confinement {
  std::string folder;        // the only one whose files it can open; where the kernel has Landlock
  std::uint64_t memory = 0;  // octets of address space beyond what it has now
  std::uint64_t file = 0;    // octets of a file that it writes
};

// Of the calling process, for good: bounds, no new privileges, no programs, no processes, no sockets, no signals to
// others. False where the kernel refuses one of these; Landlock may be missing.
bool confine(const confinement& how);

}  // namespace briefwerk::scand
