#pragma once

// ClamAV says by names of findings as well that it could not see everything. Header only, as scan_wire.hpp is.

#include <string>
#include <string_view>

#include "briefwerk/filter/scanner.hpp"

namespace briefwerk::filter {

inline scan_answer judge_clamav_name(std::string_view name) {
  if (name.starts_with("Heuristics.Limits.Exceeded.MaxScanTime")) return {scan_outcome::failed, "took too long"};
  if (name.starts_with("Heuristics.Limits.Exceeded")) return {scan_outcome::too_large, std::string(name)};
  if (name.starts_with("Heuristics.Encrypted")) return {scan_outcome::encrypted, std::string(name)};
  return {scan_outcome::infected, std::string(name)};
}

}  // namespace briefwerk::filter
