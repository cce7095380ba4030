#pragma once

// Clients of scanners for malware, for filter::virus_stage. They ask from threads of their own, so that they serve
// chains of any executor. Thread-safe; destroyed, they answer what still waits with scan_outcome::failed.
//
// A scanner that hangs does not cost each message its time limit: after some questions without an answer in time it is
// left alone for a while (filter/circuit_breaker.hpp), and what comes meanwhile, or waits in line, fails at once.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/filter/circuit_breaker.hpp"
#include "briefwerk/filter/scanner.hpp"

namespace briefwerk::server {

struct scanner_options {
  std::string socket;                      // path of a Unix socket
  std::optional<base::endpoint> tcp;       // instead; of clamd only
  std::chrono::milliseconds limit{30000};  // from the question to the answer; later there is none
  std::uint64_t size = 64u << 20;          // octets; larger messages are too_large at once
  unsigned at_once = 4;                    // questions; further ones wait in line
  filter::circuit_breaker_options hanging{};  // counted as the stage "virus"
};

// briefwerk-scand (filter/scan_wire.hpp): the message goes over as a file in memory. A worker that dies is asked for
// once more, another one then.
std::unique_ptr<filter::scanner> make_scand_client(scanner_options options);

// clamd, by its command INSTREAM. Its StreamMaxLength should be no less than `size`, and its
// AlertEncrypted and AlertExceedsMax on, for it to say so.
std::unique_ptr<filter::scanner> make_clamd_client(scanner_options options);

}  // namespace briefwerk::server
