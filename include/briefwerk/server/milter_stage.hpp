#pragma once

// A filter stage that asks a milter: rspamd, OpenDKIM or any other program that speaks the milter protocol
// (protocol/milter). One connection for each SMTP session, opened when there is first something to say.
//
// The milter hears of connect, hello, mail, each recipient that the other stages let through, and the message, as
// stages that this one waited for (stage_options::after) have changed it. It does not hear of unknown commands, of
// recipients that were refused, nor of the fields that the server itself writes (Return-Path, Received,
// Authentication-Results); what it inserts stands below those.
//
// No connection, no answer in time, or one that does not fit the protocol throws filter::stage_failure: it counts by
// the stage's failure mode. The milter is tried again with the next transaction; one that hangs is left alone for a
// while (filter/circuit_breaker.hpp), hook by hook: of these, too, the failure mode decides.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/limits.hpp"
#include "briefwerk/filter/circuit_breaker.hpp"
#include "briefwerk/filter/stage.hpp"

namespace briefwerk::server {

struct milter_address {
  std::string path{};       // of a Unix socket; empty: TCP
  base::endpoint tcp{};
  bool operator==(const milter_address&) const = default;
};

// As Sendmail and Postfix write it: unix:/path (or local:/path), inet:port@host, inet6:port@host, and Postfix's
// inet:host:port. A host is an address, or localhost (127.0.0.1; ::1 with inet6). Nothing: no such address.
std::optional<milter_address> parse_milter_address(std::string_view text);

struct milter_options {
  std::string name;                             // of the stage
  milter_address address;
  std::string hostname;                         // of the server: macros j and {if_name}
  std::chrono::milliseconds limit{30000};       // for all that is asked at one hook
  std::chrono::milliseconds message_limit{300000};  // at the hook message
  std::uint64_t body_size = base::limits::message_size;  // octets of a body that the milter puts in place
  std::string junk_field{};  // a message to which it adds this field with "Yes" is junk: rspamd's X-Spam; empty: none
  filter::circuit_breaker_options hanging{};
};

// Serves sessions of any io_thread; on other executors it fails. Macro {daemon_name}: "MTA", or "ORIGINATING" for mail
// from users, which OpenDKIM's MacroList and rspamd's configurations know from Postfix.
std::shared_ptr<filter::stage> make_milter_stage(milter_options options);

}  // namespace briefwerk::server
