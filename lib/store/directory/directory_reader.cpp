#include "store/directory/directory_reader.hpp"

#include <algorithm>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::store {

base::result<std::optional<octets>> directory_cache::get(const view& now, const std::string& key) {
  const version_number version = now.version();
  {
    std::lock_guard lock(mutex_);
    if (version_ == version) {
      if (const auto at = rows_.find(key); at != rows_.end()) return at->second;
    }
  }
  auto value = now.get(key);
  if (!value) return value;
  // A copy, so that no block of the engine's cache is pinned.
  std::optional<octets> kept;
  if (*value) kept = octets::copy((*value)->view());
  constexpr std::uint64_t row_cost = 160;  // of the map's node and the shared octets, by estimate
  const std::uint64_t cost = key.size() + (kept ? kept->size() : 0) + row_cost;
  std::lock_guard lock(mutex_);
  if (version < version_) return kept;
  if (version > version_ || octets_ + cost > most_octets_) {
    rows_.clear();
    octets_ = 0;
    version_ = version;
  }
  if (rows_.emplace(key, kept).second) octets_ += cost;
  return kept;
}

base::result<std::optional<domain>> directory_reader::find_domain(std::string_view name) const {
  return row<domain>(directory_keys::of(directory_keys::domain, name),
                     [&](std::string_view value) { return decode_domain(value, name); });
}

base::result<std::optional<account>> directory_reader::find_account(std::string_view id) const {
  return row<account>(directory_keys::of(directory_keys::account, id),
                      [&](std::string_view value) { return decode_directory_account(value, id); });
}

base::result<std::optional<account_id>> directory_reader::find_login(const local_address& address) const {
  return row<account_id>(directory_keys::of(directory_keys::login, address),
                         [](std::string_view value) -> base::result<account_id> { return account_id(value); });
}

base::result<std::optional<alias>> directory_reader::find_alias(const local_address& address) const {
  return row<alias>(directory_keys::of(directory_keys::alias, address), decode_alias);
}

base::result<bool> directory_reader::any(const std::string& prefix) const {
  auto found = now_.scan(key_range::prefix(prefix), {.rows = 1});
  if (!found) return base::fail(found.error());
  return !found->empty();
}

// One resolution on its way.
struct directory_reader::walk {
  resolution found;
  std::set<std::string> seen_aliases, seen_remote;
  std::size_t looked_at = 0;
};

base::result<resolution> directory_reader::resolve(const mail::mailbox_address& address) const {
  walk w;
  auto folded = fold_address(address);
  if (!folded) return std::move(w.found);
  auto local = find_domain(folded->domain);
  if (!local) return base::fail(local.error());
  if (!*local) return std::move(w.found);
  if (auto done = expand(w, address, {}, 0, use_catch_all::yes); !done) return base::fail(done.error());
  const bool anyone = !w.found.accounts.empty() || !w.found.remote.empty();
  w.found.what = anyone ? resolution::kind::local : resolution::kind::unknown_user;
  return std::move(w.found);
}

base::status directory_reader::expand(walk& w, const mail::mailbox_address& address, const std::string& detail,
                                      std::size_t depth, use_catch_all catch_all) const {
  if (depth > base::limits::alias_depth || ++w.looked_at > base::limits::alias_expansion) return {};
  auto folded = fold_address(address);
  if (!folded) return {};
  auto where = find_domain(folded->domain);
  if (!where) return base::fail(where.error());
  if (!*where) {
    if (w.seen_remote.insert(mail::normalised_key(address)).second)
      w.found.remote.push_back(mail::format_mailbox(address));
    return {};
  }
  auto exact = expand_exact(w, *folded, detail, depth);
  if (!exact) return base::fail(exact.error());
  if (*exact) return {};
  const char separator = (*where)->subaddress_separator;
  local_address without_tag = *folded;
  if (without_tag.strip(separator)) {
    // The tag as it was written, since Sieve (RFC 5233) compares it.
    const std::string tag = address.local.substr(address.local.find(separator) + 1);
    auto base_name = expand_exact(w, without_tag, tag, depth);
    if (!base_name) return base::fail(base_name.error());
    if (*base_name) return {};
  }
  if (catch_all == use_catch_all::no || (*where)->catch_all.empty()) return {};
  auto target = mail::parse_mailbox((*where)->catch_all, mail::utf8::allow);
  // A catch-all that is itself unknown must not be caught by itself.
  return target ? expand(w, *target, {}, depth + 1, use_catch_all::no) : base::status();
}

base::result<bool> directory_reader::expand_exact(walk& w, const local_address& address, const std::string& detail,
                                                  std::size_t depth) const {
  auto id = find_login(address);
  if (!id) return base::fail(id.error());
  if (*id) {
    const bool known = std::ranges::any_of(w.found.accounts, [&](const auto& d) { return d.account == **id; });
    if (known) return true;
    auto owner = find_account(**id);
    if (!owner) return base::fail(owner.error());
    if (!*owner) return corrupt(directory_keys::of(directory_keys::login, address));
    w.found.accounts.push_back({**id, (*owner)->login, detail});
    return true;
  }
  auto list = find_alias(address);
  if (!list) return base::fail(list.error());
  if (!*list) return false;
  if (!w.seen_aliases.insert(address.text).second) return true;
  for (const auto& target : (*list)->targets) {
    auto next = mail::parse_mailbox(target, mail::utf8::allow);
    if (!next) continue;
    if (auto done = expand(w, *next, detail, depth + 1, use_catch_all::no); !done) return base::fail(done.error());
  }
  return true;
}

base::result<std::optional<account_id>> directory_reader::sole_account(const local_address& address,
                                                                       bool with_tag) const {
  auto where = find_domain(address.domain);
  if (!where) return base::fail(where.error());
  if (!*where) return std::optional<account_id>();
  walk w;
  auto exact = expand_exact(w, address, {}, 0);
  if (!exact) return base::fail(exact.error());
  local_address without_tag = address;
  if (!*exact && with_tag && without_tag.strip((*where)->subaddress_separator)) {
    auto base_name = expand_exact(w, without_tag, {}, 0);
    if (!base_name) return base::fail(base_name.error());
  }
  if (w.found.accounts.size() != 1 || !w.found.remote.empty()) return std::optional<account_id>();
  return std::optional(w.found.accounts.front().account);
}

}  // namespace briefwerk::store
