// Accounts, mailbox names, subscriptions, quota.

#include <algorithm>
#include <vector>

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox/engine_mailbox_store.hpp"
#include "store/mailbox/name_pages.hpp"
#include "store/mailbox/names.hpp"

namespace briefwerk::store {
namespace {

constexpr std::size_t rows_erased_at_once = 1000;

// Names read at once: of an answer in pieces, and of one as a whole.
constexpr std::size_t rows_of_a_piece = 256, rows_of_all = 1000;

struct initial_mailbox {
  std::string_view name;
  mail::special_use use;
};
constexpr initial_mailbox initial_mailboxes[] = {
    {inbox, mail::special_use::none},         {"Sent", mail::special_use::sent},   {"Drafts", mail::special_use::drafts},
    {"Junk", mail::special_use::junk},        {"Trash", mail::special_use::trash}, {"Archive", mail::special_use::archive},
};

base::status erase_range(account_writer& account, const key_range& range) {
  return account.read().rows(range, [&](std::string_view key, std::string_view) {
    account.out().erase(key);
    return base::status();
  });
}

base::status move_inbox_messages(account_writer& account, const name_record& from, std::string_view to) {
  auto head = require_head(account.read(), from.id);
  if (!head) return base::fail(head.error());
  auto made = account.create(to, mail::special_use::none);
  if (!made) return base::fail(made.error());
  if (auto noted = copy_annotations(account, from.id, made->name.id); !noted) return noted;
  if (auto shared = copy_access(account, from.id, made->name.id); !shared) return shared;
  uid_mapping mapping;
  return transfer_messages(account, from.id, *head, nullptr, made->name.id, made->head, true, mapping);
}

base::status rename_with_children(account_writer& account, const name_record& record, const std::string& from,
                                  const std::string& to) {
  const account_reader& read = account.read();
  // Makes the parents, and finds out whether the name is taken; the mailbox made is the renamed one, not this.
  for (const auto parent : parents_of(to)) {
    auto there = read.holds(keys::of_name(keys::name, parent));
    if (!there) return base::fail(there.error());
    if (*there) continue;
    if (auto made = account.create(parent, mail::special_use::none); !made && made.error() != errc::mailbox_exists)
      return base::fail(made.error());
  }
  account.out().erase(keys::of_name(keys::name, from));
  account.out().put(keys::of_name(keys::name, to), encode(record));
  return read.rows(key_range::prefix(keys::of_name(keys::name, from + '/')),
                   [&](std::string_view key, std::string_view value) -> base::status {
                     auto name = normalise_mailbox_name(to + std::string(key.substr(1 + from.size())));
                     if (!name) return base::fail(name.error());
                     account.out().erase(key);
                     account.out().put(keys::of_name(keys::name, *name), std::string(value));
                     return {};
                   });
}

}  // namespace

change_function engine_mailbox_store::step_of(const std::string& partition, const change& f) {
  return [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    account_writer account(now, partition, core_.report, out, core_.seconds());
    if (auto done = f(account); !done) return done;
    account.finish();
    return {};
  };
}

base::task<base::status> engine_mailbox_store::change_account(const std::string& partition, const change& f,
                                                            bool brief) {
  co_return co_await core_.commit(partition, step_of(partition, f), brief);
}

base::task<base::status> engine_mailbox_store::create_account(account_id account) {
  const std::string partition = keys::partition(account);
  transaction work;
  work.write(std::string(keys::registry_partition),
             [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
               auto there = now.get(account);
               if (!there) return base::fail(there.error());
               if (!*there) out.put(account, {});
               return {};
             });
  work.write(partition, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    account_writer writer(now, partition, core_.report, out, core_.seconds());
    if (auto made = writer.make_account(); !made) return made;
    for (const auto& [name, use] : initial_mailboxes) {
      auto made = writer.create(name, use);
      if (!made && made.error() == errc::mailbox_exists) continue;
      if (!made) return base::fail(made.error());
      out.put(keys::of_name(keys::subscribed, name), {});
    }
    writer.finish();
    return {};
  });
  auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  co_return base::status();
}

base::task<base::status> engine_mailbox_store::remove_account(account_id account) {
  const std::string partition = keys::partition(account);
  // First all that makes it an account, in one commit; then its many rows.
  const auto ended = co_await change_account(partition, [&](account_writer& writer) -> base::status {
    writer.out().erase(keys::account);
    writer.out().erase(keys::usage);
    for (const char kind : {keys::name, keys::subscribed, keys::head})
      if (auto done = erase_range(writer, keys::all(kind)); !done) return done;
    return {};
  });
  if (!ended) co_return ended;
  co_return co_await purge_account(std::move(account));
}

base::task<base::status> engine_mailbox_store::purge_account(account_id account) {
  const std::string partition = keys::partition(account);
  std::vector<key_range> everything{key_range::all()};
  const auto erased = co_await erase_rows(partition, std::move(everything));
  if (!erased) co_return erased;
  co_return co_await core_.commit(std::string(keys::registry_partition),
                                  [&](const view&, std::span<const blob_ref>, batch& out) {
                                    out.erase(account);
                                    return base::status();
                                  });
}

