#pragma once

#include <array>
#include <atomic>
#include <string>

#include "briefwerk/server/login_guard.hpp"
#include "server/guard/fixed_table.hpp"
#include "server/guard/guard_entries.hpp"
#include "server/guard/manual_bans.hpp"

namespace briefwerk::server {

struct login_guard::impl {
  impl(const base::crypto& with, const base::clock& clock, login_guard_options how,
       std::unique_ptr<store::state_rows> kept);

  std::int64_t now() const noexcept { return time.now().time_since_epoch().count(); }

  // Keys of the tables: of addresses new in each process, of names and passwords the same after a restart.
  std::uint64_t address_key(const base::ip_network& network) const noexcept;
  std::uint64_t hashed(char kind, const base::ip_address* peer, std::string_view login,
                       std::string_view more = {}) const;

  bool is_allowed(const base::ip_address& peer) const noexcept;
  const base::ip_network* allowed_by(const base::ip_address& peer) const noexcept;
  std::optional<ban_info> automatic_ban(const base::ip_network& network, std::int64_t at) const;

  // A ban that has just begun, for the log.
  struct begun {
    base::ip_network network;
    std::chrono::milliseconds duration;
    std::uint32_t bans;
  };
  // Counts one failure (of a /48: one more failing /64). `fresh`: nothing was counted of it any more.
  std::optional<begun> count(const base::ip_network& network, std::uint32_t limit, const attempt& what, bool& fresh);
  begun begin_ban(guard::address_entry& entry, std::int64_t at) const;
  void count_address(const attempt& what);
  void log_ban(const begun& ban, std::uint32_t failures, const attempt& what);
  std::chrono::milliseconds count_account(const attempt& what, bool counts);
  std::chrono::milliseconds delay_of(float failures) const;
  void heal(const attempt& what, std::string_view account);
  // Of a login, by the key of address and name (kind k) or of the address alone (kind n).
  void remember(std::uint64_t key);
  bool was_seen(std::uint64_t key, std::int64_t at) const;
  bool was_seen_wrong(const attempt& what);

  std::int64_t address_forgiving(std::uint32_t limit) const noexcept {
    return window / std::max<std::int64_t>(1, limit);
  }
  std::int64_t account_forgiving() const noexcept { return address_forgiving(options.account_failures); }
  float failures_of(const guard::address_entry& entry, std::int64_t at) const {
    return guard::leaked(entry.failures, entry.touched, at, address_forgiving(limit_of(entry)));
  }
  std::uint32_t limit_of(const guard::address_entry& entry) const {
    return !entry.v4 && entry.prefix == 48 ? options.network_failures : options.address_failures;
  }
  bool is_forgotten(const guard::address_entry& entry, std::int64_t at) const;

  template <class Entry>
  void keep(const Entry& entry, const Entry* displaced = nullptr);
  void end_of_ban(const base::ip_network& network);

  const base::crypto& crypto;
  const base::clock& time;
  const login_guard_options options;
  const std::int64_t window, repetition, known_for;  // milliseconds
  const std::array<std::uint64_t, 2> seed;
  const std::unique_ptr<store::state_rows> state;
  guard::fixed_table<guard::address_entry> addresses;
  guard::fixed_table<guard::account_entry> accounts;
  guard::fixed_table<guard::moment_entry> known;
  guard::fixed_table<guard::moment_entry> repeated;
  guard::manual_bans manual;
  std::atomic<std::uint64_t> revision{0};

  // Null where nothing is counted.
  struct instruments {
    base::counter *failures = nullptr, *repeated = nullptr, *bans = nullptr, *banned = nullptr, *refused = nullptr,
                  *delayed = nullptr, *displaced = nullptr;
  } counted;
};

namespace guard {

// "12 minutes": rounded up, in the largest unit of which there are two.
std::string duration_text(std::chrono::seconds duration);
base::ip_network counted_network(const base::ip_address& peer);  // the address, or its /64
// An ASCII letter more or less does not make another account.
std::string folded(std::string_view login);

}  // namespace guard
}  // namespace briefwerk::server
