#include "briefwerk/delivery/queue_runner.hpp"

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "briefwerk/delivery/report.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/summary.hpp"
#include "delivery/outbound_connection.hpp"

namespace briefwerk::delivery {

namespace smtp = protocol::smtp;
using base::log_level;
using store::recipient_state;

namespace {

constexpr smtp::reply expired{550, {5, 4, 7}, "Delivery time expired"};
constexpr std::chrono::seconds tick{1};

// Something that happened, for one chain that waits.
class signal {
 public:
  void set() {
    happened_ = true;
    if (waiter_) std::exchange(waiter_, std::nullopt)->resume_here(base::status{});
  }
  base::task<void> wait() {
    if (!happened_) {
      (void)co_await base::wait_for<base::status>([this](base::completion<base::status> done) {
        waiter_.emplace(std::move(done));
      });
    }
    happened_ = false;
  }

 private:
  bool happened_ = false;
  std::optional<base::completion<base::status>> waiter_;
};

std::string domain_of(const std::string& address) {
  const auto at = address.rfind('@');
  return at == std::string::npos ? std::string() : address.substr(at + 1);
}

// What goes over the wire: Return-Path is added where mail arrives, not where it is passed on (RFC 5321 §4.4).
std::string_view without_return_path(std::string_view message) {
  mail::header_reader reader(message);
  mail::header_field field;
  if (reader.next(field) && mail::equals_ignoring_case(field.name, "Return-Path")) {
    return message.substr(reader.position());
  }
  return message;
}

mail::smtp_envelope envelope_for(const store::queue_item& item, std::span<const std::size_t> indices) {
  mail::smtp_envelope envelope;
  if (!item.sender.empty()) {
    if (auto sender = mail::parse_mailbox(item.sender, mail::utf8::allow)) envelope.sender = std::move(*sender);
  }
  envelope.envelope_id = item.envelope_id;
  envelope.ret = static_cast<mail::return_content>(item.return_content);
  envelope.body = item.eight_bit ? mail::body_kind::eight_bit_mime : mail::body_kind::seven_bit;
  envelope.smtputf8 = item.smtputf8;
  envelope.require_tls = item.require_tls;
  for (const std::size_t i : indices) {
    const store::queue_recipient& who = item.recipients[i];
    auto address = mail::parse_mailbox(who.address, mail::utf8::allow);
    envelope.recipients.push_back({address ? std::move(*address) : mail::mailbox_address{who.address, {}},
                                   who.original_recipient, who.notify});
  }
  return envelope;
}

}  // namespace

std::chrono::seconds retry_wait(const queue_runner_options& options, std::uint32_t attempts) noexcept {
  auto wait = options.retry_first;
  for (std::uint32_t i = 1; i < attempts && wait < options.retry_most; ++i) wait *= 2;
  return std::min(wait, options.retry_most);
}

struct queue_runner::impl : std::enable_shared_from_this<queue_runner::impl> {
  impl(store::queue_store& q, store::directory& d, base::resolver& names, const base::crypto& c, const base::clock& t,
       queue_runner_options how)
      : queue(q), accounts(d), crypto(c), time(t), options(std::move(how)), routes(names, options.routing) {}

  std::int64_t now() const {
    return std::chrono::floor<std::chrono::seconds>(time.now()).time_since_epoch().count();
  }

  base::task<void> loop();
  base::task<void> ticker();
  base::task<void> process(store::queue_item item);
  base::task<void> send_group(store::queue_item& item, std::string domain, std::vector<std::size_t> indices,
                              std::string_view octets);
  base::task<std::optional<smtp::reply>> send_to(const next_hop& hop, hop_tls tls, store::queue_item& item,
                                                 const std::vector<std::size_t>& indices, std::string_view octets);
  base::task<void> settle(store::queue_item item, std::string_view octets);
  base::task<base::status> report(store::queue_item item, bool done, std::vector<reported_recipient> about,
                                  std::string_view octets);
  void note(store::queue_item& item, const std::vector<std::size_t>& indices, const outbound_connection& connection);
  void set_all(store::queue_item& item, const std::vector<std::size_t>& indices, const smtp::reply& answer,
               std::string_view host);
  void close_idle(bool all);
  outbound_connection::options connection_options(hop_tls tls) const;
  void count(std::string_view what) {
    if (options.metrics) options.metrics->get_counter("queue." + std::string(what)).add();
  }

