// One attempt: which recipients go where, and what the servers there say.

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "delivery/queue_work.hpp"

namespace briefwerk::delivery {

namespace smtp = protocol::smtp;
using base::log_level;
using store::recipient_state;

namespace {

constexpr smtp::reply unreadable{554, {5, 3, 0}, "The message cannot be read from the store of this server"};
constexpr smtp::reply directory_failed{451, {4, 3, 0}, "The directory does not answer"};

// RFC 5321 §4.5.3.1.10: every server takes a hundred recipients.
constexpr std::size_t recipients_of_one_transaction = 100;
constexpr std::chrono::seconds silence{60};  // that an address which did not answer is not asked again
constexpr std::chrono::hours silence_remembered{1};
constexpr std::size_t silent_at_most = 10000;

std::string domain_of(const std::string& address) {
  const auto at = address.rfind('@');
  if (at == std::string::npos) return {};
  std::string domain = address.substr(at + 1);
  if (auto ascii = mail::domain_to_ascii(domain)) return std::move(*ascii);
  return domain;
}

bool is_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 128; });
}

bool is_ascii(const mail::mailbox_address& address) noexcept { return is_ascii(address.local) && is_ascii(address.domain); }

mail::smtp_envelope envelope_for(const store::queue_item& item, std::span<const std::size_t> who, const wire_message& message,
                                 hop_tls tls) {
  mail::smtp_envelope envelope;
  const auto parse = [](const std::string& text) {
    auto address = mail::parse_mailbox(text, mail::utf8::allow);
    return address ? std::move(*address) : mail::mailbox_address{text, {}};
  };
  if (!item.sender.empty()) envelope.sender = parse(item.sender);
  envelope.envelope_id = item.envelope_id;
  envelope.ret = static_cast<mail::return_content>(item.return_content);
  envelope.body = message.body;
  envelope.require_tls = item.require_tls && tls == hop_tls::verified;
  bool ascii = !envelope.sender || is_ascii(*envelope.sender);
  for (const std::size_t i : who) {
    const store::queue_recipient& one = item.recipients[i];
    envelope.recipients.push_back({parse(one.address), one.original_recipient, one.notify});
    ascii = ascii && is_ascii(envelope.recipients.back().address);
  }
  // RFC 6531 §3.2: a message that turns out to need no SMTPUTF8 goes to servers without it.
  envelope.smtputf8 = item.smtputf8 && (message.utf8_header || !ascii);
  return envelope;
}

// Of two reasons why a domain could not be asked: one that may pass outweighs one that will not.
void weigh(std::optional<smtp::reply>& worst, smtp::reply next) {
  if (!worst || (worst->is_permanent() && !next.is_permanent())) worst = std::move(next);
}

bool was_settled(const store::queue_recipient& who) { return who.state != recipient_state::waiting; }

// RFC 5321 §4.5.3.1.10: the transaction was full. Servers without enhanced codes may mean something else by 452.
bool found_no_room(const store::queue_recipient& who) {
  if (was_settled(who) || !who.last_reply.starts_with("452 ")) return false;
  std::size_t length = 0;
  const auto status = smtp::enhanced_code::parse_prefix(std::string_view(who.last_reply).substr(4), length);
  return !status || *status == smtp::replies::too_many_recipients.status;
}

}  // namespace

std::string name_of(const next_hop& hop) { return hop.host + ":" + std::to_string(hop.port); }

wire_message look_at(std::string_view stored) noexcept {
  wire_message found{.octets = stored};
  // Return-Path is added where mail arrives, not where it is passed on (RFC 5321 §4.4).
  mail::header_reader first(stored);
  mail::header_field field;
  if (first.next(field) && mail::equals_ignoring_case(field.name, "Return-Path")) {
    found.octets.remove_prefix(first.position());
  }
  mail::header_reader header(found.octets);
  while (header.next(field)) found.utf8_header = found.utf8_header || !is_ascii(field.whole);
  bool high = false;
  char before = 0;
  for (const char c : found.octets) {
    high = high || static_cast<unsigned char>(c) > 127;
    // RFC 2045 §2.8, §2.9: only binary has NUL, or CR and LF that are not together.
    if (c == '\0' || (c == '\n') != (before == '\r')) {
      found.body = mail::body_kind::binary_mime;
      return found;
    }
    before = c;
  }
  if (before == '\r') found.body = mail::body_kind::binary_mime;
  else if (high) found.body = mail::body_kind::eight_bit_mime;
  return found;
}

