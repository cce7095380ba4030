#include "store/directory/engine_directory.hpp"
#include "store/engine/lazy_view.hpp"

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/random_id.hpp"
#include "store/mailbox/account_writer.hpp"

namespace briefwerk::store {
namespace {

using directory_keys::of;

// Addresses and "@domain" of send_as as they are stored.
base::status normalise_senders(std::vector<std::string>& senders) {
  for (std::string& sender : senders) {
    if (sender.starts_with('@')) {
      auto domain = fold_domain(std::string_view(sender).substr(1));
      if (!domain) return base::fail(domain.error());
      sender = '@' + *domain;
      continue;
    }
    auto address = fold_address(sender);
    if (!address) return base::fail(address.error());
    sender = address->text;
  }
  return {};
}

bool sender_matches(std::string_view allowed, const local_address& address) {
  if (allowed.starts_with('@')) return allowed.substr(1) == address.domain;
  const auto folded = fold_address(allowed);
  return folded && folded->domain == address.domain && folded->local == address.local;
}

base::status require_domain(const directory_reader& read, const std::string& name) {
  auto found = read.find_domain(name);
  if (!found) return base::fail(found.error());
  if (!*found) return base::fail(errc::no_such_domain);
  return {};
}

}  // namespace

base::status engine_directory::read(const read_function& f) {
  const auto version = core_.where.version(keys::directory_partition);
  if (!version) return base::fail(version.error());
  const lazy_view cached(core_.where, keys::directory_partition, *version);
  const base::status done = f(directory_reader(cached, core_.report, &cache_));
  if (!cached.is_stale()) return done;
  auto now = core_.where.read(keys::directory_partition);
  if (!now) return base::fail(now.error());
  return f(directory_reader(**now, core_.report, &cache_));
}

base::task<base::status> engine_directory::apply(const change& f) {
  co_return co_await core_.commit(std::string(keys::directory_partition),
                                  [&](const view& now, std::span<const blob_ref>, batch& out) {
                                    return f(directory_reader(now, core_.report, nullptr), out);
                                  });
}

// RFC 5321 §4.5.1: <postmaster> without a domain is the postmaster here; the first domain that has one answers for all.
base::task<base::result<resolution>> engine_directory::resolve_bare(mail::mailbox_address address) {
  auto all = co_await domains();
  if (!all) co_return base::fail(all.error());
  for (const domain& one : *all) {
    address.domain = one.name;
    auto answer = co_await resolve(address);
    if (!answer || answer->what == resolution::kind::local) co_return answer;
  }
  resolution nobody;
  nobody.what = resolution::kind::unknown_user;
  co_return nobody;
}

base::task<base::result<resolution>> engine_directory::resolve(mail::mailbox_address address) {
  if (address.domain.empty()) {
    auto bare = co_await resolve_bare(std::move(address));
    co_return bare;
  }
  base::result<resolution> answer;
  const auto done = read([&](const directory_reader& in) -> base::status {
    answer = in.resolve(address);
    return {};
  });
  if (!done) co_return base::fail(done.error());
  co_return answer;
}

base::task<base::result<account>> engine_directory::find_account(std::string login) {
  account answer;
  const auto address = fold_address(login);
  if (!address) co_return base::fail(errc::no_such_account);
  const auto done = read([&](const directory_reader& in) -> base::status {
    auto id = in.sole_account(*address, false);
    if (!id) return base::fail(id.error());
    if (!*id) return base::fail(errc::no_such_account);
    auto found = in.find_account(**id);
    if (!found) return base::fail(found.error());
    if (!*found) return base::fail(errc::no_such_account);
    answer = std::move(**found);
    return {};
  });
  if (!done) co_return base::fail(done.error());
  co_return answer;
}

base::task<base::result<account>> engine_directory::get_account(account_id id) {
  account answer;
  const auto done = read([&](const directory_reader& in) -> base::status {
    auto found = in.find_account(id);
    if (!found) return base::fail(found.error());
    if (!*found) return base::fail(errc::no_such_account);
    answer = std::move(**found);
    return {};
  });
  if (!done) co_return base::fail(done.error());
  co_return answer;
}

base::task<base::result<bool>> engine_directory::may_send_as(account_id id, mail::mailbox_address address) {
  const auto folded = fold_address(address);
  if (!folded) co_return false;
  bool may = false;
  const auto done = read([&](const directory_reader& in) -> base::status {
    auto who = in.find_account(id);
    if (!who) return base::fail(who.error());
    if (!*who) return base::fail(errc::no_such_account);
    auto sole = in.sole_account(*folded, true);
    if (!sole) return base::fail(sole.error());
    may = (*sole && **sole == id) ||
          std::ranges::any_of((*who)->send_as, [&](const auto& allowed) { return sender_matches(allowed, *folded); });
    return {};
  });
  if (!done) co_return base::fail(done.error());
  co_return may;
}

base::task<base::result<bool>> engine_directory::is_local_domain(std::string name) {
  const auto folded = fold_domain(name);
  if (!folded) co_return false;
  bool local = false;
  const auto done = read([&](const directory_reader& in) -> base::status {
    auto found = in.find_domain(*folded);
    if (!found) return base::fail(found.error());
    local = found->has_value();
    return {};
  });
  if (!done) co_return base::fail(done.error());
  co_return local;
}

// All records of a kind. `decode` gets the row's value, and its key without the kind.
template <class T, class F>
base::result<std::vector<T>> engine_directory::all(char kind, const F& decode) {
  auto now = core_.where.read(keys::directory_partition);
  if (!now) return base::fail(now.error());
  std::vector<T> found;
  const account_reader read(**now, keys::directory_partition, core_.report);
  const auto done = read.rows(keys::all(kind), [&](std::string_view key, std::string_view value) -> base::status {
    auto record = decode(value, key.substr(1));
    if (!record) return core_.report.corrupt(keys::directory_partition, key);
    found.push_back(std::move(*record));
    return {};
  });
  if (!done) return base::fail(done.error());
  return found;
}

base::task<base::result<std::vector<domain>>> engine_directory::domains() {
  co_return all<domain>(directory_keys::domain, decode_domain);
}

base::task<base::result<std::vector<account>>> engine_directory::accounts() {
  auto found = all<account>(directory_keys::account, decode_directory_account);
  if (found) std::ranges::sort(*found, {}, &account::login);
  co_return found;
}

base::task<base::result<std::vector<alias>>> engine_directory::aliases() {
  co_return all<alias>(directory_keys::alias, [](std::string_view value, std::string_view) { return decode_alias(value); });
}

base::task<base::status> engine_directory::put_domain(domain value) {
  auto name = fold_domain(value.name);
  if (!name) co_return base::fail(name.error());
  if (!value.catch_all.empty()) {
    auto target = fold_address(value.catch_all);
    if (!target) co_return base::fail(target.error());
    value.catch_all = target->text;
  }
  co_return co_await apply([&](const directory_reader&, batch& out) {
    out.put(of(directory_keys::domain, *name), encode(value));
    return base::status();
  });
}

base::task<base::status> engine_directory::remove_domain(std::string name) {
  auto folded = fold_domain(name);
  if (!folded) co_return base::fail(folded.error());
  co_return co_await apply([&](const directory_reader& in, batch& out) -> base::status {
    auto found = in.find_domain(*folded);
    if (!found) return base::fail(found.error());
    if (!*found) return base::fail(base::errc::not_found);
    const local_address nobody{*folded, {}, {}};
    for (const char kind : {directory_keys::login, directory_keys::alias}) {
      auto used = in.any(of(kind, nobody));
      if (!used) return base::fail(used.error());
      if (*used) return base::fail(errc::domain_in_use);
    }
    out.erase(of(directory_keys::domain, *folded));
    return {};
  });
}

base::task<base::result<account>> engine_directory::add_account(account value) {
  if (value.id.empty()) value.id = base::random_id(core_.crypto);
  auto address = fold_address(value.login);
  if (!address) co_return base::fail(address.error());
  value.login = address->text;
  if (auto senders = normalise_senders(value.send_as); !senders) co_return base::fail(senders.error());
  const auto done = co_await write_account(value, true);
  if (!done) co_return base::fail(done.error());
  co_return value;
}

base::task<base::status> engine_directory::update_account(account value) {
  auto address = fold_address(value.login);
  if (!address) co_return base::fail(address.error());
  value.login = address->text;
  if (auto senders = normalise_senders(value.send_as); !senders) co_return senders;
  co_return co_await write_account(value, false);
}

base::task<base::status> engine_directory::write_account(const account& value, bool is_new) {
  const auto address = fold_address(value.login);
  if (!address) co_return base::fail(address.error());
  const std::string own = keys::partition(value.id);
  transaction work;
  work.write(std::string(keys::directory_partition),
             [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
               const directory_reader in(now, core_.report, nullptr);
               if (auto served = require_domain(in, address->domain); !served) return served;
               auto before = in.find_account(value.id);
               if (!before) return base::fail(before.error());
               if (is_new && *before) return base::fail(base::errc::already_exists);
               if (!is_new && !*before) return base::fail(errc::no_such_account);
               auto holder = in.find_login(*address);
               if (!holder) return base::fail(holder.error());
               auto list = in.find_alias(*address);
               if (!list) return base::fail(list.error());
               if (*list || (*holder && **holder != value.id)) return base::fail(base::errc::already_exists);
               if (*before) {
                 auto old = fold_address((*before)->login);
                 if (old) out.erase(of(directory_keys::login, *old));
               }
               out.put(of(directory_keys::account, value.id), encode(value));
               out.put(of(directory_keys::login, *address), value.id);
               return {};
             });
  work.write(own, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    account_writer limits(now, own, core_.report, out, core_.seconds());
    if (auto set = limits.set_limits({value.quota_octets, value.quota_messages}); !set) return set;
    limits.finish();
    return {};
  });
  auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  co_return base::status();
}

