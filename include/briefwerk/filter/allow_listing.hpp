#pragma once

// Allow lists in DNS that know the client (RFC 8904). The stage that asks them at connect writes it into the session's
// notes; the stage that writes Authentication-Results says it there.

#include <any>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/filter/stage.hpp"

namespace briefwerk::filter {

struct allow_listing {
  std::string zone;
  base::ip_address answer;  // 127.0.0.0/8: what the list says of the client
};

inline constexpr std::string_view allow_listings_note = "dnswl";

// The session's, made where there are none.
inline std::vector<allow_listing>& allow_listings_of(session_facts& session) {
  std::any& kept = session.notes[std::string(allow_listings_note)];
  if (!kept.has_value()) kept = std::vector<allow_listing>();
  return *std::any_cast<std::vector<allow_listing>>(&kept);
}

}  // namespace briefwerk::filter