base::task<void> queue_runner::impl::process(store::queue_item item) {
  const auto stored = co_await queue.read(item.message);
  if (stored) {
    const bool ended = co_await send_all(item, stored->view());
    if (ended) co_await settle(std::move(item), stored->view());
    co_return;
  }
  options.log->log(log_level::error, "queue.message_unreadable",
                   {{"queue_id", item.id}, {"reason", stored.error().message()}});
  if (stored.error() == base::errc::corrupt || stored.error() == base::errc::not_found) {
    // It will not come back: the sender is told.
    for (auto& who : item.recipients) {
      if (was_settled(who)) continue;
      who.last_reply = unreadable.to_string();
      who.state = recipient_state::failed;
    }
  }
  co_await settle(std::move(item), {});
}

base::task<bool> queue_runner::impl::send_all(store::queue_item& item, std::string_view stored) {
  const wire_message message = look_at(stored);
  std::map<std::string, indices> by_domain;
  for (std::size_t i = 0; i < item.recipients.size(); ++i) {
    if (!was_settled(item.recipients[i])) by_domain[domain_of(item.recipients[i].address)].push_back(i);
  }
  bool progress = false;
  std::size_t left = by_domain.size();
  for (auto& [domain, who] : by_domain) {
    if (stopping) co_return progress;
    const auto local = co_await accounts.is_local_domain(domain);
    if (!local) set_all(item, who, directory_failed, {});
    else if (*local) co_await deliver_here(item, who, stored);
    else co_await send_group(item, domain, who, message);
    const bool settled = std::ranges::any_of(who, [&](std::size_t i) { return was_settled(item.recipients[i]); });
    progress = progress || settled;
    // What was delivered is written down before the next domain takes its time.
    if (--left != 0 && settled) {
      const bool saved = co_await save_progress(item);
      if (!saved) co_return false;
    }
  }
  // Cut off: for recipients that nobody took, nothing has happened.
  co_return progress || !thread->is_stopping();
}

base::task<void> queue_runner::impl::send_group(store::queue_item& item, std::string domain, indices who,
                                                const wire_message& message) {
  const route_answer answer = co_await routes.find(domain);
  if (const auto* refusal = std::get_if<reply>(&answer)) {
    set_all(item, who, *refusal, {});
    co_return;
  }
  const route& way = std::get<route>(answer);
  while (!who.empty() && !stopping) {
    const auto end = who.begin() + static_cast<std::ptrdiff_t>(std::min(who.size(), recipients_of_one_transaction));
    const indices some(who.begin(), end);
    std::string host;
    const auto refused = co_await try_hops(way, item, some, message, host);
    if (refused) {
      // Nobody could be asked: that goes for those not yet tried as well.
      set_all(item, who, *refused, host);
      co_return;
    }
    who.erase(who.begin(), end);
    // Servers that take fewer than a hundred get the others at once, as long as each transaction brings some away.
    const bool progress = std::ranges::any_of(some, [&](std::size_t i) { return item.recipients[i].state == recipient_state::delivered; });
    if (!progress) continue;
    std::ranges::copy_if(some, std::back_inserter(who), [&](std::size_t i) { return found_no_room(item.recipients[i]); });
  }
}

// Nothing: a hop has answered for each recipient. Otherwise why none could be asked; permanent only if all of them
// said so.
base::task<std::optional<smtp::reply>> queue_runner::impl::try_hops(const route& way, store::queue_item& item,
                                                                    const indices& who, const wire_message& message,
                                                                    std::string& host) {
  // RFC 8689 §4.2.1: such a message goes only to a server that has proved its name.
  const hop_tls tls = item.require_tls ? hop_tls::verified : way.tls;
  auto refused = co_await try_hops(way, tls, item, who, message, host);
  // §5: a report is not lost for that.
  if (!refused || !item.require_tls || !item.sender.empty() || tls == way.tls || stopping) co_return refused;
  co_return co_await try_hops(way, way.tls, item, who, message, host);
}

