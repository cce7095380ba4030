#include "briefwerk/delivery/local_delivery.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/summary.hpp"

namespace briefwerk::delivery {
namespace {

store::local_target target_for(const std::string& account, bool junk) {
  store::local_target target;
  target.account = account;
  // The recipient was accepted with room to spare; what others stored meanwhile must not lose this message.
  target.ignore_quota = true;
  if (junk) {
    target.mailbox = "Junk";
    target.flags.keywords = {"$Junk"};
  }
  return target;
}

store::queue_item queue_item_for(const mail::smtp_envelope& envelope, const inbound_message& message, std::int64_t now) {
  store::queue_item item;
  if (envelope.sender) item.sender = mail::format_mailbox(*envelope.sender);
  item.account = message.account;
  item.arrived = item.next_attempt = now;
  item.envelope_id = envelope.envelope_id;
  item.return_content = static_cast<std::uint8_t>(envelope.ret);
  item.smtputf8 = envelope.smtputf8;
  item.eight_bit = envelope.body != mail::body_kind::seven_bit;
  item.require_tls = envelope.require_tls;
  item.size = message.octets.size();
  return item;
}

store::queue_recipient queue_recipient_for(const std::string& address, const mail::envelope_recipient& asked) {
  store::queue_recipient recipient;
  recipient.address = address;
  recipient.original_recipient = asked.original_recipient;
  recipient.notify = asked.notify_on;
  return recipient;
}

}  // namespace

local_delivery::local_delivery(store::directory& accounts, store::mailbox_store& mailboxes, const base::clock& time)
    : accounts_(accounts), mailboxes_(mailboxes), time_(time) {}

base::task<base::status> local_delivery::deliver(const mail::smtp_envelope& envelope, const inbound_message& message) {
  const auto now = std::chrono::floor<std::chrono::seconds>(time_.now()).time_since_epoch().count();
  std::vector<store::local_target> targets;
  store::queue_item outgoing = queue_item_for(envelope, message, now);
  const auto add_remote = [&](const std::string& address, const mail::envelope_recipient& asked) {
    const bool known = std::ranges::any_of(outgoing.recipients, [&](const auto& r) { return r.address == address; });
    if (!known) outgoing.recipients.push_back(queue_recipient_for(address, asked));
  };

  for (const mail::envelope_recipient& recipient : envelope.recipients) {
    const auto found = co_await accounts_.resolve(recipient.address);
    if (!found) co_return base::fail(found.error());
    if (found->what != store::resolution::kind::local) {
      // Unknown users were refused at RCPT; an account that went since then gets its bounce from the queue.
      add_remote(mail::format_mailbox(recipient.address), recipient);
      continue;
    }
    for (const auto& one : found->accounts) {
      const bool known = std::ranges::any_of(targets, [&](const auto& t) { return t.account == one.account; });
      if (!known) targets.push_back(target_for(one.account, message.junk));
    }
    for (const std::string& address : found->remote) add_remote(address, recipient);
  }

  const std::string summary = mail::encode_summary(mail::summarise(message.octets));
  std::vector<store::queue_item> queue;
  if (!outgoing.recipients.empty()) queue.push_back(std::move(outgoing));
  const auto stored = co_await mailboxes_.deliver({message.octets, summary}, std::move(targets), std::move(queue));
  if (!stored) co_return base::fail(stored.error());
  for (const auto& one : *stored) {
    if (!one) co_return base::fail(one.error());
  }
  co_return base::status{};
}

base::task<base::status> local_delivery::can_take(const store::resolution& recipient, std::uint64_t size) {
  for (const auto& one : recipient.accounts) {
    const auto usage = co_await mailboxes_.usage(one.account);
    if (!usage) co_return base::fail(usage.error());
    const auto& limits = usage->limits;
    const bool octets_full = limits.octets != 0 && usage->used_octets + size >= limits.octets;
    const bool messages_full = limits.messages != 0 && usage->used_messages >= limits.messages;
    if (octets_full || messages_full) co_return base::fail(store::errc::over_quota);
  }
  co_return base::status{};
}

}  // namespace briefwerk::delivery
