// RFC 9208: one quota root an account, which all its mailboxes share.

#include "session.hpp"
#include "shared_names.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

constexpr std::string_view account_root = "Account";

}  // namespace

// STORAGE counts 1024 octets (§5.1); usage rounded up, so that a mailbox with a message is not empty.
base::task<base::status> session::write_quota(std::string_view root, store::account_id account) {
  const auto usage = co_await mail().usage(std::move(account));
  if (!usage) co_return base::fail(usage.error());
  using pair = std::pair<std::uint64_t, std::uint64_t>;
  std::optional<pair> storage, messages;
  if (usage->limits.octets != 0) storage = pair{(usage->used_octets + 1023) / 1024, usage->limits.octets / 1024};
  if (usage->limits.messages != 0) messages = pair{usage->used_messages, usage->limits.messages};
  machine_.output().quota(root, storage, messages);
  co_return base::status{};
}

base::task<void> session::run(const wire::get_quota_command& command) {
  if (command.root != account_root) {
    machine_.complete(condition::no, codes::nonexistent, "No such quota root");
    co_return;
  }
  const auto written = co_await write_quota(account_root, account_);
  if (!written)
    complete(refusal_of(written.error()));
  else
    co_await finish(condition::ok, "", "Done", true, false);
}

// §4.2: also of a mailbox that could be made. Another account's has its root, which has no usage without a mailbox.
base::task<void> session::run(const wire::get_quota_root_command& command) {
  std::string root(account_root);
  store::account_id account = account_;
  if (const auto shared = is_sharing() ? parse_shared_name(command.mailbox) : std::nullopt) {
    const auto where = co_await locate(std::string(command.mailbox), mail::rights::read);
    if (!where) {
      complete(refusal_of(where.error()));
      co_return;
    }
    root = std::string(other_users).append("/").append(shared->login);
    account = where->account;
  }
  machine_.output().quota_root(command.mailbox, root);
  const auto written = co_await write_quota(root, std::move(account));
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
