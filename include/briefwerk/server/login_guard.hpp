#pragma once

// Who tries passwords, and who has to wait for it. One guard serves all ports where somebody can log in.
//
// By address (IPv6: by /64): failed logins count, one is forgiven each window/address_failures; address_failures of
// them ban the address for first_ban, each time ban_growth times as long up to longest_ban, until it was well-behaved
// for `repetition` after the last ban. When network_failures /64s of one /48 fail, the /48 is banned in the same way.
// A correct login forgives the failures of its account at once, and all others once a window (more often, somebody with
// an account of his own could guess others for ever).
// The same wrong password for the same name from the same address counts once a window: a program that was told an old
// password is no attacker. (Where the mechanism shows the password: not with SCRAM and CRAM-MD5.)
//
// By account: failed logins from addresses that never logged in to it slow the failing answers down, whether the
// account exists or not. A correct password is answered at once, so nobody is locked out by others.
//
// The networks of `allow` are never counted and never banned, whatever an administrator bans beside them.
//
// Memory is fixed by the options: tables of entries that replace the least important, bans last.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/net/standing.hpp"
#include "briefwerk/store/state_rows.hpp"

namespace briefwerk::server {

struct login_guard_options {
  std::vector<base::ip_network> allow;
  std::uint32_t address_failures = 5;
  std::uint32_t network_failures = 8;  // /64s of one /48
  std::chrono::seconds window = std::chrono::minutes(10);
  std::chrono::seconds first_ban = std::chrono::minutes(10);
  std::uint32_t ban_growth = 4;
  std::chrono::seconds longest_ban = std::chrono::hours(24);
  std::chrono::seconds repetition = std::chrono::hours(7 * 24);
  std::uint32_t account_failures = 10;         // not slowed yet
  std::chrono::milliseconds first_delay{500};  // doubled with each further failure
  std::chrono::milliseconds longest_delay{15000};
  std::chrono::seconds known = std::chrono::hours(90 * 24);  // an address stays known to an account after a login
  // Entries; one takes 160, 112, 16 and 16 octets.
  std::size_t addresses = 1u << 17;
  std::size_t accounts = 1u << 15;
  std::size_t known_pairs = 1u << 18;  // of address and account, and addresses
  std::size_t repeated = 1u << 15;
  // Of the installation, the same after a restart; at least 16 octets: keys of hashed names and passwords.
  std::string secret;
  base::log_sink* log = &base::null_log();  // guard.*
  base::metrics* metrics = nullptr;         // guard.*; null: not counted
};

// A ban as an administrator sees it.
struct ban_info {
  base::ip_network network;
  bool manual = false;                   // made by an administrator
  std::optional<base::wall_time> until;  // nothing: until it is removed
  std::optional<base::wall_time> since;  // of manual ones
  std::string reason;                    // as given, or what was counted
  std::uint32_t repetitions = 0;         // bans of this network lately, this one included
};

// All that is known of one address.
struct address_report {
  base::ip_address address;
  std::optional<base::ip_network> allowed_by;
  std::vector<ban_info> bans;           // that are in force, or would be if it were not allowed
  base::ip_network counted_as;          // the address, or its /64
  double failures = 0;                  // as of now, what was forgiven is gone
  std::uint32_t limit = 0;              // that many ban
  std::chrono::seconds forgiven_in{0};  // all of them, if none is added
  std::uint32_t bans_lately = 0;
  double failing_networks = 0;  // IPv6: /64s of its /48
  std::uint32_t network_limit = 0;
  std::string last_login, last_service;  // of the last failure
  std::vector<std::string> rules;        // each in one sentence
};

// Thread-safe. Times are those of the clock's now(): bans outlive a restart.
class login_guard {
 public:
  // All outlive the guard. `state`: what it remembers over restarts; null: nothing.
  login_guard(const base::crypto& crypto, const base::clock& time, login_guard_options options,
              std::unique_ptr<store::state_rows> state = nullptr);
  ~login_guard();  // writes what is pending

  // Reads the state; once, before the first question. Rows that cannot be read are passed over.
  base::status load();
  // Changes so far are durable when it returns. Blocks.
  base::status flush();
  // Now and then: logs bans that have ended and forgets what no longer counts. Blocks for milliseconds.
  void sweep();

  // May this address connect? nothing: yes. Cheap: no lock but that of one shard, no allocation unless it is banned.
  std::optional<ban_info> find_ban(const base::ip_address& peer) const;
  // The same, counted, with what is said to the peer: "Too many failed logins from 192.0.2.1: try again in 12 minutes".
  struct refusal {
    std::string text;
    bool temporary = true;  // the ban ends by itself
  };
  std::optional<refusal> turn_away(const base::ip_address& peer) const;

  // What is known of the address (IPv6: of its /64): good where somebody logged in lately (`known`), doubtful where
  // failures are not forgiven or there were bans lately (IPv6: also of its /48), unknown where both or neither is so.
  // Who is allowed is good.
  net::standing standing_of(const base::ip_address& peer) const;

  bool is_allowed(const base::ip_address& peer) const noexcept;
  // Has somebody logged in from there to the account of this name?
  bool is_known(const base::ip_address& peer, std::string_view login) const;

  struct attempt {
    base::ip_address peer;
    std::string_view login;                    // as tried; may be empty
    std::optional<std::string_view> password;  // where the mechanism shows it; only a keyed hash is kept
    std::string_view service;                  // "imap", "submission", …: for log and explanation
    std::string_view session_id;               // for the log
  };
  // Counts a failed login; answers how long the answer should be held back.
  std::chrono::milliseconds failed(const attempt& what);
  // Counts a correct one. `account`: the name that the directory gives to it.
  void succeeded(const attempt& what, std::string_view account);

  // For administrators. Errors of add(): denied for a network that lies in `allow` as a whole, limit_exceeded for more
  // than limits::guard_manual_bans. An earlier ban of the same network is replaced.
  base::status add(const base::ip_network& network, std::optional<std::chrono::seconds> duration, std::string reason);
  // Lifts an administrator's ban of exactly this network, and forgets what was counted of addresses in it, their bans
  // included; of a single IPv6 address also its /64 and /48. How many bans there were; not_found: nothing was known.
  base::result<std::size_t> remove(const base::ip_network& network);
  // The soonest to end first; `total` counts those beyond `most` too.
  struct ban_list {
    std::vector<ban_info> bans;
    std::size_t total = 0;
  };
  ban_list list(std::size_t most) const;
  address_report explain(const base::ip_address& peer) const;
  // Names whose failing answers are slowed now.
  struct slowed_account {
    std::string login;
    double failures = 0;
    std::chrono::milliseconds delay{0};
  };
  std::vector<slowed_account> slowed_accounts(std::size_t most) const;

  const login_guard_options& options() const noexcept;
  // Grows with each ban that begins, is lifted or ends: an export is out of date when it has changed.
  std::uint64_t revision() const noexcept;

  struct impl;

 private:
  std::unique_ptr<impl> impl_;
};

}  // namespace briefwerk::server
