#pragma once

// Fields that a message must not bring along, since only this server may write them.

#include <cstddef>
#include <string_view>
#include <vector>

#include "briefwerk/server/message_buffer.hpp"
#include "server/smtp/edited_message.hpp"

namespace briefwerk::server {

struct forgery_rules {
  bool from_outside = true;      // X-Spam-…, X-Briefwerk-…: our own verdict is not for the sender to write
  std::string_view authserv_id;  // Authentication-Results with our name (RFC 8601 §5)
  // Instances of ARC sets that this server made: their ARC-Authentication-Results stay, all others with our name go.
  std::vector<unsigned> own_arc_sets;
};

// Takes them out; answers how many of them were ARC-Authentication-Results.
std::size_t remove_forged_fields(message_buffer& message, const forgery_rules& rules);
// The same, but what our own stages wrote stays.
std::size_t remove_forged_fields(edited_message& message, const forgery_rules& rules);

}  // namespace briefwerk::server
