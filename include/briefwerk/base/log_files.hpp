#pragma once

// Log files over the days (UTC): the file of a day that is over is set aside as <path>-2026-03-01, loses its addresses
// after some days, and is removed after some more.

#include <chrono>
#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/siphash.hpp"

namespace briefwerk::base {

struct log_files_options {
  std::chrono::days keep{7};             // files of days before that are removed; 0: nothing is set aside or removed
  std::chrono::days with_addresses{0};   // after so many days addresses are replaced by pseudonyms; 0: never
};

// Does what is due, to be called every few minutes from one thread. `log` writes to `path`. The first error is answered;
// the rest is done all the same.
status tend_log_files(const std::string& path, const log_files_options& options, wall_time now, log_sink& log,
                      const siphash_key& pseudonyms);

// One line of a log, text or JSON, with mail addresses and IP addresses replaced by "~" and twelve hexadecimal digits:
// the same for the same address under one key, in whatever letter case.
std::string pseudonymise_log_line(std::string_view line, const siphash_key& key);

}  // namespace briefwerk::base