base::task<base::status> engine_directory::remove_account(account_id id) {
  co_return co_await apply([&](const directory_reader& in, batch& out) -> base::status {
    auto before = in.find_account(id);
    if (!before) return base::fail(before.error());
    if (!*before) return base::fail(errc::no_such_account);
    if (auto old = fold_address((*before)->login)) out.erase(of(directory_keys::login, *old));
    out.erase(of(directory_keys::account, id));
    return {};
  });
}

base::task<base::status> engine_directory::put_alias(alias value) {
  auto address = fold_address(value.address);
  if (!address) co_return base::fail(address.error());
  value.address = address->text;
  if (value.targets.empty()) co_return base::fail(base::errc::malformed);
  if (value.targets.size() > base::limits::alias_targets) co_return base::fail(base::errc::limit_exceeded);
  for (const auto& target : value.targets)
    if (!fold_address(target)) co_return base::fail(base::errc::malformed);
  co_return co_await apply([&](const directory_reader& in, batch& out) -> base::status {
    if (auto served = require_domain(in, address->domain); !served) return served;
    auto holder = in.find_login(*address);
    if (!holder) return base::fail(holder.error());
    if (*holder) return base::fail(base::errc::already_exists);
    out.put(of(directory_keys::alias, *address), encode(value));
    return {};
  });
}

base::task<base::status> engine_directory::remove_alias(std::string address) {
  auto folded = fold_address(address);
  if (!folded) co_return base::fail(folded.error());
  co_return co_await apply([&](const directory_reader& in, batch& out) -> base::status {
    auto found = in.find_alias(*folded);
    if (!found) return base::fail(found.error());
    if (!*found) return base::fail(base::errc::not_found);
    out.erase(of(directory_keys::alias, *folded));
    return {};
  });
}

}  // namespace briefwerk::store
