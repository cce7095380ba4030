#include "briefwerk/delivery/local_delivery.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "briefwerk/delivery/report.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/summary.hpp"
#include "delivery/forward_sender.hpp"
#include "delivery/signed_report.hpp"

namespace briefwerk::delivery {

namespace {

store::local_target target_for(const std::string& account) {
  store::local_target target;
  target.account = account;
  // The recipient was accepted with room to spare; what others stored meanwhile must not lose this message.
  target.ignore_quota = true;
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

// One address of a queue item, with the domain in its normal form: letter case there makes no second recipient.
std::string key_of(const std::string& address) {
  auto parsed = mail::parse_mailbox(address, mail::utf8::allow);
  return parsed ? mail::normalised_key(*parsed) : address;
}

}  // namespace

// Where one message goes.
struct local_delivery::plan {
  struct origin {
    std::string login;          // of the target's account
    std::size_t recipient = 0;  // of the envelope
  };
  const inbound_message& message;
  std::vector<store::local_target> targets;
  std::vector<origin> origins;  // one for each target
  store::queue_item outgoing;                         // without recipients: the pattern of all items
  std::map<std::string, store::queue_item> items;     // what goes elsewhere, by its sender
  std::set<std::string> known;     // accounts, and addresses elsewhere: each gets it once
  std::vector<std::size_t> local;  // recipients of the envelope that have a mailbox here

