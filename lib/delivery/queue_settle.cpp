// What is done with the outcome of an attempt: written down, reported, removed, or put off.

#include <algorithm>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/summary.hpp"
#include "delivery/forward_sender.hpp"
#include "delivery/queue_work.hpp"
#include "delivery/signed_report.hpp"

namespace briefwerk::delivery {

namespace smtp = protocol::smtp;
using base::log_level;
using store::recipient_state;

namespace {

constexpr smtp::reply expired{550, {5, 4, 7}, "Delivery time expired"};
constexpr smtp::reply taken_here{250, {2, 1, 5}, "Delivered"};
constexpr std::chrono::seconds save_again{1};

void drop_settled(store::queue_item& item) {
  std::erase_if(item.recipients, [](const auto& who) { return who.state != recipient_state::waiting; });
}

// Mailboxes and remote addresses for a message that goes on from here.
struct destinations {
  std::vector<store::local_target> targets;
  std::vector<std::string> remote;

  void add_account(const std::string& id) {
    store::local_target& target = targets.emplace_back();
    target.account = id;
    target.ignore_quota = true;
  }
  void add(const store::resolution& found) {
    for (const auto& one : found.accounts) add_account(one.account);
    for (const std::string& address : found.remote) {
      if (std::ranges::find(remote, address) == remote.end()) remote.push_back(address);
    }
  }
};

// For each address what was asked for by `asked` (RFC 3461 §5.2.7).
std::vector<store::queue_item> items_for(store::queue_item like, const std::vector<std::string>& remote,
                                         const store::queue_recipient& asked = {}) {
  std::vector<store::queue_item> made;
  if (remote.empty()) return made;
  like.id.clear();
  like.attempts = 0;
  like.recipients.clear();
  for (const std::string& to : remote) {
    store::queue_recipient& one = like.recipients.emplace_back();
    one.address = to;
    one.original_recipient = asked.original_recipient;
    one.notify = asked.notify;
  }
  made.push_back(std::move(like));
  return made;
}

}  // namespace

// After a commit that failed: true when it is to be tried again. The item stays under way meanwhile, so that what was
// sent is not sent again.
base::task<bool> queue_runner::impl::try_again(base::status saved, const std::string& id) {
  if (saved || saved.error() == base::errc::not_found) co_return false;  // somebody removed the item: so be it
  options.log->log(log_level::error, "queue.not_updated", {{"queue_id", id}, {"reason", saved.error().message()}});
  if (stopping) co_return false;
  const auto slept = co_await net::sleep_for(save_again);
  co_return slept.has_value() && !stopping;
}

base::task<bool> queue_runner::impl::save_progress(const store::queue_item& item) {
  for (;;) {
    const auto saved = co_await queue.update(item);
    if (saved) co_return true;
    const bool again = co_await try_again(saved, item.id);
    if (!again) co_return false;
  }
}

// Recipients of a domain that is served here: it was added after the message came, or an account came or went while
// its mail was on the way.
base::task<void> queue_runner::impl::deliver_here(store::queue_item& item, indices who, std::string_view stored) {
  const std::string summary = mail::encode_summary(mail::summarise(stored));
  std::set<std::string> done;  // several recipients may mean one account or address
  for (const std::size_t i : who) {
    const reply answer = co_await deliver_one_here(item, i, {stored, summary}, done);
    store::queue_recipient& one = item.recipients[i];
    one.last_reply = answer.to_string();
    one.last_host.clear();
    if (answer.is_positive()) one.state = recipient_state::delivered;
    if (answer.is_permanent()) one.state = recipient_state::failed;
    count(answer.is_positive() ? "delivered" : answer.is_permanent() ? "failed" : "deferred");
    options.log->log(log_level::info, answer.is_positive() ? "delivery.stored" : "delivery.refused",
                     {{"queue_id", item.id}, {"to", one.address}, {"reply", one.last_reply}});
  }
}

base::task<smtp::reply> queue_runner::impl::deliver_one_here(store::queue_item& item, std::size_t index,
                                                             store::message_source message, std::set<std::string>& done) {
  auto address = mail::parse_mailbox(item.recipients[index].address, mail::utf8::allow);
  if (!address) co_return smtp::replies::no_such_user;
  const auto found = co_await accounts.resolve(std::move(*address));
  if (!found || options.mailboxes == nullptr) co_return smtp::replies::local_error;
  if (found->what != store::resolution::kind::local) co_return smtp::replies::no_such_user;

  destinations where;
  std::vector<std::string> logins;
  for (const auto& one : found->accounts) {
    if (done.contains(one.account)) continue;
    where.add_account(one.account);
    logins.push_back(one.login);
  }
  store::queue_recipient& who = item.recipients[index];
  std::ranges::copy_if(found->remote, std::back_inserter(where.remote), [&](const std::string& to) { return !done.contains(to); });
  store::queue_item onward = item;
  onward.arrived = onward.next_attempt = now();
  const std::string via = who.address;
  const std::chrono::sys_seconds today{std::chrono::seconds(now())};
  if (!found->remote.empty()) onward.sender = co_await forward_sender(options.forwards, accounts, item.sender, via, today);
  const auto targets = where.targets;
  const auto kept = co_await options.mailboxes->deliver(message, targets, items_for(std::move(onward), where.remote, who));
  if (!kept) co_return smtp::replies::local_error;
  done.insert(where.remote.begin(), where.remote.end());
  // RFC 3461 §5.2.7.2: where it goes on, whoever delivers it reports success.
  if (found->accounts.empty()) who.notify &= static_cast<std::uint8_t>(~mail::notify::success);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if ((*kept)[i]) done.insert(targets[i].account);
    else ++refused;
  }
  if (refused == 0) co_return taken_here;
  if (refused == targets.size() && found->remote.empty()) co_return smtp::replies::local_error;
  // Some of those behind an alias have it: the others go on under their own names.
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if ((*kept)[i]) continue;
    store::queue_recipient other = item.recipients[index];
    other.address = logins[i];
    other.last_reply = smtp::reply(smtp::replies::local_error).to_string();
    item.recipients.push_back(std::move(other));
  }
  co_return taken_here;
}

