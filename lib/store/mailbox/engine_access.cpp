// Who besides its account may do what with a mailbox (RFC 4314), and what goes from one account's mailbox to another's.

#include <algorithm>

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox/engine_mailbox_store.hpp"

namespace briefwerk::store {
namespace {

mail::right_set changed_rights(mail::right_set before, const access_change& change) noexcept {
  switch (change.how) {
    case flag_change::add: return before | change.rights;
    case flag_change::remove: return before & static_cast<mail::right_set>(~change.rights);
    default: return change.rights;
  }
}

void apply_change(access_list& entries, const access_change& change) {
  const auto same = [&](const access_entry& one) { return one.user == change.user && one.negative == change.negative; };
  auto at = std::ranges::find_if(entries, same);
  if (at == entries.end()) at = entries.insert(at, {.user = change.user, .negative = change.negative});
  at->rights = changed_rights(at->rights, change);
  if (at->rights == 0) entries.erase(at);
}

bool gives(const access_list& entries, const account_id& user) noexcept {
  return std::ranges::any_of(entries, [&](const access_entry& one) { return one.user == user && !one.negative; });
}

std::string sharing_key(std::string_view user, std::string_view account) {
  return std::string(user).append(1, '\0').append(account);
}

base::result<std::vector<mailbox_access>> all_access(const account_reader& read) {
  std::vector<mailbox_access> found;
  const auto done = read.rows(keys::all(keys::access), [&](std::string_view key, std::string_view row) -> base::status {
    mailbox_access one;
    std::string_view rest = key.substr(1);
    auto entries = decode_access(row);
    if (!entries || !take_key_number(rest, one.mailbox) || !rest.empty()) return read.corrupt(key);
    one.entries = std::move(*entries);
    found.push_back(std::move(one));
    return {};
  });
  if (!done) return base::fail(done.error());
  return found;
}

}  // namespace

mail::right_set rights_of(const access_list& entries, const account_id& user) noexcept {
  mail::right_set given = 0, taken = 0;
  for (const auto& one : entries) {
    if (!one.user.empty() && one.user != user) continue;
    (one.negative ? taken : given) |= one.rights;
  }
  return given & static_cast<mail::right_set>(~taken);
}

base::task<base::result<access_list>> mailbox_store::access(account_id, mailbox_id) { co_return access_list(); }

base::task<base::result<std::vector<mailbox_access>>> mailbox_store::access_of_all(account_id) {
  co_return std::vector<mailbox_access>();
}

base::task<base::status> mailbox_store::change_access(account_id, mailbox_id, access_change) {
  co_return base::fail(base::errc::unsupported);
}

base::task<base::result<std::vector<account_id>>> mailbox_store::sharing_with(account_id) {
  co_return std::vector<account_id>();
}

base::task<base::result<uid_mapping>> mailbox_store::transfer(transfer_request) {
  co_return base::fail(base::errc::unsupported);
}

base::task<base::result<access_list>> engine_mailbox_store::access(account_id account, mailbox_id mailbox) {
  const std::string partition = keys::partition(account);
  const std::string key = keys::of_mailbox(keys::access, mailbox);
  auto row = core_.where.get(partition, key);
  if (!row) co_return base::fail(row.error());
  if (!*row) co_return access_list();
  auto entries = decode_access((*row)->view());
  if (!entries) co_return core_.report.corrupt(partition, key);
  co_return std::move(*entries);
}

base::task<base::result<std::vector<mailbox_access>>> engine_mailbox_store::access_of_all(account_id account) {
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  co_return all_access(account_reader(**now, partition, core_.report));
}

// The mailbox's row and, for whom it is about, the note that this account shares something with them.
base::task<base::status> engine_mailbox_store::change_access(account_id account, mailbox_id mailbox, access_change asked) {
  const std::string partition = keys::partition(account);
  bool shares = false;
  transaction work;
  work.write(partition, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    account_writer writer(now, partition, core_.report, out, core_.seconds());
    if (auto there = writer.account(); !there) return base::fail(there.error());
    if (auto head = require_head(writer.read(), mailbox); !head) return base::fail(head.error());
    auto all = all_access(writer.read());
    if (!all) return base::fail(all.error());
    auto at = std::ranges::find(*all, mailbox, &mailbox_access::mailbox);
    if (at == all->end()) at = all->insert(at, {.mailbox = mailbox, .entries = {}});
    apply_change(at->entries, asked);
    if (at->entries.size() > base::limits::store_access_entries) return base::fail(base::errc::limit_exceeded);
    const std::string key = keys::of_mailbox(keys::access, mailbox);
    if (at->entries.empty())
      out.erase(key);
    else
      out.put(key, encode_access(at->entries));
    shares = std::ranges::any_of(*all, [&](const mailbox_access& one) { return gives(one.entries, asked.user); });
    writer.list_changed();
    writer.finish();
    return {};
  });
  work.write(std::string(keys::sharing_partition), [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    const std::string key = sharing_key(asked.user, account);
    auto noted = now.get(key);
    if (!noted) return base::fail(noted.error());
    if (shares && !*noted) out.put(key, {});
    if (!shares && *noted) out.erase(key);
    return {};
  });
  // Who sees other mailboxes now hears of it.
  const std::string seeing = keys::partition(asked.user);
  if (!asked.user.empty()) {
    work.write(seeing, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
      account_writer writer(now, seeing, core_.report, out, core_.seconds());
      auto there = writer.account();
      if (!there) return there.error() == errc::no_such_account ? base::status() : base::fail(there.error());
      writer.list_changed();
      writer.finish();
      return {};
    });
  }
  auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  co_return base::status();
}

