// RFC 9208: one quota root an account, which all its mailboxes share.

#include "session.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

constexpr std::string_view account_root = "Account";

}  // namespace

// STORAGE counts 1024 octets (§5.1); usage rounded up, so that a mailbox with a message is not empty.
base::task<base::status> session::write_quota() {
  const auto usage = co_await mail().usage(account_);
  if (!usage) co_return base::fail(usage.error());
  using pair = std::pair<std::uint64_t, std::uint64_t>;
  std::optional<pair> storage, messages;
  if (usage->limits.octets != 0) storage = pair{(usage->used_octets + 1023) / 1024, usage->limits.octets / 1024};
  if (usage->limits.messages != 0) messages = pair{usage->used_messages, usage->limits.messages};
  machine_.output().quota(account_root, storage, messages);
  co_return base::status{};
}

base::task<void> session::run(const wire::get_quota_command& command) {
  if (command.root != account_root) {
    machine_.complete(condition::no, codes::nonexistent, "No such quota root");
    co_return;
  }
  const auto written = co_await write_quota();
  if (!written)
    complete(refusal_of(written.error()));
  else
    co_await finish(condition::ok, "", "Done", true, false);
}

base::task<void> session::run(const wire::get_quota_root_command& command) {
  // §4.2: also of a mailbox that could be made.
  machine_.output().quota_root(command.mailbox, account_root);
  const auto written = co_await write_quota();
  if (!written)
    complete(refusal_of(written.error()));
  else
    co_await finish(condition::ok, "", "Done", true, false);
}

// Limits are the administrator's; SETQUOTA is not offered to users (§3.1.2, no QUOTASET).
base::task<void> session::run(const wire::set_quota_command&) {
  co_await finish(condition::no, codes::no_perm, "Limits are set by the administrator", true, false);
}

}  // namespace briefwerk::server::imap