base::task<void> queue_runner::impl::settle(store::queue_item item, std::string_view stored) {
  ++item.attempts;
  item.arrived = std::min(item.arrived, now());  // the clock was set back
  const std::int64_t age = now() - item.arrived;
  std::vector<reported_recipient> about;
  bool waiting = false;
  for (store::queue_recipient& who : item.recipients) {
    if (who.state == recipient_state::waiting && age >= options.give_up.count()) {
      who.state = recipient_state::failed;
      who.last_reply = expired.to_string() + (who.last_reply.empty() ? "" : "; last: " + who.last_reply);
    }
    if (who.state == recipient_state::waiting) {
      waiting = true;
      const bool late = options.warn_after.count() != 0 && age >= options.warn_after.count();
      if (late && !who.delay_reported && wants_report(who, report_action::delayed)) {
        about.push_back({&who, report_action::delayed});
        who.delay_reported = true;
      }
    } else if (who.state == recipient_state::failed) {
      if (wants_report(who, report_action::failed)) about.push_back({&who, report_action::failed});
      options.log->log(log_level::warning, "delivery.failed",
                       {{"queue_id", item.id},
                        {"from", item.sender.empty() ? std::string("<>") : item.sender},
                        {"to", who.address},
                        {"reply", who.last_reply}});
    } else if (wants_report(who, report_action::delivered)) {
      about.push_back({&who, who.last_host.empty() ? report_action::delivered : report_action::relayed});
    }
  }
  item.next_attempt = now() + retry_wait(options, item.attempts).count();
  // Each recipient is reported on once: those settled leave the item with this commit.
  store::queue_item rest = item;
  drop_settled(rest);
  const bool tells = !about.empty() && !item.sender.empty();  // RFC 5321 §4.5.5: nobody is told about a report

  for (bool again = true; again;) {
    base::status saved;
    if (tells) saved = co_await report(item, rest, !waiting, about, stored);
    else if (waiting) saved = co_await queue.update(rest);
    else saved = co_await queue.remove(item.id);
    again = co_await try_again(saved, item.id);
  }
}

base::task<base::status> queue_runner::impl::report(const store::queue_item& item, const store::queue_item& rest, bool done,
                                                    const std::vector<reported_recipient>& about, std::string_view stored) {
  const std::string text =
      co_await signed_report(options.signer, make_report(item, about, stored, options.routing.hostname, time.now(), crypto));
  const std::string summary = mail::encode_summary(mail::summarise(text));
  destinations where;
  if (auto address = mail::parse_mailbox(item.sender, mail::utf8::allow)) {
    const auto found = co_await accounts.resolve(std::move(*address));
    if (!found) co_return base::fail(found.error());
    where.add(*found);
    if (found->what == store::resolution::kind::not_local_domain) where.remote.push_back(item.sender);
  }
  store::queue_item bounce;
  bounce.arrived = bounce.next_attempt = now();
  bounce.smtputf8 = item.smtputf8;
  bounce.require_tls = item.require_tls;  // RFC 8689 §5
  bounce.eight_bit = true;
  bounce.size = text.size();
  const bool nowhere = where.targets.empty() && where.remote.empty();
  const auto outgoing = items_for(std::move(bounce), where.remote);
  const auto saved = co_await queue.finish(rest, done, {text, summary}, std::move(where.targets), outgoing);
  if (saved) {
    count("reports");
    options.log->log(nowhere ? log_level::warning : log_level::info, nowhere ? "delivery.report_undeliverable" : "delivery.reported",
                     {{"queue_id", item.id}, {"to", item.sender}, {"recipients", about.size()}});
  }
  co_return saved;
}

}  // namespace briefwerk::delivery
