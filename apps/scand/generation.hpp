#pragma once

// One loaded database with its workers: a process that loads, forks workers that share what it has loaded, ends those
// that take too long, and replaces what has ended.

#include "apps/scand/settings.hpp"

namespace briefwerk::scand {

// In the generation's own process, with SIGTERM, SIGINT and SIGCHLD blocked; `parent` is who forked it. Writes one
// octet to `ready` when its workers wait for connections. SIGTERM: the scans under way end, then the process. Does not
// return; the exit code is 0 where it was told to end.
[[noreturn]] void run_generation(const settings& how, int listener, int ready, int parent);

// A line of the log, for whoever reads standard output: the level, then what happened.
void say(const char* level, const char* format, ...) __attribute__((format(printf, 2, 3)));

}  // namespace briefwerk::scand