base::task<base::status> engine_mailbox_store::erase_rows(const std::string& partition, std::vector<key_range> ranges) {
  for (bool more = true; more;) {
    const auto done = co_await core_.commit(partition, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
      more = false;
      std::size_t room = rows_erased_at_once;
      for (const auto& range : ranges) {
        if (room == 0) break;
        auto rows = now.scan(range, {.rows = room, .octets = 8u << 20});
        if (!rows) return base::fail(rows.error());
        for (std::size_t i = 0; i < rows->size(); ++i) out.erase((*rows)[i].key);
        room -= rows->size();
        more = more || rows->more();
      }
      more = more || room == 0;
      return {};
    });
    if (!done) co_return done;
  }
  co_return base::status();
}

base::task<base::status> engine_mailbox_store::purge_mailbox(const std::string& partition, mailbox_id mailbox) {
  std::vector<key_range> ranges;
  for (const char kind : {keys::page, keys::states, keys::tail, keys::summary, keys::digest, keys::change, keys::expunged})
    ranges.push_back(keys::all(kind, mailbox));
  ranges.push_back(keys::all(keys::gone, mailbox));  // last: until then the removal is known to be unfinished
  co_return co_await erase_rows(partition, std::move(ranges));
}

base::status engine_mailbox_store::finish_removals() {
  auto registry = core_.where.read(keys::registry_partition);
  if (!registry) return base::fail(registry.error());
  const account_reader accounts(**registry, keys::registry_partition, core_.report);
  return accounts.rows(key_range::all(), [&](std::string_view account, std::string_view) -> base::status {
    const std::string partition = keys::partition(account);
    auto now = core_.where.read(partition);
    if (!now) return base::fail(now.error());
    const account_reader read(**now, partition, core_.report);
    auto there = read.holds(keys::account);
    if (!there) return base::fail(there.error());
    if (!*there) return base::sync_wait(purge_account(std::string(account)));
    return read.rows(keys::all(keys::gone), [&](std::string_view key, std::string_view) -> base::status {
      mailbox_id id = 0;
      std::string_view rest = key.substr(1);
      if (!take_key_number(rest, id)) return read.corrupt(key);
      return base::sync_wait(purge_mailbox(partition, id));
    });
  });
}

base::task<base::result<std::unique_ptr<mailbox_names>>> engine_mailbox_store::names(account_id account) {
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  auto pages = name_pages::open(std::move(*now), partition, core_.report, rows_of_a_piece);
  if (!pages) co_return base::fail(pages.error());
  co_return std::move(*pages);
}

base::task<base::result<std::vector<mailbox_info>>> engine_mailbox_store::list(account_id account) {
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  auto pages = name_pages::open(std::move(*now), partition, core_.report, rows_of_all);
  if (!pages) co_return base::fail(pages.error());
  std::vector<mailbox_info> all;
  for (;;) {
    auto one = (*pages)->take();
    if (!one) co_return base::fail(one.error());
    if (!*one) co_return all;
    all.push_back(std::move(**one));
  }
}

base::task<base::result<mailbox_info>> engine_mailbox_store::find(account_id account, std::string name) {
  auto normal = normalise_mailbox_name(name);
  if (!normal) co_return base::fail(normal.error());
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  auto record = read.name(*normal);
  if (!record) co_return base::fail(record.error());
  if (!*record) co_return base::fail(errc::no_such_mailbox);
  auto subscribed = read.holds(keys::of_name(keys::subscribed, *normal));
  if (!subscribed) co_return base::fail(subscribed.error());
  co_return info_of(*normal, **record, *subscribed);
}

// errc::limit_exceeded when the account has as many rows of the kind as it may. Each name made and each subscription
// changed the list once, so they are counted only where it changed so often. Some more may come of several at once.
base::task<base::status> engine_mailbox_store::room_for_name(const std::string& partition, char kind) {
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  auto account = read.account();
  if (!account) co_return base::fail(account.error());
  if (!*account || (*account)->list_version < base::limits::store_mailboxes) co_return base::status();
  co_return co_await core_.threads.ask<base::status>([&] {
    std::size_t count = 0;
    return read.rows(keys::all(kind), [&](std::string_view, std::string_view) -> base::status {
      if (++count < base::limits::store_mailboxes) return {};
      return base::fail(base::errc::limit_exceeded);
    });
  });
}

base::task<base::result<mailbox_info>> engine_mailbox_store::create(account_id account, std::string name,
                                                                    std::optional<mail::special_use> use) {
  auto normal = normalise_mailbox_name(name);
  if (!normal) co_return base::fail(normal.error());
  mailbox_info info;
  const std::string partition = keys::partition(account);
  const auto room = co_await room_for_name(partition, keys::name);
  if (!room) co_return base::fail(room.error());
  const auto done = co_await change_account(partition, [&](account_writer& writer) -> base::status {
    auto made = writer.create(*normal, use.value_or(mail::special_use::none));
    if (!made) return base::fail(made.error());
    auto subscribed = writer.read().holds(keys::of_name(keys::subscribed, *normal));
    if (!subscribed) return base::fail(subscribed.error());
    info = info_of(*normal, made->name, *subscribed);
    return {};
  });
  if (!done) co_return base::fail(done.error());
  co_return info;
}

