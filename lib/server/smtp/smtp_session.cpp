#include "server/smtp/smtp_session.hpp"

#include <exception>
#include <utility>
#include <vector>

#include "briefwerk/base/random_id.hpp"
#include "briefwerk/mail/address.hpp"

namespace briefwerk::server {

namespace smtp = protocol::smtp;
using base::log_level;

namespace {

constexpr std::size_t kept_between_messages = 64 * 1024;
constexpr std::chrono::seconds farewell_deadline{10};

std::string address_or_null(const std::optional<mail::mailbox_address>& address) {
  return address ? mail::format_mailbox(*address) : std::string("<>");
}

}  // namespace

smtp_session::smtp_session(net::stream stream, const smtp_service& service)
    : stream_(std::move(stream)), service_(service), machine_(service.protocol) {
  shown_ = std::make_shared<shown>(service.buffer);
  shown_->facts.owner = shown_;
  shown_->facts.where = service.protocol.role == smtp::server_role::submission ? filter::scope::submission : filter::scope::inbound;
  shown_->facts.session_id = base::random_id(*service.crypto);
  shown_->facts.remote = stream_.peer();
  shown_->facts.local = stream_.local();
}

smtp_session::~smtp_session() {
  drop_transaction();
  service_.handler->quit(shown_->facts);
}

base::task<void> smtp_session::run() {
  count("connections");
  log(log_level::debug, "connected", {});
  restart_patience();
  stream_.set_deadline(service_.command_deadline);
  bool going = true;
  if (service_.implicit_tls) going = co_await handshake();
  while (going) {
    const smtp::server_step step = machine_.next();
    going = co_await take(step);
  }
  log(log_level::debug, "closed", {{"messages", messages_}});
}

base::task<bool> smtp_session::take(const smtp::server_step& step) {
  if (const auto* data = std::get_if<smtp::message_data>(&step)) {
    store(*data);
  } else if (std::holds_alternative<smtp::need_bytes>(step)) {
    co_return co_await refill();
  } else if (const auto* out = std::get_if<smtp::write>(&step)) {
    const auto sent = co_await stream_.write(out->bytes);
    if (!in_message_) restart_patience();
    co_return sent.has_value();
  } else if (const auto* question = std::get_if<smtp::ask>(&step)) {
    co_await decide(question->question);
    if (!in_message_) restart_patience();
  } else if (std::holds_alternative<smtp::drop_message>(step)) {
    shown_->message.clear();
    observer_.reset();
  } else if (const auto* gone = std::get_if<smtp::reset>(&step)) {
    if (gone->refusal) {
      count("messages.refused");
      log_message("message.refused", *gone->refusal, {});
    }
    drop_transaction();
  } else if (std::holds_alternative<smtp::start_tls>(step)) {
    co_return co_await handshake();
  } else {
    const auto why = std::get<smtp::close>(step).why;
    if (why == smtp::close_reason::too_many_errors) log(log_level::info, "too_many_errors", {});
    (void)co_await stream_.shutdown(std::chrono::seconds(2));
    co_return false;
  }
  co_return true;
}

// What is left of the time that the peer has: a drop now and then does not keep a session alive for ever.
std::chrono::milliseconds smtp_session::patience() const {
  const auto spent = std::chrono::steady_clock::now() - waiting_since_;
  const auto whole = in_message_ ? service_.message_deadline : service_.command_deadline;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(whole - spent);
  return std::max(std::chrono::milliseconds(1), in_message_ ? std::min(left, service_.data_deadline) : left);
}

base::task<bool> smtp_session::refill() {
  constexpr std::size_t size = base::limits::session_input_buffer;
  stream_.set_deadline(patience());
  if (!in_transaction_) {
    // Between transactions a session that waits holds no buffer, and the end of the server reaches it.
    if (input_ && !stream_.thread().is_stopping()) {
      const auto there = stream_.try_read({input_.get(), size});
      if (!there) co_return give_up(there.error());
      if (*there != 0) {
        machine_.feed({input_.get(), *there});
        co_return true;
      }
    }
    input_.reset();
    const auto ready = co_await stream_.readable();
    if (!ready) co_return give_up(ready.error());
  }
  if (!input_) input_ = std::make_unique_for_overwrite<char[]>(size);
  const auto got = co_await stream_.read_some({input_.get(), size});
  if (!got) co_return give_up(got.error());
  machine_.feed({input_.get(), *got});
  co_return true;
}

bool smtp_session::give_up(std::error_code why) {
  if (why == base::errc::timed_out) {
    log(log_level::info, "timed_out", {{"in_message", in_message_}});
    machine_.abort(replies::timed_out);
  } else if (why == net::errc::stopping) {
    machine_.abort(replies::shutting_down);
  } else {
    return false;
  }
  stream_.set_deadline(farewell_deadline);
  return true;
}

// RFC 3207 §4.2: what was learned in the clear is forgotten.
base::task<bool> smtp_session::handshake() {
  shown_->facts.hello.clear();
  shown_->facts.extended = false;
  shown_->facts.account.clear();
  shown_->facts.login.clear();
  shown_->facts.login_mechanism.clear();
  exchange_.reset();
  const auto done = co_await stream_.start_tls_server(*service_.tls);
  if (!done) {
    count("tls.failed");
    log(log_level::info, "tls.failed", {{"reason", done.error().message()}});
    co_return false;
  }
  const net::tls_info info = stream_.tls();
  shown_->facts.tls_version = info.version;
  shown_->facts.tls_cipher = info.cipher;
  machine_.tls_started({info.version, info.cipher});
  restart_patience();
  co_return true;
}

template <class Ask>
base::task<reply> smtp_session::guarded(Ask ask) {
  reply decision = replies::local_error;
  try {
    decision = co_await ask();
  } catch (const std::exception& broken) {
    // The text of an exception may quote anything; only its type is safe to log.
    log(log_level::error, "handler_failed", {{"type", typeid(broken).name()}});
  } catch (...) {
    log(log_level::error, "handler_failed", {});
  }
  let_go_of_shared();
  co_return decision;
}

void smtp_session::let_go_of_shared() {
  if (!shown_->facts.is_shared()) return;
  auto copy = std::make_shared<shown>(service_.buffer);
  copy->facts = shown_->facts;
  copy->facts.owner = copy;
  copy->envelope = shown_->envelope;
  copy->candidate = shown_->candidate;
  exchange_.reset();         // one that the client cancelled refers to the facts
  shown_ = std::move(copy);  // without the message: it was judged, or has not begun
}

std::shared_ptr<filter::message_observer> smtp_session::watch_message() noexcept {
  try {
    return service_.handler->observe(shown_->facts, shown_->envelope);
  } catch (...) {
    log(log_level::error, "handler_failed", {});
    return nullptr;
  }
}

base::task<void> smtp_session::decide(const smtp::question& question) {
  if (const auto* auth = std::get_if<smtp::auth_question>(&question)) {
    co_await authenticate(*auth);
    co_return;
  }
  reply decision = replies::ok;
  if (std::holds_alternative<smtp::connect_question>(question)) {
    decision = co_await guarded([this] { return service_.handler->connect(shown_->facts); });
    if (decision.code == 250) {  // the machine has the greeting
      machine_.accept();
      co_return;
    }
  } else if (const auto* hello = std::get_if<smtp::hello_question>(&question)) {
    decision = co_await answer(*hello);
    if (decision.is_positive()) {
      machine_.accept();
      co_return;
    }
  } else if (const auto* from = std::get_if<smtp::mail_question>(&question)) {
    decision = co_await answer(*from);
  } else if (const auto* rcpt = std::get_if<smtp::rcpt_question>(&question)) {
    decision = co_await answer(*rcpt);
  } else if (const auto* start = std::get_if<smtp::message_start_question>(&question)) {
    shown_->message.clear(kept_between_messages);
    shown_->message.expect(start->declared_size);
    observer_ = watch_message();
    in_message_ = true;
    restart_patience();
    machine_.accept();
    co_return;
  } else if (const auto* end = std::get_if<smtp::message_end_question>(&question)) {
    decision = co_await answer(*end);
  } else {
    machine_.accept();  // VRFY: 252
    co_return;
  }
  machine_.answer(decision);
}

base::task<reply> smtp_session::answer(const smtp::hello_question& question) {
  const std::string before = std::exchange(shown_->facts.hello, std::string(question.hello.name));
  const bool extended_before = std::exchange(shown_->facts.extended, question.hello.kind != smtp::hello_kind::helo);
  reply decision = co_await guarded([this] { return service_.handler->hello(shown_->facts); });
  if (!decision.is_positive()) {
    shown_->facts.hello = before;
    shown_->facts.extended = extended_before;
  }
  co_return decision;
}

base::task<reply> smtp_session::answer(const smtp::mail_question& question) {
  shown_->envelope = {};
  if (!smtp::add_sender(shown_->envelope, question.mail)) co_return replies::bad_sender_syntax;
  reply decision = co_await guarded([this] { return service_.handler->mail(shown_->facts, shown_->envelope); });
  in_transaction_ = decision.is_positive();
  if (!in_transaction_) {
    log(log_level::info, "mail.refused", {{"from", address_or_null(shown_->envelope.sender)}, {"reply", decision.to_string()}});
  }
  co_return decision;
}

base::task<reply> smtp_session::answer(const smtp::rcpt_question& question) {
  smtp_envelope one;
  if (!smtp::add_recipient(one, question.rcpt)) co_return replies::bad_recipient_syntax;
  shown_->candidate = std::move(one.recipients.front());
  reply decision = co_await guarded(
      [this] { return service_.handler->rcpt(shown_->facts, shown_->envelope, shown_->candidate); });
  envelope_recipient& candidate = shown_->candidate;
  if (decision.is_positive()) {
    shown_->envelope.recipients.push_back(std::move(candidate));
  } else {
    count("recipients.refused");
    log(log_level::info, "rcpt.refused",
        {{"from", address_or_null(shown_->envelope.sender)},
         {"to", mail::format_mailbox(candidate.address)},
         {"reply", decision.to_string()}});
  }
  co_return decision;
}

base::task<reply> smtp_session::answer(const smtp::message_end_question& question) {
  in_message_ = in_transaction_ = false;
  observer_.reset();
  const auto begin = std::chrono::steady_clock::now();
  reply decision = co_await guarded([this] { return service_.handler->message(shown_->facts, shown_->envelope, shown_->message); });
  const bool accepted = decision.is_positive();
  if (service_.metrics) {
    service_.metrics->get_histogram(service_.name + ".message.latency").record(std::chrono::steady_clock::now() - begin);
  }
  count(accepted ? "messages.accepted" : "messages.refused");
  if (accepted) ++messages_;
  log_message(accepted ? "message.accepted" : "message.refused", decision, question.size);
  shown_->message.clear(kept_between_messages);
  shown_->envelope = {};
  co_return decision;
}

void smtp_session::log_message(std::string_view event, const reply& decision, std::optional<std::uint64_t> size) {
  if (!service_.log->enabled(log_level::info)) return;
  std::string to;
  for (const auto& recipient : shown_->envelope.recipients) {
    if (!to.empty()) to += ',';
    mail::append_mailbox(to, recipient.address);
    if (to.size() > 2000) {
      to += ",…";
      break;
    }
  }
  const std::string from = address_or_null(shown_->envelope.sender), said = decision.to_string();
  const std::uint64_t recipients = shown_->envelope.recipients.size();
  if (size) log(log_level::info, event, {{"from", from}, {"to", to}, {"recipients", recipients}, {"size", *size}, {"reply", said}});
  else log(log_level::info, event, {{"from", from}, {"to", to}, {"recipients", recipients}, {"reply", said}});
}

base::task<void> smtp_session::authenticate(const smtp::auth_question& question) {
  if (question.first) {
    exchange_.reset();  // one that the client cancelled refers to origin_
    mechanism_ = question.mechanism;
    if (exporter_.empty() && stream_.is_tls()) {
      exporter_ = stream_.tls_exporter().value_or(std::string());
      end_point_ = stream_.tls_server_end_point().value_or(std::string());
    }
    origin_ = {shown_->facts.remote, service_.name, shown_->facts.session_id, stream_.is_tls(), exporter_, end_point_};
  }
  auth_result result;
  try {
    if (question.first) exchange_ = service_.authenticator->start(question.mechanism, origin_);
    if (!exchange_) {
      machine_.answer(replies::auth_unknown_mechanism);
      co_return;
    }
    result = co_await exchange_->respond(question.response);
  } catch (...) {
    log(log_level::error, "authenticator_failed", {{"mechanism", question.mechanism}});
    result = {.what = auth_result::kind::unavailable};
  }
  if (result.what == auth_result::kind::challenge) {
    machine_.answer(smtp::auth_challenge{result.data});
    co_return;
  }
  exchange_.reset();
  if (result.what == auth_result::kind::success) {
    shown_->facts.account = result.account;
    shown_->facts.login = result.login;
    shown_->facts.login_mechanism = mechanism_;
    count("logins.accepted");
    log(log_level::info, "login.accepted", {{"login", result.login}, {"mechanism", question.mechanism}});
    machine_.answer(smtp::auth_success{result.data});
    co_return;
  }
  count("logins.refused");
  log(log_level::warning, "login.refused", {{"login", result.login}, {"mechanism", question.mechanism}});
  switch (result.what) {
    case auth_result::kind::unavailable: machine_.answer(replies::auth_unavailable); break;
    case auth_result::kind::banned: machine_.abort(replies::auth_too_many); break;
    default: machine_.answer(replies::auth_failed);
  }
}

void smtp_session::store(const smtp::message_data& data) {
  if (observer_) observer_->octets(data.bytes);
  if (!shown_->message.append(data.bytes)) machine_.refuse_message(replies::no_space);
}

void smtp_session::drop_transaction() noexcept {
  in_message_ = false;
  observer_.reset();
  shown_->message.clear(kept_between_messages);
  if (std::exchange(in_transaction_, false)) service_.handler->reset(shown_->facts);
  shown_->envelope = {};
}

void smtp_session::count(std::string_view what) {
  if (service_.metrics) service_.metrics->get_counter(service_.name + "." + std::string(what)).add();
}

void smtp_session::log(log_level level, std::string_view event, std::initializer_list<base::log_field> more) {
  if (!service_.log->enabled(level)) return;
  const std::string peer = shown_->facts.remote.address.to_string();
  std::vector<base::log_field> fields{{"session", shown_->facts.session_id}, {"peer", peer}};
  fields.insert(fields.end(), more.begin(), more.end());
  service_.log->write(level, service_.name + "." + std::string(event), fields);
}

}  // namespace briefwerk::server
