#include "store/mailbox/account_writer.hpp"

#include <algorithm>

#include "store/mailbox/names.hpp"

namespace briefwerk::store {

base::result<account_record*> account_writer::account() {
  if (!account_) {
    auto found = read_.account();
    if (!found) return base::fail(found.error());
    if (!*found) return base::fail(errc::no_such_account);
    account_ = **found;
  }
  return &*account_;
}

base::status account_writer::make_account() {
  auto found = account();
  if (found) return {};
  if (found.error() != errc::no_such_account) return base::fail(found.error());
  account_ = account_record{};
  account_changed_ = true;
  return {};
}

void account_writer::list_changed() {
  ++account_->list_version;
  account_changed_ = true;
}

base::result<account_writer::made> account_writer::create(std::string_view name, mail::special_use use) {
  if (auto there = account(); !there) return base::fail(there.error());
  auto found = read_.name(name);
  if (!found) return base::fail(found.error());
  if (*found && (*found)->id != 0) return base::fail(errc::mailbox_exists);
  auto access = inherited_access(name);
  if (!access) return base::fail(access.error());
  for (const auto parent : parents_of(name)) {
    auto above = read_.holds(keys::of_name(keys::name, parent));
    if (!above) return base::fail(above.error());
    if (*above || out_.writes().contains(keys::of_name(keys::name, parent))) continue;
    if (auto parent_made = create_one(parent, mail::special_use::none, *access); !parent_made)
      return base::fail(parent_made.error());
  }
  return create_one(name, use, *access);
}

// RFC 4314 §4: those of the nearest parent.
base::result<std::string> account_writer::inherited_access(std::string_view name) const {
  const auto parents = parents_of(name);
  for (auto parent = parents.rbegin(); parent != parents.rend(); ++parent) {
    auto found = read_.name(*parent);
    if (!found) return base::fail(found.error());
    if (!*found || (*found)->id == 0) continue;
    auto row = read_.now().get(keys::of_mailbox(keys::access, (*found)->id));
    if (!row) return base::fail(row.error());
    return *row ? std::string((*row)->view()) : std::string();
  }
  return std::string();
}

// RFC 9051 §2.3.1.1: the pair of name and UIDVALIDITY must never come back with other messages, so validities grow
// within the account, whatever the clock does.
base::result<account_writer::made> account_writer::create_one(std::string_view name, mail::special_use use,
                                                                const std::string& access) {
  account_record& counters = *account_;
  if (counters.next_mailbox == UINT32_MAX || counters.last_uid_validity == UINT32_MAX)
    return base::fail(base::errc::limit_exceeded);
  const auto now = static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds_, 1, UINT32_MAX - 1));
  counters.last_uid_validity = std::max(counters.last_uid_validity + 1, now);
  made result;
  result.name = {counters.next_mailbox++, use, counters.last_uid_validity};
  result.head.uid_validity = counters.last_uid_validity;
  out_.put(keys::of_name(keys::name, name), encode(result.name));
  out_.put(keys::of_mailbox(keys::head, result.name.id), encode(result.head));
  if (!access.empty()) out_.put(keys::of_mailbox(keys::access, result.name.id), access);
  list_changed();
  return result;
}

base::status account_writer::load_usage() {
  if (usage_) return {};
  auto found = read_.usage();
  if (!found) return base::fail(found.error());
  usage_ = *found;
  return {};
}

base::status account_writer::take_room(std::uint64_t octets, std::uint64_t messages, bool always) {
  if (auto loaded = load_usage(); !loaded) return loaded;
  const auto over = [](std::uint64_t used, std::uint64_t more, std::uint64_t limit) {
    return limit != 0 && (used > limit || more > limit - used);
  };
  const bool full = over(usage_->used_octets, octets, usage_->limits.octets) ||
                    over(usage_->used_messages, messages, usage_->limits.messages);
  if (full && !always) return base::fail(errc::over_quota);
  usage_->used_octets += octets;
  usage_->used_messages += messages;
  usage_changed_ = true;
  return {};
}

base::status account_writer::give_room(std::uint64_t octets, std::uint64_t messages) {
  if (octets == 0 && messages == 0) return {};
  if (auto loaded = load_usage(); !loaded) return loaded;
  usage_->used_octets -= std::min(usage_->used_octets, octets);
  usage_->used_messages -= std::min(usage_->used_messages, messages);
  usage_changed_ = true;
  return {};
}

base::status account_writer::set_limits(quota_limits limits) {
  if (auto loaded = load_usage(); !loaded) return loaded;
  usage_->limits = limits;
  usage_changed_ = true;
  return {};
}

void account_writer::finish() {
  if (account_changed_) out_.put(keys::account, encode(*account_));
  if (usage_changed_) out_.put(keys::usage, encode(*usage_));
}

}  // namespace briefwerk::store