base::task<base::status> engine_mailbox_store::rename(account_id account, std::string from, std::string to) {
  auto old_name = normalise_mailbox_name(from);
  if (!old_name) co_return base::fail(old_name.error());
  auto new_name = normalise_mailbox_name(to);
  if (!new_name) co_return base::fail(new_name.error());
  const std::string partition = keys::partition(account);
  const auto room = co_await room_for_name(partition, keys::name);  // for parents that are missing
  if (!room) co_return room;
  co_return co_await change_account(partition, [&](account_writer& writer) -> base::status {
    if (auto there = writer.account(); !there) return base::fail(there.error());
    auto record = writer.read().name(*old_name);
    if (!record) return base::fail(record.error());
    if (!*record) return base::fail(errc::no_such_mailbox);
    auto taken = writer.read().holds(keys::of_name(keys::name, *new_name));
    if (!taken) return base::fail(taken.error());
    if (*taken) return base::fail(errc::mailbox_exists);
    writer.list_changed();
    if (*old_name == inbox) return move_inbox_messages(writer, **record, *new_name);
    if (is_below(*new_name, *old_name)) return base::fail(errc::bad_mailbox_name);
    return rename_with_children(writer, **record, *old_name, *new_name);
  });
}

base::task<base::status> engine_mailbox_store::remove(account_id account, std::string name) {
  auto normal = normalise_mailbox_name(name);
  if (!normal) co_return base::fail(normal.error());
  if (*normal == inbox) co_return base::fail(errc::not_permitted);
  mailbox_id id = 0;
  const std::string partition = keys::partition(account);
  const auto removed = co_await change_account(partition, [&](account_writer& writer) -> base::status {
    if (auto there = writer.account(); !there) return base::fail(there.error());
    auto record = writer.read().name(*normal);
    if (!record) return base::fail(record.error());
    if (!*record) return base::fail(errc::no_such_mailbox);
    auto parent = writer.read().has_children(*normal);
    if (!parent) return base::fail(parent.error());
    id = (*record)->id;
    if (*parent && id == 0) return base::fail(errc::has_children);
    writer.list_changed();
    const std::string key = keys::of_name(keys::name, *normal);
    if (*parent)
      writer.out().put(key, encode(name_record{}));
    else
      writer.out().erase(key);
    if (id == 0) return {};
    auto head = require_head(writer.read(), id);
    if (!head) return base::fail(head.error());
    writer.out().erase(keys::of_mailbox(keys::head, id));
    writer.out().put(keys::of_mailbox(keys::gone, id), {});
    writer.out().erase(keys::of_mailbox(keys::access, id));
    if (auto unnoted = erase_annotations(writer, id); !unnoted) return unnoted;
    return writer.give_room(head->total_size, head->messages);
  });
  if (!removed || id == 0) co_return removed;
  cache_.drop(partition, id);
  co_return co_await purge_mailbox(partition, id);
}

base::task<base::status> engine_mailbox_store::subscribe(account_id account, std::string name, bool subscribed) {
  auto normal = normalise_mailbox_name(name);
  if (!normal) co_return base::fail(normal.error());
  const std::string key = keys::of_name(keys::subscribed, *normal);
  const std::string partition = keys::partition(account);
  if (subscribed) {
    const auto room = co_await room_for_name(partition, keys::subscribed);
    if (!room) co_return room;
  }
  co_return co_await change_account(partition, [&](account_writer& writer) -> base::status {
    if (auto there = writer.account(); !there) return base::fail(there.error());
    auto before = writer.read().holds(key);
    if (!before) return base::fail(before.error());
    if (*before == subscribed) return {};
    if (subscribed)
      writer.out().put(key, {});
    else
      writer.out().erase(key);
    writer.list_changed();
    return {};
  });
}

base::task<base::result<quota_usage>> engine_mailbox_store::usage(account_id account) {
  const std::string partition = keys::partition(account);
  auto row = core_.where.get(partition, keys::usage);
  if (!row) co_return base::fail(row.error());
  if (!*row) co_return quota_usage{};
  auto decoded = decode_usage((*row)->view());
  if (!decoded) co_return core_.report.corrupt(partition, keys::usage);
  co_return *decoded;
}

base::task<base::status> engine_mailbox_store::set_quota(account_id account, quota_limits limits) {
  const std::string partition = keys::partition(account);
  co_return co_await change_account(partition, [&](account_writer& writer) { return writer.set_limits(limits); });
}

subscription engine_mailbox_store::watch(account_id account, std::function<void(mailbox_id)> changed) {
  return watches_.add(keys::partition(account), std::move(changed));
}

}  // namespace briefwerk::store
