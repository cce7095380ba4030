#include "session.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
namespace rights = mail::rights;
using wire::condition;

namespace {

std::uint64_t octets_of_deleted(const store::mailbox_snapshot& mailbox) noexcept {
  std::uint64_t octets = 0;
  for (const auto& page : mailbox.pages())
    for (const auto& entry : *page)
      if ((entry.flags & mail::flags::deleted) != 0) octets += entry.size;
  return octets;
}

// RFC 9051 §6.3.4: "/" at the end only says that children will come.
std::string_view without_slash(std::string_view name) noexcept {
  if (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);
  return name;
}

}  // namespace

std::string session::id_of(const store::account_id& account, store::mailbox_id mailbox) const {
  std::string id = "F" + std::to_string(mailbox);
  if (account != account_) id.append("_").append(account);
  return id;
}

base::task<base::status> session::write_status(std::string_view name, store::account_id account, store::mailbox_id mailbox,
                                               wire::status_items items) {
  const auto now = co_await mail().status(account, mailbox);
  if (!now) co_return base::fail(now.error());
  std::uint32_t recent = 0;
  std::uint64_t deleted_storage = 0;
  const bool asks_for_deleted = (items & wire::status_deleted_storage) != 0 && now->deleted != 0;
  if ((items & wire::status_recent) != 0 || asks_for_deleted) {
    const auto all = co_await mail().snapshot(account, mailbox);
    if (!all) co_return base::fail(all.error());
    const auto first = service_.recent.first(account, mailbox, (*all)->uid_next, all->get(), false);
    recent = static_cast<std::uint32_t>((*all)->count() - (*all)->lower_bound(first));
    if (asks_for_deleted) deleted_storage = octets_of_deleted(**all);
  }
  const std::string id = id_of(account, mailbox);
  const wire::status_values values{.messages = now->messages, .recent = recent, .uid_next = now->uid_next,
                                   .uid_validity = now->uid_validity, .unseen = now->unseen, .deleted = now->deleted,
                                   .size = now->size, .highest_modseq = now->highest_modseq,
                                   .append_limit = options().message_size, .deleted_storage = deleted_storage,
                                   .mailbox_id = id};
  machine_.output().status(name, items, values);
  co_return base::status{};
}

base::task<void> session::run(const wire::status_command& command) {
  const auto where = co_await locate(std::string(command.mailbox), rights::read);
  if (!where || !where->info.selectable) {
    const auto why = where ? refusal{codes::nonexistent, "Not a mailbox that holds messages"} : refusal_of(where.error());
    complete(why);
    co_return;
  }
  const auto written = co_await write_status(command.mailbox, where->account, where->info.id, command.items);
  if (!written)
    complete(refusal_of(written.error()));
  else
    co_await finish(condition::ok, "", "Done", true, false);
}

base::task<void> session::run(const wire::create_command& command) {
  if (command.unknown_use || command.use.size() > 1) {
    machine_.complete(condition::no, codes::use_attr, "That use is not possible");
    co_return;
  }
  std::string name(without_slash(command.mailbox));
  std::optional<mail::special_use> use;
  if (!command.use.empty()) use = command.use.front();
  const auto where = co_await locate_new(std::move(name));
  if (!where) {
    complete(refusal_of(where.error()));
    co_return;
  }
  did_to_name(without_slash(command.mailbox));
  const auto made = co_await mail().create(where->account, where->name, use);
  if (!made) {
    complete(refusal_of(made.error()));
    co_return;
  }
  const std::string code = options().offered.objectid ? codes::mailbox_id(id_of(where->account, made->id)) : std::string();
  co_await finish(condition::ok, code, "Created", true, false);
}

base::task<void> session::run(const wire::delete_command& command) {
  const auto where = co_await locate(std::string(command.mailbox), rights::remove);
  if (!where) {
    complete(refusal_of(where.error()));
    co_return;
  }
  did_to_name(command.mailbox);
  const auto removed = co_await mail().remove(where->account, where->info.name);
  if (!removed) {
    complete(refusal_of(removed.error()));
    co_return;
  }
  if (is_selected() && where->info.id == selected_ && where->account == owner_) {
    leave_mailbox();
    machine_.unselected();
    machine_.output().ok(codes::closed, "The selected mailbox is gone");
  }
  co_await finish(condition::ok, "", "Deleted", true, false);
}

base::task<void> session::run(const wire::rename_command& command) {
  const auto from = co_await locate(std::string(command.from), rights::remove);
  if (!from) {
    complete(refusal_of(from.error()));
    co_return;
  }
  const auto to = co_await locate_new(std::string(command.to));
  if (!to) {
    complete(refusal_of(to.error()));
    co_return;
  }
  if (from->account != to->account) {
    machine_.complete(condition::no, codes::cannot, "Not from one account to another");
    co_return;
  }
  did_to_name(command.from);
  did_to_name(command.to);
  const auto renamed = co_await mail().rename(from->account, from->info.name, to->name);
  if (!renamed)
    complete(refusal_of(renamed.error()));
  else
    co_await finish(condition::ok, "", "Renamed", true, false);
}

// Subscriptions are the user's own, whosesoever mailbox the name means; whether there is one does not matter.
base::task<void> session::run(const wire::subscribe_command& command) {
  std::string name(command.mailbox);
  did_to_name(command.mailbox);
  const auto done = co_await mail().subscribe(account_, std::move(name), command.subscribe);
  if (!done)
    complete(refusal_of(done.error()));
  else
    co_await finish(condition::ok, "", command.subscribe ? "Subscribed" : "Unsubscribed", true, false);
}

}  // namespace briefwerk::server::imap