base::task<std::optional<smtp::reply>> queue_runner::impl::try_hops(const route& way, hop_tls tls, store::queue_item& item,
                                                                    const indices& who, const wire_message& message,
                                                                    std::string& host) {
  std::optional<reply> worst;
  // RFC 5321 §5.1 allows a limit. Without it, a domain with hundreds of silent hosts holds its place for hours, and a few
  // such domains the whole queue.
  std::size_t left = base::limits::next_hop_addresses;
  for (const next_hop& hop : way.hops) {
    // A host of many dead addresses does not use up what is meant for the next one.
    const bool last = &hop == &way.hops.back();
    std::size_t of_host = last ? left : std::min(left, base::limits::next_host_addresses);
    left -= of_host;
    auto refused = co_await send_to(hop, tls, item, who, message, of_host);
    left += of_host;
    if (!refused) co_return std::nullopt;
    if (!worst || (worst->is_permanent() && !refused->is_permanent())) host = hop.host;
    weigh(worst, std::move(*refused));
    if (stopping || left == 0) break;
  }
  co_return worst;
}

base::task<std::optional<smtp::reply>> queue_runner::impl::send_to(const next_hop& hop, hop_tls tls,
                                                                   store::queue_item& item, const indices& who,
                                                                   const wire_message& message, std::size_t& left) {
  const bool sent = co_await send_on_kept(hop, tls, item, who, message);
  if (sent) co_return std::nullopt;
  const router::addresses found = co_await routes.resolve(hop);
  if (found.list.empty()) {
    if (found.temporary) co_return reply{451, {4, 4, 3}, "No address of " + hop.host + " yet: DNS does not answer"};
    if (found.ignored) co_return reply{554, {5, 4, 6}, "The mail server " + hop.host + " has no address that mail is sent to"};
    co_return reply{550, {5, 4, 4}, "The mail server " + hop.host + " has no address"};  // RFC 3463 §3.5
  }
  std::optional<reply> worst;
  for (const base::ip_address& address : found.list) {
    auto refused = co_await send_fresh(hop, tls, address, item, who, message);
    if (!refused) co_return std::nullopt;
    options.log->log(log_level::info, "delivery.refused",
                     {{"queue_id", item.id}, {"host", hop.host}, {"peer", address.to_string()}, {"reply", refused->to_string()}});
    weigh(worst, std::move(*refused));
    if (--left == 0 || stopping) break;
  }
  co_return worst;
}

base::task<std::optional<smtp::reply>> queue_runner::impl::send_fresh(const next_hop& hop, hop_tls tls, base::ip_address address,
                                                                      store::queue_item& item, const indices& who,
                                                                      const wire_message& message) {
  const base::endpoint where{address, hop.port};
  if (const auto quiet = silent.find(where); quiet != silent.end()) {
    if (quiet->second > time.steady()) co_return reply{451, {4, 4, 1}, address.to_string() + " did not answer a moment ago"};
    // This one tries, and the others do not wait with it: a host that hangs must not hold every place of the queue.
    quiet->second = time.steady() + silence + options.reply_deadline;
  }
  auto connection = std::make_unique<outbound_connection>(hop, connection_options(tls));
  auto refused = co_await connection->open(*thread, address);
  if (refused && tls == hop_tls::optional && connection->handshake_failed() && !stopping) {
    // Nobody demanded it, and what the other side offers does not work.
    options.log->log(log_level::info, "delivery.without_tls", {{"queue_id", item.id}, {"host", hop.host}, {"reply", refused->to_string()}});
    connection = std::make_unique<outbound_connection>(hop, connection_options(hop_tls::none));
    refused = co_await connection->open(*thread, address);
  }
  silent.erase(where);
  if (refused) {
    if (connection->timed_out()) {
      std::erase_if(silent, [this](const auto& one) { return one.second + silence_remembered <= time.steady(); });
      if (silent.size() < silent_at_most) silent[where] = time.steady() + silence;
    }
    co_return refused;
  }
  const mail::smtp_envelope envelope = envelope_for(item, who, message, tls);
  co_await connection->send(envelope, message.octets);
  // It left before it took anything, or cannot take it: the next one may be better.
  if (connection->nothing_taken()) {
    auto why = connection->outcomes().front().answer;
    keep(tls, std::move(connection));
    co_return why;
  }
  note(item, who, *connection);
  keep(tls, std::move(connection));
  co_return std::nullopt;
}

