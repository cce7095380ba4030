#include "briefwerk/server/mail_handler.hpp"

#include <charconv>
#include <utility>
#include <variant>
#include <vector>

#include "briefwerk/base/random_id.hpp"
#include "briefwerk/filter/mail_authentication.hpp"
#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/protocol/smtp/received.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "server/smtp/authors.hpp"
#include "server/smtp/edited_message.hpp"
#include "server/smtp/forged_fields.hpp"

namespace briefwerk::server {
namespace {

using filter::action;
using filter::verdict;
namespace smtp = protocol::smtp;

smtp::enhanced_code enhanced_of(const verdict& v) {
  std::size_t length = 0;
  if (const auto parsed = smtp::enhanced_code::parse_prefix(v.enhanced, length)) return *parsed;
  return {static_cast<std::uint16_t>(v.what == action::defer ? 4 : 5), 7, 1};
}

// The reply of a verdict that refuses; a reply of code 0 for one that does not.
reply refusal_of(const verdict& v) {
  if (v.what < action::defer) return {};
  const bool defers = v.what == action::defer;
  const int code = v.code != 0 ? v.code : (defers ? 451 : 550);
  std::string text = v.text;
  if (text.empty()) text = defers ? "Try again later" : "Refused by policy";
  return {code, enhanced_of(v), std::move(text)};
}

// The reply for what a store or a directory could not do.
reply trouble(std::error_code error) {
  if (error == base::errc::no_space) return replies::no_space;
  return replies::local_error;
}

std::string now_as_date(const base::clock& time) {
  return mail::format_date({std::chrono::floor<std::chrono::seconds>(time.now()), 0});
}

std::string score_text(double score) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, score, std::chars_format::fixed, 1);
  return {text, end.ptr};
}

}  // namespace

mail_handler::mail_handler(store::directory& accounts, const filter::chain& chain, message_sink& sink,
                           const base::crypto& crypto, const base::clock& time, mail_handler_options options)
    : accounts_(accounts), chain_(chain), sink_(sink), crypto_(crypto), time_(time), options_(std::move(options)) {}

namespace {

// A first line that begins with a space would become the continuation of the field put in front of it.
base::status separate_from_fields(message_buffer& message) {
  if (message.size() != 0 && (message.view().front() == ' ' || message.view().front() == '\t')) return message.prepend("\r\n");
  return {};
}

}  // namespace

base::task<reply> mail_handler::connect(session_facts& session) {
  const verdict v = co_await chain_.connect(session);
  reply refusal = refusal_of(v);
  if (refusal.code == 0) co_return replies::ok;
  // RFC 5321 §3.1: 554 says that there is no service for this client; a deferred one gets 421 and may come again.
  refusal.code = v.what == action::defer ? 421 : 554;
  co_return refusal;
}

base::task<reply> mail_handler::hello(session_facts& session) {
  const verdict v = co_await chain_.hello(session);
  reply refusal = refusal_of(v);
  if (refusal.code != 0) co_return refusal;
  co_return replies::ok;
}

base::task<reply> mail_handler::mail(session_facts& session, const smtp_envelope& envelope) {
  if (session.where == filter::scope::submission && session.account.empty()) co_return replies::auth_required;
  if (session.where == filter::scope::submission && envelope.sender) {
    // RFC 6409 §6.1. The null sender is let through: mail programs send receipts with it.
    const auto may = co_await accounts_.may_send_as(session.account, *envelope.sender);
    if (!may) co_return trouble(may.error());
    if (!*may) co_return replies::sender_denied;
  }
  const verdict v = co_await chain_.mail(session, envelope);
  reply refusal = refusal_of(v);
  if (refusal.code != 0) co_return refusal;
  co_return replies::sender_ok;
}

base::task<reply> mail_handler::judge_recipient(session_facts& session, const smtp_envelope& envelope,
                                                const envelope_recipient& candidate) {
  const auto found = co_await accounts_.resolve(candidate.address);
  if (!found) co_return trouble(found.error());
  switch (found->what) {
    case store::resolution::kind::unknown_user: co_return replies::no_such_user;
    case store::resolution::kind::not_local_domain:
      if (session.where == filter::scope::submission && !session.account.empty()) co_return replies::recipient_ok;
      co_return replies::relay_denied;
    case store::resolution::kind::local: break;
  }
  const auto can = co_await sink_.can_take(*found, envelope.announced_size);
  if (!can && can.error() == store::errc::over_quota) co_return replies::mailbox_full;
  if (!can) co_return trouble(can.error());
  co_return replies::recipient_ok;
}

base::task<reply> mail_handler::rcpt(session_facts& session, const smtp_envelope& envelope,
                                     const envelope_recipient& candidate) {
  reply decision = co_await judge_recipient(session, envelope, candidate);
  if (!decision.is_positive()) co_return decision;
  const verdict v = co_await chain_.rcpt(session, envelope, candidate);
  reply refusal = refusal_of(v);
  if (refusal.code != 0) co_return refusal;
  co_return decision;
}

