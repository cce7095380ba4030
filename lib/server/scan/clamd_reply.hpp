#pragma once

// What clamd answers to zINSTREAM (clamd(8)): "stream: OK", "stream: NAME FOUND", "… ERROR", each with an octet 0
// behind.

#include <algorithm>
#include <optional>
#include <string_view>

#include "briefwerk/filter/clamav_names.hpp"
#include "briefwerk/filter/scan_wire.hpp"

namespace briefwerk::server {

inline constexpr std::size_t clamd_reply_size = 4096;

// Nothing: the reply is not complete, or none.
inline std::optional<filter::scan_answer> parse_clamd_reply(std::string_view reply) {
  using filter::scan_answer;
  using filter::scan_outcome;
  if (reply.empty() || reply.size() > clamd_reply_size || reply.find('\0') != reply.size() - 1) return std::nullopt;
  reply.remove_suffix(1);
  constexpr std::string_view head = "stream: ", found = " FOUND";
  if (reply == "stream: OK") return scan_answer{scan_outcome::clean, {}};
  if (reply.starts_with("INSTREAM size limit exceeded")) return scan_answer{scan_outcome::too_large, "message"};
  if (reply.starts_with(head) && reply.ends_with(found) && reply.size() > head.size() + found.size()) {
    reply.remove_prefix(head.size());
    reply.remove_suffix(found.size());
    return filter::judge_clamav_name(filter::printable_scan_text(reply));
  }
  if (reply.ends_with(" ERROR")) return scan_answer{scan_outcome::failed, filter::printable_scan_text(reply)};
  return std::nullopt;
}

}  // namespace briefwerk::server