  store::queue_store& queue;
  store::directory& accounts;
  const base::crypto& crypto;
  const base::clock& time;
  queue_runner_options options;
  router routes;
  net::io_thread* thread = nullptr;
  store::subscription watching;
  std::atomic<bool> stopping{false};
  std::atomic<bool> posted{false};

  // On the thread only.
  signal changed;
  std::set<std::string> busy;
  using idle_key = std::pair<std::string, hop_tls>;
  std::multimap<idle_key, std::unique_ptr<outbound_connection>> idle;
  std::int64_t next_look = 0;
};

queue_runner::queue_runner(store::queue_store& queue, store::directory& accounts, base::resolver& names,
                           const base::crypto& crypto, const base::clock& time, queue_runner_options options)
    : impl_(std::make_shared<impl>(queue, accounts, names, crypto, time, std::move(options))) {}

queue_runner::~queue_runner() { stop(); }

void queue_runner::start(net::io_thread& thread) {
  impl_->thread = &thread;
  // The store calls from its own threads, and once for each commit: one wake-up on its way is enough.
  impl_->watching = impl_->queue.watch([weak = std::weak_ptr(impl_)] {
    const auto self = weak.lock();
    if (!self || self->posted.exchange(true)) return;
    self->thread->post([weak] {
      if (const auto here = weak.lock()) {
        here->posted = false;
        here->changed.set();
      }
    });
  });
  auto keep = [](std::shared_ptr<impl> self) -> base::task<void> { co_await self->loop(); };
  auto keep_ticking = [](std::shared_ptr<impl> self) -> base::task<void> { co_await self->ticker(); };
  base::spawn(thread, keep(impl_));
  base::spawn(thread, keep_ticking(impl_));
}

void queue_runner::stop() {
  if (impl_->stopping.exchange(true)) return;
  impl_->watching = {};
  if (impl_->thread) wake();
}

void queue_runner::wake() {
  impl_->thread->post([weak = std::weak_ptr(impl_)] {
    if (const auto self = weak.lock()) self->changed.set();
  });
}

base::task<void> queue_runner::impl::ticker() {
  while (!stopping) {
    const auto slept = co_await net::sleep_for(tick);
    if (!slept) break;
    close_idle(false);
    if (next_look != 0 && next_look <= now()) changed.set();
  }
  close_idle(true);
}

base::task<void> queue_runner::impl::loop() {
  while (!stopping) {
    const std::size_t room = options.connections > busy.size() ? options.connections - busy.size() : 0;
    if (room != 0) {
      auto due = co_await queue.due(now(), busy.size() + room);
      if (!due) {
        options.log->log(log_level::error, "queue.unreadable", {{"reason", due.error().message()}});
        next_look = now() + 10;
      } else {
        std::size_t begun = 0;
        for (auto& item : *due) {
          if (begun == room || !busy.insert(item.id).second) continue;
          ++begun;
          auto run = [](std::shared_ptr<impl> self, store::queue_item one) -> base::task<void> {
            const std::string id = one.id;
            co_await self->process(std::move(one));
            self->busy.erase(id);
            self->changed.set();
          };
          base::spawn(*thread, run(shared_from_this(), std::move(item)));
        }
        const auto next = co_await queue.next_due();
        next_look = next ? *next : now() + 10;
        // What is due and under way must not keep the ticker ringing.
        if (next_look != 0 && next_look <= now()) next_look = now() + tick.count();
      }
    }
    co_await changed.wait();
  }
}

base::task<void> queue_runner::impl::process(store::queue_item item) {
  auto message = co_await queue.read(item.message);
  if (!message) {
    options.log->log(log_level::error, "queue.message_unreadable",
                     {{"queue_id", item.id}, {"reason", message.error().message()}});
    item.next_attempt = now() + options.retry_most.count();
    (void)co_await queue.update(std::move(item));
    co_return;
  }
  const std::string_view octets = message->view();

  std::map<std::string, std::vector<std::size_t>> by_domain;
  for (std::size_t i = 0; i < item.recipients.size(); ++i) {
    if (item.recipients[i].state == recipient_state::waiting) by_domain[domain_of(item.recipients[i].address)].push_back(i);
  }
  for (auto& [domain, indices] : by_domain) {
    if (stopping) co_return;
    co_await send_group(item, domain, indices, without_return_path(octets));
  }
  if (stopping && thread->is_stopping()) {
    // Recipients that were served must not be served again; for the others nothing has happened.
    const bool progress = std::ranges::any_of(item.recipients, [](const auto& r) { return r.state != recipient_state::waiting; });
    if (!progress) co_return;
  }
  co_await settle(std::move(item), octets);
}

base::task<void> queue_runner::impl::send_group(store::queue_item& item, std::string domain,
                                                std::vector<std::size_t> indices, std::string_view octets) {
  const route_answer answer = co_await routes.find(domain);
  if (const auto* refusal = std::get_if<smtp::reply>(&answer)) {
    set_all(item, indices, *refusal, {});
    co_return;
  }
  const route& way = std::get<route>(answer);
  // RFC 8689 §4.2.1: such a message goes only to a server that has proved its name.
  const hop_tls tls = item.require_tls ? hop_tls::verified : way.tls;
  smtp::reply last{451, {4, 4, 1}, "No host of the domain answered"};
  for (const next_hop& hop : way.hops) {
    auto refused = co_await send_to(hop, tls, item, indices, octets);
    if (!refused) co_return;
    last = std::move(*refused);
    set_all(item, indices, last, hop.host);
    if (stopping) co_return;
  }
}

// Nothing: the hop has answered for each recipient. Otherwise why it could not be asked: the next hop's turn.
base::task<std::optional<smtp::reply>> queue_runner::impl::send_to(const next_hop& hop, hop_tls tls,
                                                                   store::queue_item& item,
                                                                   const std::vector<std::size_t>& indices,
                                                                   std::string_view octets) {
  const idle_key key{hop.host + ":" + std::to_string(hop.port), tls};
  const mail::smtp_envelope envelope = envelope_for(item, indices);
  if (auto kept = idle.extract(key); kept) {
    std::unique_ptr<outbound_connection> connection = std::move(kept.mapped());
    co_await connection->send(envelope, octets);
    // The server may have closed the idle connection: then nothing was said, and a fresh one is tried.
    const bool nothing_said = std::ranges::all_of(connection->outcomes(), [](const auto& one) {
      return one.answer == smtp::replies::connection_lost && one.stage != smtp::outcome_stage::end_of_data;
    });
    if (!nothing_said) {
      note(item, indices, *connection);
      if (connection->is_ready()) idle.emplace(key, std::move(connection));
      co_return std::nullopt;
    }
  }

  const router::addresses found = co_await routes.resolve(hop.host);
  if (found.list.empty()) {
    if (found.temporary) co_return smtp::reply{451, {4, 4, 3}, "No address of " + hop.host + " yet: DNS does not answer"};
    co_return smtp::reply{451, {4, 4, 4}, "The mail server " + hop.host + " has no address"};
  }
  std::optional<smtp::reply> refused;
  for (const base::ip_address& address : found.list) {
    auto connection = std::make_unique<outbound_connection>(hop, connection_options(tls));
    refused = co_await connection->open(*thread, address);
    if (refused) {
      options.log->log(log_level::info, "delivery.refused",
                       {{"queue_id", item.id}, {"host", hop.host}, {"peer", address.to_string()}, {"reply", refused->to_string()}});
      if (stopping) co_return refused;
      continue;
    }
    co_await connection->send(envelope, octets);
    note(item, indices, *connection);
    if (connection->is_ready()) idle.emplace(key, std::move(connection));
    co_return std::nullopt;
  }
  co_return refused;
}

outbound_connection::options queue_runner::impl::connection_options(hop_tls tls) const {
  outbound_connection::options made;
  made.hostname = options.routing.hostname;
  made.tls = tls;
  made.recorded = options.recorded.get();
  made.verified = options.verified.get();
  made.connect = options.connect;
  return made;
}

// Takes over what the server answered for each recipient.
void queue_runner::impl::note(store::queue_item& item, const std::vector<std::size_t>& indices,
                              const outbound_connection& connection) {
  const auto outcomes = connection.outcomes();
  for (std::size_t i = 0; i < indices.size() && i < outcomes.size(); ++i) {
    store::queue_recipient& who = item.recipients[indices[i]];
    const smtp::recipient_outcome& one = outcomes[i];
    who.last_reply = one.answer.to_string();
    who.last_host = connection.hop().host;
    if (one.answer.is_positive()) {
      who.state = recipient_state::delivered;
      // A server with DSN reports itself (RFC 3461 §5.2.1).
      if (one.dsn_relayed) who.notify &= static_cast<std::uint8_t>(~mail::notify::success);
    } else if (one.answer.is_permanent()) {
      who.state = recipient_state::failed;
    }
    count(one.answer.is_positive() ? "delivered" : one.answer.is_permanent() ? "failed" : "deferred");
    options.log->log(log_level::info, one.answer.is_positive() ? "delivery.sent" : "delivery.refused",
                     {{"queue_id", item.id},
                      {"from", item.sender.empty() ? "<>" : item.sender},
                      {"to", who.address},
                      {"host", who.last_host},
                      {"peer", connection.peer().address.to_string()},
                      {"tls", connection.tls_version()},
                      {"reply", who.last_reply}});
  }
}

void queue_runner::impl::set_all(store::queue_item& item, const std::vector<std::size_t>& indices,
                                 const smtp::reply& answer, std::string_view host) {
  for (const std::size_t i : indices) {
    store::queue_recipient& who = item.recipients[i];
    who.last_reply = answer.to_string();
    who.last_host = host;
    if (answer.is_permanent()) who.state = recipient_state::failed;
  }
}

base::task<void> queue_runner::impl::settle(store::queue_item item, std::string_view octets) {
  ++item.attempts;
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
    } else if (who.state == recipient_state::failed && wants_report(who, report_action::failed)) {
      about.push_back({&who, report_action::failed});
    } else if (who.state == recipient_state::delivered && wants_report(who, report_action::delivered)) {
      about.push_back({&who, report_action::relayed});
    }
  }
  item.next_attempt = now() + retry_wait(options, item.attempts).count();

  base::status saved;
  if (!about.empty() && !item.sender.empty()) {
    // Each recipient is reported on once: those settled leave the item with this commit.
    saved = co_await report(std::move(item), !waiting, std::move(about), octets);
  } else if (!waiting) {
    saved = co_await queue.remove(item.id);
  } else {
    std::erase_if(item.recipients, [](const auto& who) { return who.state != recipient_state::waiting; });
    saved = co_await queue.update(std::move(item));
  }
  if (!saved && saved.error() != base::errc::not_found) {
    options.log->log(log_level::error, "queue.not_updated", {{"reason", saved.error().message()}});
  }
}

