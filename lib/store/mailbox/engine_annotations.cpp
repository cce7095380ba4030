// What is noted at mailboxes (RFC 5464).

#include <map>

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox/engine_mailbox_store.hpp"

namespace briefwerk::store {
namespace {

bool is_private(std::string_view entry) noexcept { return entry.starts_with("/private/"); }

// Rows by their key, with the size of their value.
using sizes = std::map<std::string, std::size_t, std::less<>>;

base::result<sizes> sizes_at(const account_reader& read, mailbox_id mailbox) {
  sizes found;
  const auto done =
      read.rows(keys::all(keys::annotation, mailbox), [&](std::string_view key, std::string_view row) -> base::status {
        const auto value = decode_annotation(row);
        if (!value) return read.corrupt(key);
        found.emplace_hint(found.end(), key, value->size());
        return {};
      });
  if (!done) return base::fail(done.error());
  return found;
}

bool fits(const annotation_change& change) noexcept {
  return change.entry.size() <= base::limits::store_annotation_name &&
         (!change.value || change.value->size() <= base::limits::store_annotation_value);
}

// What is noted for itself needs an account, the rest a mailbox, whose changes it counts among (RFC 7162 §3.2).
base::status note_change(account_writer& writer, mailbox_id mailbox) {
  if (mailbox == 0) {
    auto there = writer.account();
    return there ? base::status() : base::fail(there.error());
  }
  auto head = require_head(writer.read(), mailbox);
  if (!head) return base::fail(head.error());
  mailbox_editor box(writer, mailbox, std::move(*head));
  box.modseq();
  return box.finish();
}

base::status make_changes(account_writer& writer, mailbox_id mailbox, std::string_view user,
                          const std::vector<annotation_change>& changes) {
  if (auto noted = note_change(writer, mailbox); !noted) return noted;
  auto now = sizes_at(writer.read(), mailbox);
  if (!now) return base::fail(now.error());
  const auto octets = [&] {
    std::uint64_t sum = 0;
    for (const auto& [key, size] : *now) sum += size;
    return sum;
  };
  const auto before = octets();
  const auto count_before = now->size();
  for (const auto& change : changes) {
    const auto key = keys::of_annotation(mailbox, is_private(change.entry) ? user : std::string_view(), change.entry);
    if (change.value) {
      (*now)[key] = change.value->size();
      writer.out().put(key, encode_annotation(*change.value));
    } else {
      now->erase(key);
      writer.out().erase(key);
    }
  }
  if (now->size() > base::limits::store_annotations && now->size() > count_before)
    return base::fail(errc::too_many_annotations);
  const auto after = octets();
  if (after > before) return writer.take_room(after - before, 0, false);
  return writer.give_room(before - after, 0);
}

}  // namespace

base::task<base::result<std::vector<annotation>>> engine_mailbox_store::annotations(account_id account,
                                                                                    mailbox_id mailbox,
                                                                                    account_id user) {
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  std::vector<annotation> found;
  const auto take = [&](std::string_view owner) {
    const auto beginning = keys::of_annotation(mailbox, owner, "");
    return read.rows(key_range::prefix(beginning), [&](std::string_view key, std::string_view row) -> base::status {
      const auto value = decode_annotation(row);
      if (!value) return read.corrupt(key);
      found.push_back({std::string(key.substr(beginning.size())), std::string(*value)});
      return {};
    });
  };
  // "/private/" is before "/shared/".
  if (const auto own = take(user); !own) co_return base::fail(own.error());
  if (const auto shared = take(""); !shared) co_return base::fail(shared.error());
  co_return found;
}

base::task<base::status> engine_mailbox_store::annotate(account_id account, mailbox_id mailbox, account_id user,
                                                        std::vector<annotation_change> changes) {
  for (const auto& one : changes)
    if (!fits(one)) co_return base::fail(errc::annotation_too_big);
  const std::string partition = keys::partition(account);
  co_return co_await change_account(
      partition, [&](account_writer& writer) { return make_changes(writer, mailbox, user, changes); });
}

base::status copy_annotations(account_writer& account, mailbox_id from, mailbox_id to) {
  std::uint64_t octets = 0;
  const auto beginning = keys::of_mailbox(keys::annotation, from);
  const auto copied = account.read().rows(keys::all(keys::annotation, from), [&](std::string_view key,
                                                                                 std::string_view row) {
    octets += row.size() - 1;
    account.out().put(keys::of_mailbox(keys::annotation, to).append(key.substr(beginning.size())), std::string(row));
    return base::status();
  });
  if (!copied || octets == 0) return copied;
  return account.take_room(octets, 0, false);
}

base::status erase_annotations(account_writer& account, mailbox_id mailbox) {
  auto now = sizes_at(account.read(), mailbox);
  if (!now) return base::fail(now.error());
  std::uint64_t octets = 0;
  for (const auto& [key, size] : *now) {
    octets += size;
    account.out().erase(key);
  }
  return account.give_room(octets, 0);
}

}  // namespace briefwerk::store
