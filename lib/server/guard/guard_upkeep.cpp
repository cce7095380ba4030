// The guard over time: what it reads at the start, and what it forgets.

#include "server/guard/guard_impl.hpp"
#include "server/guard/guard_rows.hpp"

namespace briefwerk::server {

using namespace guard;

bool login_guard::impl::is_forgotten(const address_entry& entry, std::int64_t at) const {
  if (entry.is_banned(at) || failures_of(entry, at) > 0) return false;
  return entry.bans == 0 || at - entry.banned_until > repetition;
}

void login_guard::impl::end_of_ban(const base::ip_network& network) {
  ++revision;
  options.log->log(base::log_level::info, "guard.ban_ended", {{"network", network.to_string()}});
}

base::status login_guard::load() {
  impl& all = *impl_;
  if (!all.state) return {};
  const std::int64_t at = all.now();
  std::vector<std::string> outdated;
  const auto adopt = [at](auto& table, std::uint64_t key, const auto& row) {
    table.insert(key, at, [&](auto& entry, const auto*) {
      entry = row;
      entry.key = key;
    });
  };
  const auto done = all.state->load([&](std::string_view key, std::string_view value) {
    bool useful = false;
    if (key.starts_with('a')) {
      auto row = read_address(key, value);
      useful = row && !all.is_forgotten(*row, at);
      if (useful) {
        row->end_is_known = !row->is_banned(at);
        if (row->is_banned(at) && all.counted.banned) all.counted.banned->add();
        adopt(all.addresses, all.address_key(row->network()), *row);
      }
    } else if (key.starts_with('m')) {
      auto row = read_manual(key, value);
      useful = row && (!row->until || *row->until > all.time.now()) && all.manual.put(*row);
    } else if (key.starts_with('k')) {
      const auto row = read_moment(key, value);
      useful = row && at - row->seen < all.known_for;
      if (useful) adopt(all.known, row->key, *row);
    } else if (key.starts_with('u')) {
      const auto row = read_account(key, value);
      useful = row && leaked(row->failures, row->touched, at, all.account_forgiving()) > 0;
      if (useful) adopt(all.accounts, row->key, *row);
    }
    if (!useful) outdated.emplace_back(key);
  });
  for (std::string& key : outdated) all.state->erase(std::move(key));
  ++all.revision;
  return done;
}

base::status login_guard::flush() { return impl_->state ? impl_->state->flush() : base::status(); }

void login_guard::sweep() {
  impl& all = *impl_;
  const std::int64_t at = all.now();
  const auto forget = [&](const auto& entry) {
    if (all.state) all.state->erase(row_key(entry));
    return false;
  };
  all.addresses.for_each([&](address_entry& entry) {
    if (entry.banned_until != 0 && !entry.is_banned(at) && !entry.end_is_known) {
      entry.end_is_known = true;
      if (all.counted.banned) all.counted.banned->subtract();
      all.end_of_ban(entry.network());
    }
    return all.is_forgotten(entry, at) ? forget(entry) : true;
  });
  all.accounts.for_each([&](const account_entry& entry) {
    return leaked(entry.failures, entry.touched, at, all.account_forgiving()) > 0 ? true : forget(entry);
  });
  all.known.for_each([&](const moment_entry& entry) { return at - entry.seen < all.known_for ? true : forget(entry); });
  all.repeated.for_each([&](const moment_entry& entry) { return at - entry.seen < all.window; });
  for (const ban_info& ended : all.manual.take_ended(all.time.now())) {
    if (all.state) all.state->erase(manual_row_key(ended.network));
    all.end_of_ban(ended.network);
  }
}

}  // namespace briefwerk::server