// True: it answered for each recipient. The server may have closed the idle connection; then nothing was said, and a
// fresh one is due.
base::task<bool> queue_runner::impl::send_on_kept(const next_hop& hop, hop_tls tls, store::queue_item& item,
                                                  const indices& who, const wire_message& message) {
  auto kept = idle.extract({name_of(hop), tls});
  if (!kept) co_return false;
  std::unique_ptr<outbound_connection> connection = std::move(kept.mapped());
  const mail::smtp_envelope envelope = envelope_for(item, who, message, tls);
  co_await connection->send(envelope, message.octets);
  if (connection->nothing_taken()) {
    keep(tls, std::move(connection));
    co_return false;
  }
  note(item, who, *connection);
  keep(tls, std::move(connection));
  co_return true;
}

void queue_runner::impl::keep(hop_tls tls, std::unique_ptr<outbound_connection> connection) {
  if (!connection->is_ready()) return;
  if (stopping || !connection->may_go_on()) return retire(std::move(connection));
  const std::string name = name_of(connection->hop());
  idle.emplace(idle_key(name, tls), std::move(connection));
}

outbound_connection::options queue_runner::impl::connection_options(hop_tls tls) const {
  outbound_connection::options made;
  made.hostname = options.routing.hostname;
  made.tls = tls;
  made.recorded = options.recorded.get();
  made.verified = options.verified.get();
  made.connect = options.connect;
  made.deadline = options.reply_deadline;
  made.end_deadline = options.end_deadline;
  return made;
}

// Takes over what the server answered for each recipient.
void queue_runner::impl::note(store::queue_item& item, const indices& who, const outbound_connection& connection) {
  const auto outcomes = connection.outcomes();
  for (std::size_t i = 0; i < who.size() && i < outcomes.size(); ++i) {
    store::queue_recipient& one = item.recipients[who[i]];
    const smtp::recipient_outcome& outcome = outcomes[i];
    one.last_reply = outcome.answer.to_string();
    one.last_host = connection.hop().host;
    if (outcome.answer.is_positive()) {
      one.state = recipient_state::delivered;
      // A server with DSN reports itself (RFC 3461 §5.2.1).
      if (outcome.dsn_relayed) one.notify &= static_cast<std::uint8_t>(~mail::notify::success);
    } else if (outcome.answer.is_permanent()) {
      one.state = recipient_state::failed;
    }
    count(outcome.answer.is_positive() ? "delivered" : outcome.answer.is_permanent() ? "failed" : "deferred");
    options.log->log(log_level::info, outcome.answer.is_positive() ? "delivery.sent" : "delivery.refused",
                     {{"queue_id", item.id},
                      {"from", item.sender.empty() ? std::string("<>") : item.sender},
                      {"to", one.address},
                      {"host", one.last_host},
                      {"peer", connection.peer().address.to_string()},
                      {"tls", connection.tls_version()},
                      {"reply", one.last_reply}});
  }
}

void queue_runner::impl::set_all(store::queue_item& item, const indices& who, const smtp::reply& answer, std::string_view host) {
  for (const std::size_t i : who) {
    store::queue_recipient& one = item.recipients[i];
    one.last_reply = answer.to_string();
    one.last_host = host;
    if (answer.is_permanent()) one.state = recipient_state::failed;
    count(answer.is_permanent() ? "failed" : "deferred");
  }
}

}  // namespace briefwerk::delivery
