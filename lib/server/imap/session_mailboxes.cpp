#include "session.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

std::uint64_t octets_of_deleted(const store::mailbox_snapshot& mailbox) noexcept {
  std::uint64_t octets = 0;
  for (const auto& page : mailbox.pages())
    for (const auto& entry : *page)
      if ((entry.flags & mail::flags::deleted) != 0) octets += entry.size;
  return octets;
}

}  // namespace

base::task<base::status> session::write_status(std::string_view name, store::mailbox_id mailbox, wire::status_items items) {
  const auto now = co_await mail().status(account_, mailbox);
  if (!now) co_return base::fail(now.error());
  std::uint32_t recent = 0;
  std::uint64_t deleted_storage = 0;
  const bool asks_for_deleted = (items & wire::status_deleted_storage) != 0 && now->deleted != 0;
  if ((items & wire::status_recent) != 0 || asks_for_deleted) {
    const auto all = co_await mail().snapshot(account_, mailbox);
    if (!all) co_return base::fail(all.error());
    const auto first = service_.recent.first(account_, mailbox, (*all)->uid_next, all->get(), false);
    recent = static_cast<std::uint32_t>((*all)->count() - (*all)->lower_bound(first));
    if (asks_for_deleted) deleted_storage = octets_of_deleted(**all);
  }
  const std::string id = "F" + std::to_string(mailbox);
  const wire::status_values values{.messages = now->messages, .recent = recent, .uid_next = now->uid_next,
                                   .uid_validity = now->uid_validity, .unseen = now->unseen, .deleted = now->deleted,
                                   .size = now->size, .highest_modseq = now->highest_modseq,
                                   .append_limit = options().message_size, .deleted_storage = deleted_storage,
                                   .mailbox_id = id};
  machine_.output().status(name, items, values);
  co_return base::status{};
}

base::task<void> session::run(const wire::status_command& command) {
  std::string name(command.mailbox);
  const auto info = co_await mail().find(account_, std::move(name));
  if (!info || !info->selectable) {
    const auto why = info ? refusal{codes::nonexistent, "Not a mailbox that holds messages"} : refusal_of(info.error());
    complete(why);
    co_return;
  }
  const auto written = co_await write_status(command.mailbox, info->id, command.items);
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
  std::string name(command.mailbox);
  if (name.size() > 1 && name.ends_with('/')) name.pop_back();  // RFC 9051 §6.3.4: only says that children will come
  std::optional<mail::special_use> use;
  if (!command.use.empty()) use = command.use.front();
  const auto made = co_await mail().create(account_, std::move(name), use);
  if (!made) {
    complete(refusal_of(made.error()));
    co_return;
  }
  const std::string code = options().offered.objectid ? codes::mailbox_id("F" + std::to_string(made->id)) : std::string();
  co_await finish(condition::ok, code, "Created", true, false);
}

base::task<void> session::run(const wire::delete_command& command) {
  std::string name(command.mailbox);
  const auto info = co_await mail().find(account_, name);
  const auto removed = co_await mail().remove(account_, std::move(name));
  if (!removed) {
    complete(refusal_of(removed.error()));
    co_return;
  }
  if (info && is_selected() && info->id == selected_) {
    leave_mailbox();
    machine_.unselected();
    machine_.output().ok(codes::closed, "The selected mailbox is gone");
  }
  co_await finish(condition::ok, "", "Deleted", true, false);
}

base::task<void> session::run(const wire::rename_command& command) {
  std::string from(command.from), to(command.to);
  const auto renamed = co_await mail().rename(account_, std::move(from), std::move(to));
  if (!renamed)
    complete(refusal_of(renamed.error()));
  else
    co_await finish(condition::ok, "", "Renamed", true, false);
}

base::task<void> session::run(const wire::subscribe_command& command) {
  std::string name(command.mailbox);
  const auto done = co_await mail().subscribe(account_, std::move(name), command.subscribe);
  if (!done)
    complete(refusal_of(done.error()));
  else
    co_await finish(condition::ok, "", command.subscribe ? "Subscribed" : "Unsubscribed", true, false);
}

}  // namespace briefwerk::server::imap
