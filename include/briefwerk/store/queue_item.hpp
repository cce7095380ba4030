#pragma once

// One message on its way out: what the queue keeps.

#include <cstdint>
#include <string>
#include <vector>

#include "briefwerk/store/blob.hpp"

namespace briefwerk::store {

enum class recipient_state : std::uint8_t { waiting, delivered, failed };

struct queue_recipient {
  std::string address;             // SMTP form, without brackets
  recipient_state state = recipient_state::waiting;
  std::string original_recipient;  // ORCPT as given (RFC 3461 §4.2), may be empty
  std::uint8_t notify = 0;         // bits: 1 never, 2 success, 4 failure, 8 delay; 0 = not given (failure, delay)
  bool delay_reported = false;
  std::string last_reply;          // of the last attempt: "450 4.2.0 …"
  std::string last_host;           // who gave it
};

struct queue_item {
  std::string id;                  // made by the store on insertion where empty; never reused
  std::string sender;              // reverse-path without brackets; empty = null
  std::string account;             // who submitted it; empty for mail of the server itself
  std::vector<queue_recipient> recipients;
  std::int64_t arrived = 0;        // seconds since 1970, UTC
  std::int64_t next_attempt = 0;
  std::uint32_t attempts = 0;
  std::string envelope_id;         // ENVID, may be empty
  std::uint8_t return_content = 0; // RET: 0 not given, 1 headers, 2 full
  bool smtputf8 = false, eight_bit = false, require_tls = false;
  std::uint64_t size = 0;
  blob_ref message;                // set by the store on insertion
  std::string held;                // not empty: in quarantine, never due, and why
};

}  // namespace briefwerk::store