base::task<base::status> queue_runner::impl::report(store::queue_item item, bool done,
                                                    std::vector<reported_recipient> about, std::string_view octets) {
  const std::string text = make_report(item, about, octets, options.routing.hostname, time.now(), crypto);
  const std::string summary = mail::encode_summary(mail::summarise(text));
  const std::string sender = item.sender;
  std::erase_if(item.recipients, [](const auto& who) { return who.state != recipient_state::waiting; });

  std::vector<store::local_target> targets;
  std::vector<store::queue_item> outgoing;
  auto address = mail::parse_mailbox(sender, mail::utf8::allow);
  if (address) {
    const auto found = co_await accounts.resolve(std::move(*address));
    if (!found) co_return base::fail(found.error());
    std::vector<std::string> remote = found->remote;
    if (found->what == store::resolution::kind::not_local_domain) remote.push_back(sender);
    for (const auto& one : found->accounts) {
      store::local_target& target = targets.emplace_back();
      target.account = one.account;
      target.ignore_quota = true;
    }
    if (!remote.empty()) {
      store::queue_item bounce;
      bounce.arrived = bounce.next_attempt = now();
      bounce.smtputf8 = item.smtputf8;
      bounce.eight_bit = true;
      bounce.size = text.size();
      for (std::string& to : remote) bounce.recipients.emplace_back().address = std::move(to);
      outgoing.push_back(std::move(bounce));
    }
  }
  count("reports");
  options.log->log(log_level::info, "delivery.reported", {{"queue_id", item.id}, {"to", sender}, {"recipients", about.size()}});
  co_return co_await queue.finish(std::move(item), done, {text, summary}, std::move(targets), std::move(outgoing));
}

void queue_runner::impl::close_idle(bool all) {
  const auto limit = std::chrono::steady_clock::now() - options.keep_connection;
  for (auto it = idle.begin(); it != idle.end();) {
    if (!all && it->second->last_used > limit) {
      ++it;
      continue;
    }
    auto say_quit = [](std::unique_ptr<outbound_connection> connection) -> base::task<void> {
      co_await connection->quit();
    };
    base::spawn(*thread, say_quit(std::move(it->second)));
    it = idle.erase(it);
  }
}

}  // namespace briefwerk::delivery