base::task<base::result<std::vector<account_id>>> engine_mailbox_store::sharing_with(account_id user) {
  const std::string partition(keys::sharing_partition);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  std::vector<account_id> found;
  for (const std::string& whom : {user, account_id()}) {
    const std::string beginning = sharing_key(whom, "");
    const auto read = (*now)->walk(key_range::prefix(beginning), [&](std::string_view key, std::string_view) {
      found.emplace_back(key.substr(beginning.size()));
      return base::status();
    });
    if (!read) co_return base::fail(read.error());
  }
  std::ranges::sort(found);
  const auto twice = std::ranges::unique(found);
  found.erase(twice.begin(), twice.end());
  std::erase(found, user);
  co_return found;
}

base::status copy_access(account_writer& account, mailbox_id from, mailbox_id to) {
  return account.read().row(keys::of_mailbox(keys::access, from), [&](std::string_view, std::string_view row) {
    account.out().put(keys::of_mailbox(keys::access, to), std::string(row));
    return base::status();
  });
}

// Two steps of one commit: what leaves the one mailbox is what comes into the other.
base::task<base::result<uid_mapping>> engine_mailbox_store::transfer(transfer_request what) {
  if (what.from_account == what.to_account && what.flags_kept == ~mail::flag_set{0})
    co_return co_await transfer_inside(std::move(what.from_account), what.from, std::move(what.uids), what.to, what.moves);
  const std::string source = keys::partition(what.from_account), target = keys::partition(what.to_account);
  messages_under_way chosen;
  uid_mapping mapping;
  transaction work;
  work.write(source, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    account_writer account(now, source, core_.report, out, core_.seconds());
    auto head = require_head(account.read(), what.from);
    if (!head) return base::fail(head.error());
    if (auto taken = take_messages(account, what.from, *head, what.uids, what.moves, chosen); !taken) return taken;
    account.finish();
    return {};
  });
  work.write(target, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    account_writer account(now, target, core_.report, out, core_.seconds());
    auto head = require_head(account.read(), what.to);
    if (!head) return base::fail(head.error());
    if (auto put = put_messages(account, what.to, *head, what.flags_kept, chosen, mapping); !put) return put;
    account.finish();
    return {};
  });
  auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  co_return mapping;
}

}  // namespace briefwerk::store