std::shared_ptr<filter::message_observer> mail_handler::observe(session_facts& session, const smtp_envelope& envelope) {
  return chain_.observe(session, envelope);
}

void mail_handler::reset(session_facts& session) noexcept { filter::chain::forget_message(session); }

// RFC 6409 §6.1 and §8: not only the envelope's sender, but whom the recipient will see. The reply names no address: it
// may quote what a mail program took from elsewhere.
base::task<reply> mail_handler::judge_authors(const session_facts& session, const message_buffer& message) {
  auto read = authors_of(message.view());
  if (auto* refusal = std::get_if<reply>(&read)) co_return std::move(*refusal);
  for (const mail::mailbox_address& one : std::get<std::vector<mail::mailbox_address>>(read)) {
    const auto may = co_await accounts_.may_send_as(session.account, one);
    if (!may) co_return trouble(may.error());
    if (!*may) co_return replies::author_denied;
  }
  co_return replies::ok;
}

base::task<reply> mail_handler::message(session_facts& session, const smtp_envelope& envelope, message_buffer& message) {
  std::size_t hops = 0;
  mail::header_reader reader(message.view());
  for (mail::header_field field; reader.next(field);) {
    if (mail::equals_ignoring_case(field.name, "Received") && ++hops > options_.received_fields) {
      co_return replies::routing_loop;  // RFC 5321 §6.3
    }
  }
  if (session.where == filter::scope::submission && options_.own_from_only) {
    reply refusal = co_await judge_authors(session, message);
    if (!refusal.is_positive()) co_return refusal;
  }
  if (session.where == filter::scope::submission) {
    if (auto done = separate_from_fields(message); !done) co_return trouble(done.error());
    if (auto done = complete_submission(message); !done) co_return trouble(done.error());
  }
  const verdict v = co_await chain_.message(session, envelope, {message.view()});
  reply refusal = refusal_of(v);
  if (refusal.code != 0) co_return refusal;
  if (v.what == action::discard) co_return replies::queued;
  if (!v.edits.empty()) co_return co_await take_edited(session, envelope, v, message);
  if (session.is_shared()) {  // a stage that is late still looks at the message: it is left as it is
    message_buffer copy(message.how());
    if (auto done = copy.append(message.view()); !done) co_return trouble(done.error());
    co_return co_await take(session, envelope, v, copy);
  }
  co_return co_await take(session, envelope, v, message);
}

namespace {

forgery_rules rules_for(const session_facts& session, std::string_view authserv_id, std::vector<unsigned> own_arc_sets) {
  return {.from_outside = session.where == filter::scope::inbound,
          .authserv_id = authserv_id,
          .own_arc_sets = std::move(own_arc_sets)};
}

}  // namespace

base::task<reply> mail_handler::take(const session_facts& session, const smtp_envelope& envelope, const verdict& v,
                                     message_buffer& message) {
  std::vector<unsigned> own = co_await own_arc_sets(session);
  const std::size_t broken_sets = remove_forged_fields(message, rules_for(session, authserv_id(), std::move(own)));
  co_return co_await hand_over(session, envelope, v, message, broken_sets);
}

// What stages changed, in a copy.
base::task<reply> mail_handler::take_edited(const session_facts& session, const smtp_envelope& envelope, const verdict& v,
                                            const message_buffer& message) {
  smtp_envelope changed = envelope;
  for (const mail::message_edit& one : v.edits) (void)apply(changed, one);
  if (changed.recipients.empty()) co_return replies::queued;  // nobody is left to get it
  edited_message edited(message.view());
  edited.apply(v.edits);
  std::vector<unsigned> own = co_await own_arc_sets(session);
  const std::size_t broken_sets = remove_forged_fields(edited, rules_for(session, authserv_id(), std::move(own)));
  message_buffer made(message.how());
  const std::string header = edited.header();
  made.expect(header.size() + edited.body().size());
  if (auto done = made.append(header); !done) co_return trouble(done.error());
  if (auto done = made.append(edited.body()); !done) co_return trouble(done.error());
  co_return co_await hand_over(session, changed, v, made, broken_sets);
}

// Signatures, trace fields, and the sink.
base::task<reply> mail_handler::hand_over(const session_facts& session, const smtp_envelope& envelope, const verdict& v,
                                          message_buffer& message, std::size_t broken_sets) {
  if (auto done = separate_from_fields(message); !done) co_return trouble(done.error());
  std::string seal;
  if (session.where == filter::scope::submission) {
    const auto signed_now = co_await sign(message);
    if (!signed_now) co_return trouble(signed_now.error());
  } else if (broken_sets == 0) {
    const message_buffer* changed = v.edits.empty() ? nullptr : &message;
    seal = co_await seal_for_forwarding(session, envelope, changed);
  }
  if (auto done = add_trace(session, envelope, v, seal, message); !done) co_return trouble(done.error());

  const bool apart = v.what == action::quarantine;
  const message_sink::message accepted{.octets = message.view(),
                                       .junk = v.what == action::junk,
                                       .quarantined = apart,
                                       .reason = apart ? std::string_view(v.reason) : std::string_view(),
                                       .account = session.account};
  const auto stored = co_await sink_.accept(envelope, accepted);
  if (!stored) co_return trouble(stored.error());
  co_return reply{250, {2, 6, 0}, "Message accepted as " + session.session_id};
}

