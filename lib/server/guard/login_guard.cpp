#include "briefwerk/server/login_guard.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "server/guard/guard_impl.hpp"
#include "server/guard/guard_rows.hpp"

namespace briefwerk::server {

using base::log_level;
using namespace guard;

namespace {

std::int64_t milliseconds(std::chrono::seconds duration) { return std::chrono::milliseconds(duration).count(); }

std::uint64_t number_of(std::string_view octets) {
  std::uint64_t out = 0;
  std::memcpy(&out, octets.data(), std::min(octets.size(), sizeof out));
  return out;
}

// A product of 128 bits, folded: seeded, so that nobody outside can choose which set an address falls into.
std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using wide = unsigned __int128;
  const wide product = static_cast<wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

void bump(base::counter* to, std::int64_t n = 1) {
  if (to != nullptr) to->add(n);
}

}  // namespace

namespace guard {

base::ip_network counted_network(const base::ip_address& peer) { return network_of(peer, peer.is_v4() ? 32 : 64); }

std::string folded(std::string_view login) {
  std::string out(login);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

}  // namespace guard

login_guard::impl::impl(const base::crypto& with, const base::clock& clock, login_guard_options how,
                        std::unique_ptr<store::state_rows> kept)
    : crypto(with),
      time(clock),
      options(std::move(how)),
      window(std::max<std::int64_t>(1000, milliseconds(options.window))),
      repetition(milliseconds(options.repetition)),
      known_for(milliseconds(options.known)),
      seed{number_of(with.random_octets(8)) | 1, number_of(with.random_octets(8)) | 1},
      state(std::move(kept)),
      addresses(options.addresses),
      accounts(options.accounts),
      known(options.known_pairs),
      repeated(options.repeated) {
  if (options.metrics == nullptr) return;
  base::metrics& all = *options.metrics;
  counted = {.failures = &all.get_counter("guard.failures"),
             .repeated = &all.get_counter("guard.failures.repeated"),
             .bans = &all.get_counter("guard.bans"),
             .banned = &all.get_counter("guard.banned"),
             .refused = &all.get_counter("guard.connections.refused"),
             .delayed = &all.get_counter("guard.answers.delayed"),
             .displaced = &all.get_counter("guard.entries.displaced")};
}

std::uint64_t login_guard::impl::address_key(const base::ip_network& network) const noexcept {
  const std::string_view octets = network.address.octets();
  const std::uint64_t low = number_of(octets), high = octets.size() > 8 ? number_of(octets.substr(8)) : 0;
  const auto length = static_cast<std::uint64_t>(network.prefix) << 1 | (network.address.is_v4() ? 1 : 0);
  return mixed(mixed(low ^ seed[0], high ^ seed[1]) ^ seed[1], length ^ seed[0] ^ 0x9e3779b97f4a7c15);
}

std::uint64_t login_guard::impl::hashed(char kind, const base::ip_address* peer, std::string_view login,
                                        std::string_view more) const {
  std::string text(1, kind);
  if (peer != nullptr) text += counted_network(*peer).to_string();
  text += '\0';
  text += folded(login);
  text += '\0';
  text += more;
  const std::uint64_t key = number_of(crypto.hmac(base::hash_kind::sha256, options.secret, text));
  return key == 0 ? 1 : key;
}

const base::ip_network* login_guard::impl::allowed_by(const base::ip_address& peer) const noexcept {
  for (const base::ip_network& one : options.allow) {
    if (one.contains(peer)) return &one;
  }
  return nullptr;
}

bool login_guard::impl::is_allowed(const base::ip_address& peer) const noexcept { return allowed_by(peer) != nullptr; }

template <class Entry>
void login_guard::impl::keep(const Entry& entry, const Entry* displaced) {
  if (displaced != nullptr) bump(counted.displaced);
  if (!state) return;
  if (displaced != nullptr) state->erase(row_key(*displaced));
  state->put(row_key(entry), to_row(entry));
}

login_guard::login_guard(const base::crypto& crypto, const base::clock& time, login_guard_options options,
                         std::unique_ptr<store::state_rows> state)
    : impl_(std::make_unique<impl>(crypto, time, std::move(options), std::move(state))) {}

login_guard::~login_guard() = default;

const login_guard_options& login_guard::options() const noexcept { return impl_->options; }
std::uint64_t login_guard::revision() const noexcept { return impl_->revision; }

// Connections.

std::optional<ban_info> login_guard::find_ban(const base::ip_address& peer) const {
  if (impl_->is_allowed(peer)) return std::nullopt;
  if (auto ban = impl_->manual.find(peer, impl_->time.now())) return ban;
  const std::int64_t at = impl_->now();
  if (auto ban = impl_->automatic_ban(counted_network(peer), at)) return ban;
  if (peer.is_v4()) return std::nullopt;
  return impl_->automatic_ban(network_of(peer, 48), at);
}

std::optional<login_guard::refusal> login_guard::turn_away(const base::ip_address& peer) const {
  const auto ban = find_ban(peer);
  if (!ban) return std::nullopt;
  bump(impl_->counted.refused);
  std::string text = (ban->manual ? "Connections from " : "Too many failed logins from ") + peer.to_string();
  if (ban->manual) text += " are refused";
  if (ban->until) {
    text += ": try again in ";
    text += duration_text(std::chrono::ceil<std::chrono::seconds>(*ban->until - impl_->time.now()));
  }
  return refusal{std::move(text), ban->until.has_value()};
}

net::standing login_guard::standing_of(const base::ip_address& peer) const {
  if (is_allowed(peer)) return net::standing::good;
  const std::int64_t at = impl_->now();
  const bool good = impl_->was_seen(impl_->hashed('n', &peer, {}), at);
  bool doubtful = false;
  const auto look_at = [&](const base::ip_network& network) {
    impl_->addresses.find(impl_->address_key(network), [&](const address_entry& entry) {
      doubtful = doubtful || !impl_->is_forgotten(entry, at);
    });
  };
  look_at(counted_network(peer));
  if (!peer.is_v4()) look_at(network_of(peer, 48));
  if (good == doubtful) return net::standing::unknown;
  return good ? net::standing::good : net::standing::doubtful;
}

// Failures.

bool login_guard::impl::was_seen_wrong(const attempt& what) {
  if (!what.password) return false;
  const std::int64_t at = now();
  bool seen = false;
  repeated.insert(hashed('p', &what.peer, what.login, *what.password), at,
                  [&](moment_entry& entry, const moment_entry*) {
                    seen = entry.seen != 0 && at - entry.seen < window;
                    if (!seen) entry.seen = at;
                  });
  if (seen) bump(counted.repeated);
  return seen;
}

login_guard::impl::begun login_guard::impl::begin_ban(address_entry& entry, std::int64_t at) const {
  if (entry.bans != 0 && at - entry.banned_until > repetition) entry.bans = 0;
  const double growth = std::pow(static_cast<double>(options.ban_growth), std::min<int>(entry.bans, 60));
  const double wanted = static_cast<double>(milliseconds(options.first_ban)) * growth;
  const auto duration =
      static_cast<std::int64_t>(std::min(wanted, static_cast<double>(milliseconds(options.longest_ban))));
  entry.bans = static_cast<std::uint16_t>(std::min(entry.bans + 1, 1000));
  entry.banned_until = at + duration;
  entry.end_is_known = false;
  entry.failures = 0;
  entry.by_account = {};
  return {entry.network(), std::chrono::milliseconds(duration), entry.bans};
}

std::optional<login_guard::impl::begun> login_guard::impl::count(const base::ip_network& network, std::uint32_t limit,
                                                                 const attempt& what, bool& fresh) {
  const std::int64_t at = now();
  const auto account = static_cast<std::uint32_t>(hashed('u', nullptr, what.login));
  std::optional<begun> ban;
  addresses.insert(address_key(network), at, [&](address_entry& entry, const address_entry* displaced) {
    if (displaced != nullptr && displaced->is_banned(at)) bump(counted.banned, -1);
    if (entry.prefix == 0) entry.set_network(network);
    if (entry.is_banned(at)) return;  // in a session that began before
    const float before = failures_of(entry, at);
    fresh = before < 0.5F;
    if (before <= 0) entry.by_account = {};
    entry.failures = before + 1;
    entry.touched = at;
    entry.login.set(what.login);
    entry.service.set(what.service);
    // The account's own place, a free one, or the least.
    auto* place = &*std::ranges::min_element(entry.by_account, {}, &address_entry::share::count);
    for (auto& each : entry.by_account) {
      if (each.account == account && each.count > 0) place = &each;
    }
    if (place->account != account) *place = {account, 0};
    place->count += 1;
    // What leaked between the attempts of a quick series does not save it.
    if (entry.failures > static_cast<float>(limit) - 0.5F) ban = begin_ban(entry, at);
    keep(entry, displaced);
  });
  if (ban) {
    bump(counted.bans);
    bump(counted.banned);
    ++revision;
  }
  return ban;
}

void login_guard::impl::log_ban(const begun& ban, std::uint32_t failures, const attempt& what) {
  options.log->log(log_level::warning, "guard.banned",
                   {{"network", ban.network.to_string()},
                    {"seconds", std::chrono::ceil<std::chrono::seconds>(ban.duration).count()},
                    {"failures", failures},
                    {"bans", ban.bans},
                    {"login", what.login},
                    {"service", what.service},
                    {"session", what.session_id}});
}

void login_guard::impl::count_address(const attempt& what) {
  bool fresh = false;
  if (const auto ban = count(counted_network(what.peer), options.address_failures, what, fresh)) {
    log_ban(*ban, options.address_failures, what);
  }
  if (what.peer.is_v4() || !fresh) return;
  bool ignored = false;
  if (const auto ban = count(network_of(what.peer, 48), options.network_failures, what, ignored)) {
    log_ban(*ban, options.network_failures, what);
  }
}

std::chrono::milliseconds login_guard::impl::delay_of(float failures) const {
  const float over = failures - static_cast<float>(options.account_failures);
  if (over <= 0) return {};
  const double delay = static_cast<double>(options.first_delay.count()) *
                       std::exp2(std::min(std::floor(static_cast<double>(over)), 40.0));
  return std::min(options.longest_delay, std::chrono::milliseconds(static_cast<std::int64_t>(std::min(delay, 1e9))));
}

// Counts up to a little above what brings the longest delay, so that it passes soon after the guessing ends.
std::chrono::milliseconds login_guard::impl::count_account(const attempt& what, bool counts) {
  const std::int64_t at = now();
  const auto most = static_cast<float>(options.account_failures) + 16.0F;
  float before = 0, after = 0;
  accounts.insert(hashed('u', nullptr, what.login), at, [&](account_entry& entry, const account_entry* displaced) {
    before = after = leaked(entry.failures, entry.touched, at, account_forgiving());
    if (!counts) return;
    after = std::min(before + 1, most);
    entry.failures = after;
    entry.touched = at;
    entry.login.set(what.login);
    keep(entry, displaced);
  });
  const auto delay = delay_of(after);
  if (delay.count() != 0) bump(counted.delayed);
  if (delay.count() != 0 && delay_of(before).count() == 0) {
    options.log->log(log_level::warning, "guard.account_slowed",
                     {{"login", what.login}, {"failures", options.account_failures}});
  }
  return delay;
}

std::chrono::milliseconds login_guard::failed(const attempt& what) {
  impl& all = *impl_;
  bump(all.counted.failures);
  const bool counts = !all.was_seen_wrong(what);
  if (counts && !all.is_allowed(what.peer)) all.count_address(what);
  if (what.login.empty() || is_known(what.peer, what.login)) return {};
  return all.count_account(what, counts);
}

// Correct logins.

bool login_guard::is_allowed(const base::ip_address& peer) const noexcept { return impl_->is_allowed(peer); }

bool login_guard::is_known(const base::ip_address& peer, std::string_view login) const {
  return impl_->was_seen(impl_->hashed('k', &peer, login), impl_->now());
}

bool login_guard::impl::was_seen(std::uint64_t key, std::int64_t at) const {
  bool lately = false;
  known.find(key, [&](const moment_entry& entry) { lately = at - entry.seen < known_for; });
  return lately;
}

void login_guard::impl::remember(std::uint64_t key) {
  constexpr std::int64_t day = 86'400'000;
  const std::int64_t at = now();
  known.insert(key, at, [&](moment_entry& entry, const moment_entry* displaced) {
    if (at - entry.seen < std::min(day, known_for / 2)) return;
    entry.seen = at;
    keep(entry, displaced);
  });
}

void login_guard::impl::heal(const attempt& what, std::string_view account) {
  const std::int64_t at = now();
  const std::uint32_t names[] = {static_cast<std::uint32_t>(hashed('u', nullptr, what.login)),
                                 static_cast<std::uint32_t>(hashed('u', nullptr, account))};
  addresses.find(address_key(counted_network(what.peer)), [&](address_entry& entry) {
    float left = failures_of(entry, at);
    if (left <= 0 && entry.failures <= 0) return;
    for (auto& each : entry.by_account) {
      if (each.account != names[0] && each.account != names[1]) continue;
      left -= each.count;
      each = {};
    }
    if (left > 0 && at - entry.healed >= window) {
      left = 0;
      entry.healed = at;
    }
    entry.failures = std::max(0.0F, left);
    entry.touched = at;
    if (entry.failures <= 0) entry.by_account = {};
    keep(entry);
  });
}

void login_guard::succeeded(const attempt& what, std::string_view account) {
  impl_->heal(what, account);
  impl_->remember(impl_->hashed('n', &what.peer, {}));
  impl_->remember(impl_->hashed('k', &what.peer, account));
  if (folded(what.login) != folded(account)) impl_->remember(impl_->hashed('k', &what.peer, what.login));
}

}  // namespace briefwerk::server
