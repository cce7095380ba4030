#include "store/mailbox/delivery.hpp"

#include <cstring>

#include "store/mailbox/names.hpp"
#include "store/queue/queue_records.hpp"

namespace briefwerk::store {

message_facts facts_of(const message_source& message, const base::crypto& crypto) {
  message_facts facts;
  facts.size = static_cast<std::uint32_t>(std::min<std::size_t>(message.octets.size(), UINT32_MAX));
  facts.summary = message.summary;
  const std::string digest = crypto.hash(base::hash_kind::sha256, message.octets);
  std::memcpy(facts.email_id.data(), digest.data(), std::min(digest.size(), facts.email_id.size()));
  return facts;
}

delivery::delivery(store_core& core, message_source message, std::vector<local_target> targets,
                   std::vector<queue_item> queue, refusal policy)
    : core_(core),
      message_(message),
      facts_(targets.empty() ? message_facts{} : facts_of(message, core.crypto)),
      targets_(std::move(targets)),
      queue_(std::move(queue)),
      policy_(policy),
      seconds_(core.seconds()) {
  for (local_target& target : targets_) {
    auto normal = normalise_mailbox_name(target.mailbox);
    target.mailbox = normal ? std::move(*normal) : std::string();  // empty: locate() refuses it
    results_.emplace_back(base::fail(base::errc::cancelled));
  }
  for (queue_item& item : queue_) {
    if (item.id.empty()) item.id = core.new_queue_ids.make(core.time, core.crypto);
    item.size = message.octets.size();
  }
}

void delivery::add_to(transaction& work) {
  if (targets_.empty() && queue_.empty()) return;
  const std::size_t blob = work.blobs.size();
  work.blob(message_.octets);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    work.write(keys::partition(targets_[i].account),
               [this, i, blob](const view& now, std::span<const blob_ref> refs, batch& out) {
                 return store(i, now, refs[blob], out);
               });
  }
  if (queue_.empty()) return;
  work.write(std::string(keys::queue_partition),
             [this, blob](const view& now, std::span<const blob_ref> refs, batch& out) {
               return enqueue(now, refs[blob], out);
             });
}

base::status delivery::store(std::size_t target, const view& now, const blob_ref& blob, batch& out) {
  const std::string partition = keys::partition(targets_[target].account);
  account_writer account(now, partition, core_.report, out, seconds_);
  results_[target] = store_one(targets_[target], account, blob);
  if (results_[target]) {
    account.finish();
    return {};
  }
  out.writes().clear();
  // One damaged or exhausted mailbox must not keep the message from the others; a failing engine keeps it from all.
  const std::error_code why = results_[target].error();
  const bool its_own = why.category() == store_category() || why == base::errc::corrupt || why == base::errc::limit_exceeded;
  if (policy_ == refusal::target_alone && its_own) return {};
  return base::fail(why);
}

base::result<appended> delivery::store_one(const local_target& target, account_writer& account, const blob_ref& blob) {
  auto where = locate(target, account);
  if (!where) return base::fail(where.error());
  if (auto room = account.take_room(facts_.size, 1, target.ignore_quota); !room) return base::fail(room.error());
  mailbox_editor box(account, where->id, std::move(where->head));
  auto flags = box.bits(target.flags, mailbox_editor::keywords::fitting);
  if (!flags) return base::fail(flags.error());
  message_entry entry;
  entry.size = facts_.size;
  entry.flags = *flags;
  entry.internal_date = target.internal_date.value_or(seconds_);
  entry.save_date = seconds_;
  entry.blob = blob;
  entry.email_id = facts_.email_id;
  auto uid = box.append(entry, facts_.summary);
  if (!uid) return base::fail(uid.error());
  if (auto done = box.finish(); !done) return base::fail(done.error());
  return appended{box.head().uid_validity, *uid, where->id};
}

base::result<delivery::place> delivery::locate(const local_target& target, account_writer& account) {
  const account_reader& read = account.read();
  const auto open = [&](std::string_view name) -> base::result<std::optional<place>> {
    auto found = read.name(name);
    if (!found) return base::fail(found.error());
    if (!*found || (*found)->id == 0) return std::optional<place>();
    auto head = read.head((*found)->id);
    if (!head) return base::fail(head.error());
    if (!*head) return read.corrupt(keys::of_mailbox(keys::head, (*found)->id));
    return std::optional(place{(*found)->id, std::move(**head)});
  };
  if (!target.mailbox.empty()) {
    auto found = open(target.mailbox);
    if (!found) return base::fail(found.error());
    if (*found) return std::move(**found);
  }
  if (auto there = account.account(); !there) return base::fail(there.error());
  if (target.create_mailbox && !target.mailbox.empty()) {
    auto made = account.create(target.mailbox, mail::special_use::none);
    if (!made) return base::fail(made.error());
    return place{made->name.id, std::move(made->head)};
  }
  if (!target.fall_back_to_inbox)
    return base::fail(target.mailbox.empty() ? errc::bad_mailbox_name : errc::no_such_mailbox);
  auto found = open(inbox);
  if (!found) return base::fail(found.error());
  if (!*found) return base::fail(errc::no_such_mailbox);
  return std::move(**found);
}

base::status delivery::enqueue(const view& now, const blob_ref& blob, batch& out) {
  queue_writer queue(now, core_.report, out);
  for (queue_item& item : queue_) {
    item.message = blob;
    if (auto done = queue.insert(item); !done) return done;
  }
  return queue.finish();
}

}  // namespace briefwerk::store