  void add_remote(const std::string& sender, const std::string& address, const mail::envelope_recipient& asked) {
    if (!known.insert(key_of(address)).second) return;
    store::queue_item& item = items.try_emplace(sender, outgoing).first->second;
    item.sender = sender;
    item.recipients.push_back(queue_recipient_for(address, asked));
  }
};

local_delivery::local_delivery(store::directory& accounts, store::mailbox_store& mailboxes, const base::clock& time,
                               local_delivery_options options)
    : accounts_(accounts), mailboxes_(mailboxes), time_(time), options_(std::move(options)) {}

base::task<base::status> local_delivery::resolve(const mail::smtp_envelope& envelope, plan& into) {
  for (std::size_t i = 0; i < envelope.recipients.size(); ++i) {
    const mail::envelope_recipient& recipient = envelope.recipients[i];
    const auto found = co_await accounts_.resolve(recipient.address);
    if (!found) co_return base::fail(found.error());
    if (found->what != store::resolution::kind::local) {
      // Unknown users were refused at RCPT; an account that went since then gets its bounce from the queue.
      into.add_remote(into.outgoing.sender, mail::format_mailbox(recipient.address), recipient);
      continue;
    }
    if (!found->accounts.empty()) into.local.push_back(i);
    for (const auto& one : found->accounts) {
      if (!into.known.insert(one.account).second) continue;
      into.targets.push_back(target_for(one.account));
      into.origins.push_back({one.login, i});
      if (!into.message.junk) continue;
      std::string name = co_await junk_mailbox(one.account);
      into.targets.back().mailbox = std::move(name);
      into.targets.back().flags.keywords = {"$Junk"};
    }
    if (!found->remote.empty()) co_await add_forwards(recipient, found->remote, into);
  }
  co_return base::status{};
}

base::task<void> local_delivery::add_forwards(const mail::envelope_recipient& via, const std::vector<std::string>& addresses,
                                              plan& into) {
  const auto now = std::chrono::floor<std::chrono::seconds>(time_.now());
  const std::string sender =
      co_await forward_sender(options_.forwards, accounts_, into.outgoing.sender, mail::format_mailbox(via.address), now);
  for (const std::string& address : addresses) into.add_remote(sender, address, via);
}

// By its special use, whatever its owner calls it.
base::task<std::string> local_delivery::junk_mailbox(std::string account) {
  const auto all = co_await mailboxes_.list(std::move(account));
  if (all) {
    for (const auto& one : *all) {
      if (one.use == mail::special_use::junk && one.selectable) co_return one.name;
    }
  }
  co_return std::string("Junk");
}

// RFC 5321 §4.5.1: <postmaster> is the postmaster of the first domain that has one; from here on he has an address.
base::task<void> local_delivery::give_domain(mail::mailbox_address& bare) {
  const auto all = co_await accounts_.domains();
  if (!all) co_return;
  for (const store::domain& one : *all) {
    mail::mailbox_address whole{bare.local, one.name};
    const auto found = co_await accounts_.resolve(whole);
    if (!found || found->what != store::resolution::kind::local) continue;
    bare = std::move(whole);
    co_return;
  }
}

base::task<base::status> local_delivery::deliver(const mail::smtp_envelope& given, inbound_message message) {
  std::optional<mail::smtp_envelope> completed;
  for (std::size_t i = 0; i < given.recipients.size(); ++i) {
    if (!given.recipients[i].address.domain.empty()) continue;
    if (!completed) completed = given;
    co_await give_domain(completed->recipients[i].address);
  }
  const mail::smtp_envelope& envelope = completed ? *completed : given;
  const auto now = std::chrono::floor<std::chrono::seconds>(time_.now()).time_since_epoch().count();
  if (!message.held.empty()) {
    const auto kept = co_await hold(envelope, message);
    co_return kept;
  }
  plan way{.message = message,
           .targets = {},
           .origins = {},
           .outgoing = queue_item_for(envelope, message, now),
           .items = {},
           .known = {},
           .local = {}};
  const auto resolved = co_await resolve(envelope, way);
  if (!resolved) co_return resolved;

  const std::string summary = mail::encode_summary(mail::summarise(message.octets));
  store::queue_item refused = way.outgoing;
  std::vector<store::queue_item> queue;
  for (auto& [sender, item] : way.items) queue.push_back(std::move(item));
  const auto stored = co_await mailboxes_.deliver({message.octets, summary}, std::move(way.targets), std::move(queue));
  if (!stored) co_return base::fail(stored.error());

  for (std::size_t i = 0; i < stored->size(); ++i) {
    if ((*stored)[i]) continue;
    const plan::origin& from = way.origins[i];
    options_.log->log(base::log_level::warning, "delivery.target_refused",
                      {{"to", from.login}, {"reason", (*stored)[i].error().message()}});
    // The account's own address, since an alias would reach the others once more.
    refused.recipients.push_back(queue_recipient_for(from.login, envelope.recipients[from.recipient]));
    std::erase(way.local, from.recipient);
  }
  if (!refused.recipients.empty()) {
    std::vector<store::queue_item> again;
    again.push_back(std::move(refused));
    const auto kept = co_await mailboxes_.deliver({message.octets, summary}, {}, std::move(again));
    if (!kept) co_return base::fail(kept.error());
  }
  if (options_.crypto && envelope.sender) co_await report_success(envelope, way, message.octets);
  co_return base::status{};
}

// All recipients in one item, whoever they are: the queue's runner delivers it where it belongs once it is released.
base::task<base::status> local_delivery::hold(const mail::smtp_envelope& envelope, const inbound_message& message) {
  const auto now = std::chrono::floor<std::chrono::seconds>(time_.now()).time_since_epoch().count();
  store::queue_item item = queue_item_for(envelope, message, now);
  item.held = message.held;
  for (const auto& recipient : envelope.recipients) {
    item.recipients.push_back(queue_recipient_for(mail::format_mailbox(recipient.address), recipient));
  }
  std::vector<store::queue_item> queue;
  queue.push_back(std::move(item));
  const std::string summary = mail::encode_summary(mail::summarise(message.octets));
  const auto kept = co_await mailboxes_.deliver({message.octets, summary}, {}, std::move(queue));
  if (!kept) co_return base::fail(kept.error());
  co_return base::status{};
}

// RFC 3461 §5.2.3: final delivery of a recipient that asked for it is reported. In a commit after that of the message:
// a crash between the two loses the report, never the message.
base::task<void> local_delivery::report_success(const mail::smtp_envelope& envelope, const plan& done, std::string_view octets) {
  const auto now = std::chrono::floor<std::chrono::seconds>(time_.now()).time_since_epoch().count();
  store::queue_item item = queue_item_for(envelope, done.message, now);
  for (const std::size_t i : done.local) {
    const mail::envelope_recipient& recipient = envelope.recipients[i];
    if (!(recipient.notify_on & mail::notify::success)) continue;
    item.recipients.push_back(queue_recipient_for(mail::format_mailbox(recipient.address), recipient));
  }
  if (item.recipients.empty()) co_return;
  std::vector<reported_recipient> about;
  for (const auto& one : item.recipients) about.push_back({&one, report_action::delivered});
  const std::string text = co_await signed_report(
      options_.signer, make_report(item, about, octets, options_.hostname, time_.now(), *options_.crypto));
  mail::smtp_envelope back;
  back.recipients.push_back({*envelope.sender, {}, 0});
  back.require_tls = envelope.require_tls;  // RFC 8689 §5
  const inbound_message report{.octets = text, .junk = false, .account = {}};
  const auto sent = co_await deliver(back, report);
  if (!sent) {
    options_.log->log(base::log_level::warning, "delivery.report_lost",
                      {{"to", item.sender}, {"reason", sent.error().message()}});
  }
}

base::task<base::status> local_delivery::can_take(const store::resolution& recipient, std::uint64_t size) {
  const std::uint64_t needed = std::max<std::uint64_t>(size, 1);
  std::size_t full = 0;
  for (const auto& one : recipient.accounts) {
    const auto usage = co_await mailboxes_.usage(one.account);
    if (!usage) co_return base::fail(usage.error());
    const auto& limits = usage->limits;
    const bool octets_full = limits.octets != 0 && usage->used_octets + needed > limits.octets;
    const bool messages_full = limits.messages != 0 && usage->used_messages >= limits.messages;
    full += octets_full || messages_full;
  }
  // One full member must not stop the mail of all others behind an alias.
  if (full != 0 && full == recipient.accounts.size() && recipient.remote.empty()) co_return base::fail(store::errc::over_quota);
  co_return base::status{};
}

}  // namespace briefwerk::delivery