// RFC 6409 §8: what a mail program left out.
base::status mail_handler::complete_submission(message_buffer& message) const {
  bool has_date = false, has_id = false;
  mail::header_reader reader(message.view());
  for (mail::header_field field; reader.next(field);) {
    has_date = has_date || mail::equals_ignoring_case(field.name, "Date");
    has_id = has_id || mail::equals_ignoring_case(field.name, "Message-ID");
  }
  std::string added;
  if (!has_date) mail::write_header_field(added, "Date", now_as_date(time_));
  if (!has_id) mail::write_header_field(added, "Message-ID", "<" + base::random_id(crypto_) + "@" + options_.hostname + ">");
  return message.prepend(added);
}

std::string_view mail_handler::authserv_id() const noexcept {
  return options_.authserv_id.empty() ? options_.hostname : options_.authserv_id;
}

// RFC 6409 §8.7. Behind everything that Submission changes, and before anybody gets it, users of this server included.
base::task<base::status> mail_handler::sign(message_buffer& message) const {
  if (options_.signer == nullptr) co_return base::status();
  const std::string fields = co_await options_.signer->sign(message.view());
  co_return message.prepend(fields);
}

// Sets of a chain that passes and was sealed by a domain of ours.
base::task<std::vector<unsigned>> mail_handler::own_arc_sets(const session_facts& session) const {
  std::vector<unsigned> own;
  const filter::mail_authentication* found = filter::mail_authentication_of(session);
  if (found == nullptr || found->arc.what != mailauth::outcome::pass) co_return own;
  for (const mailauth::arc_set& set : found->arc.sets) {
    const auto local = co_await accounts_.is_local_domain(set.domain);
    if (local && *local) own.push_back(set.instance);
  }
  co_return own;
}

// An ARC set for mail that an alias passes on, so that the next server can see what this one saw. The copies that stay
// have it, too: all of them are one message in the store, and one commit.
base::task<std::string> mail_handler::seal_for_forwarding(const session_facts& session, const smtp_envelope& envelope,
                                                          const message_buffer* changed) const {
  const filter::mail_authentication* checked = filter::mail_authentication_of(session);
  if (options_.signer == nullptr || !options_.seal_forwarded || checked == nullptr) co_return std::string();
  for (const envelope_recipient& one : envelope.recipients) {
    const auto found = co_await accounts_.resolve(one.address);
    if (!found || found->remote.empty()) continue;
    const std::string results = mailauth::to_value(checked->results);
    std::string domain = mail::domain_to_ascii(one.address.domain).value_or(options_.hostname);
    if (changed == nullptr) co_return co_await options_.signer->seal(*checked->message, checked->arc, results, std::move(domain));
    mailauth::message_hasher again(crypto_, {options_.signer->sealed_body()});
    again.feed(changed->view());
    again.finish();
    co_return co_await options_.signer->seal(again, checked->arc, results, std::move(domain));
  }
  co_return std::string();
}

base::status mail_handler::add_trace(const session_facts& session, const smtp_envelope& envelope, const verdict& v,
                                     std::string_view seal, message_buffer& message) const {
  std::string front;
  smtp::append_return_path(front, envelope.sender ? mail::format_mailbox(*envelope.sender) : std::string());
  // Above our Received, as RFC 8601 §5 has it: whoever reads from the top knows who wrote them.
  front += seal;
  for (const auto& field : v.add_fields) mail::write_header_field(front, field.name, field.value);
  const std::string client = session.remote.address.to_smtp_literal();
  const std::string date = now_as_date(time_);
  const std::string recipient =
      envelope.recipients.size() == 1 ? mail::format_mailbox(envelope.recipients.front().address) : std::string();
  // What the user's own mail program runs on is nobody's business: no address of the client in submitted mail.
  const bool submitted = session.where == filter::scope::submission;
  smtp::append_received(front, {.hello = submitted ? std::string_view("submission") : std::string_view(session.hello),
                                .client_name = {},
                                .client_address = submitted ? std::string_view() : std::string_view(client),
                                .by = options_.hostname,
                                .with = {.extended = session.extended,
                                         .tls = !session.tls_version.empty(),
                                         .authenticated = !session.account.empty(),
                                         .smtputf8 = envelope.smtputf8},
                                .tls_version = session.tls_version,
                                .tls_cipher = session.tls_cipher,
                                .id = session.session_id,
                                .recipient = recipient,
                                .date = date});
  if (options_.mark_spam && !submitted && (v.what == action::junk || v.score != 0)) {
    const bool spam = v.what == action::junk;
    if (spam) mail::write_header_field(front, "X-Spam-Flag", "YES");
    mail::write_header_field(front, "X-Spam-Status", std::string(spam ? "Yes" : "No") + ", score=" + score_text(v.score));
  }
  return message.prepend(front);
}

}  // namespace briefwerk::server
