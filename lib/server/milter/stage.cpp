#include <algorithm>
#include <deque>
#include <utility>

#include "briefwerk/filter/circuit_breaker.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/server/milter_stage.hpp"
#include "server/milter/connection.hpp"
#include "server/milter/macros.hpp"
#include "server/milter/parameters.hpp"
#include "server/smtp/edited_message.hpp"

namespace briefwerk::server {
namespace {

namespace milter = protocol::milter;
using base::task;
using filter::action;
using filter::circuit_breaker;
using filter::hook;
using filter::session_facts;
using filter::stage_failure;
using filter::verdict;
using mail::envelope_recipient;
using mail::smtp_envelope;
using milter::answer;
using milter::answer_kind;

// What one SMTP session and its milter have said to each other.
struct talk {
  std::unique_ptr<milter_connection> link;
  std::string failure;               // why there is no link; empty: nobody tried, or it is there
  bool busy = false;                 // a hook that is past its time limit still waits
  bool told_connect = false;
  std::string told_hello;
  std::optional<std::uint64_t> transaction{};  // whose MAIL it heard, or was to hear
  bool in_message = false;           // MAIL was told, and neither the end nor ABORT
  bool session_over = false, message_over = false;  // it wants to hear no more of this one
  verdict of_session, of_mail;       // what it said of them then
  milter_connection::deadline until{};               // of the hook that is asked
  circuit_breaker* breaker = nullptr;                // of that hook; null: whether it hangs does not matter
  std::optional<circuit_breaker::question> asking{};
};

// The talk of a hook, from its begin to its end.
class turn {
 public:
  explicit turn(talk& with) : with_(with) {
    if (with.busy) throw stage_failure("the milter has not answered yet");
    with.busy = true;
  }
  ~turn() {
    with_.asking.reset();
    with_.busy = false;
  }
  turn(const turn&) = delete;

 private:
  talk& with_;
};

verdict of_answer(const answer& said) {
  verdict made;
  switch (said.what) {
    case answer_kind::discard:
      made.what = action::discard;
      made.reason = "discard";
      break;
    case answer_kind::reject:
      made = verdict::rejected("Refused by policy", "reject");
      break;
    case answer_kind::defer:
      made = verdict::deferred("Service is not available, try again later", "tempfail");
      break;
    case answer_kind::reply:
      made.what = said.code >= 500 ? action::reject : action::defer;
      made.code = said.code;
      made.enhanced = said.enhanced;
      made.text = said.text;
      made.reason = "reply " + std::to_string(said.code) + (said.enhanced.empty() ? "" : " " + said.enhanced);
      break;
    case answer_kind::shut_down:
    case answer_kind::connection_failed:
      made = verdict::deferred("Service is not available, closing the connection", "close the connection");
      made.code = 421;
      made.enhanced = "4.3.0";
      break;
    default: break;
  }
  return made;
}

bool says_yes(std::string_view value) {
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  return mail::equals_ignoring_case(value.substr(0, value.find_first_of(" \t,;\r\n")), "yes");
}

bool is_junk(const milter::modifications& found, std::string_view field) {
  return !field.empty() && std::ranges::any_of(found.edits, [field](const mail::message_edit& one) {
    return one.what <= mail::edit_kind::change_header && mail::equals_ignoring_case(one.name, field) && says_yes(one.value);
  });
}

// The changes, where an envelope can hold them; fields that it removed do not count for the next stage.
void add_edits(verdict& made, std::vector<mail::message_edit> edits, const smtp_envelope& envelope) {
  smtp_envelope changed = envelope;
  for (const mail::message_edit& one : edits) {
    if (!apply(changed, one)) throw stage_failure("the milter changes the envelope to an address that cannot be");
  }
  if (edits.empty()) return;
  const bool removes = std::ranges::any_of(edits, [](const mail::message_edit& one) {
    return one.what == mail::edit_kind::change_header && one.value.empty();
  });
  made.what = std::max(made.what, action::tag);
  if (made.reason.empty()) made.reason = std::to_string(edits.size()) + (edits.size() == 1 ? " change" : " changes");
  made.edits = std::move(edits);
  if (removes) made.edits.push_back({.what = mail::edit_kind::renumber});
}

class milter_stage final : public filter::stage {
 public:
  explicit milter_stage(milter_options options) : options_(std::move(options)), note_("milter." + options_.name) {
    for (std::size_t at = 0; at < filter::hook_count; ++at) {
      breakers_.emplace_back(options_.name, std::string(to_string(static_cast<hook>(at))), options_.hanging);
    }
  }

  std::string_view name() const noexcept override { return options_.name; }

  task<verdict> connect(session_facts& session) override {
    const auto with = talk_of(session);
    const turn mine(*with);
    begin_hook(*with, session, hook::connect);
    co_return co_await catch_up(*with, session);
  }

  task<verdict> hello(session_facts& session) override {
    const auto with = talk_of(session);
    const turn mine(*with);
    begin_hook(*with, session, hook::hello);
    co_return co_await catch_up(*with, session);
  }

  task<verdict> mail(session_facts& session, const smtp_envelope& envelope) override {
    const auto with = talk_of(session);
    const turn mine(*with);
    begin_hook(*with, session, hook::mail);
    co_return co_await begin(*with, session, envelope);
  }

  task<verdict> rcpt(session_facts& session, const smtp_envelope& envelope, const envelope_recipient& recipient) override {
    const auto with = talk_of(session);
    const turn mine(*with);
    begin_hook(*with, session, hook::rcpt);
    verdict v = co_await begin(*with, session, envelope);
    if (with->message_over) co_return v;
    co_return co_await tell_recipient(*with, session, envelope, recipient);
  }

  task<verdict> message(session_facts& session, const smtp_envelope& envelope, const filter::message_facts& message) override {
    const auto with = talk_of(session);
    const turn mine(*with);
    begin_hook(*with, session, hook::message);
    const bool late = with->transaction != session.transactions;
    verdict v = co_await begin(*with, session, envelope);
    // It was not asked about any of them, so it hears of all.
    for (std::size_t i = 0; late && i < envelope.recipients.size(); ++i) {
      if (with->message_over) co_return v;
      v = co_await tell_recipient(*with, session, envelope, envelope.recipients[i]);
      if (v.what >= action::discard) co_return v;
    }
    if (with->message_over) co_return v;
    co_return co_await tell_message(*with, session, envelope, message);
  }

 private:
  std::shared_ptr<talk> talk_of(session_facts& session) const {
    std::any& kept = session.notes[note_];
    if (!kept.has_value()) kept = std::make_shared<talk>();
    return *std::any_cast<std::shared_ptr<talk>>(&kept);
  }

  void begin_hook(talk& with, const session_facts& session, hook at) {
    with.until = std::chrono::steady_clock::now() + (at == hook::message ? options_.message_limit : options_.limit);
    if (with.link) with.link->set_deadline(with.until);
    with.breaker = session.trial ? nullptr : &breakers_[static_cast<std::size_t>(at)];
  }

  [[noreturn]] static void fail(talk& with, std::string why) {
    with.link.reset();
    with.failure = std::move(why);
    throw stage_failure(with.failure);
  }

  [[noreturn]] static void fail(talk& with, std::error_code why) {
    if (with.asking && why == base::errc::timed_out) with.asking->timed_out();
    else if (with.asking) with.asking->failed();
    fail(with, "no use of the milter: " + why.message());
  }

  // Before anything of this hook that may have to wait.
  static void ask(talk& with) {
    if (with.breaker == nullptr || with.asking) return;
    if (auto may = with.breaker->ask()) with.asking.emplace(std::move(*may));
    else fail(with, "the milter hangs, it is not asked");
  }

  static task<answer> hear(talk& with, bool waits) {
    if (waits) ask(with);
    auto said = co_await with.link->hear(waits);
    if (!said) fail(with, said.error());
    if (waits && with.asking) with.asking->heard();
    co_return std::move(*said);
  }

  milter::macro_source macros(const session_facts& session, const smtp_envelope* envelope = nullptr,
                              const envelope_recipient* recipient = nullptr) const {
    return [facts = macro_facts{session, options_.hostname, envelope, recipient}](std::string_view name) {
      return macro_value(facts, name);
    };
  }

  task<void> open(talk& with) const {
    net::io_thread* const thread = net::io_thread::from(co_await base::this_executor());
    if (thread == nullptr) fail(with, make_error_code(base::errc::unsupported));
    ask(with);
    auto opened = co_await milter_connection::open(*thread, options_, with.until);
    if (!opened) fail(with, opened.error());
    with.link = std::move(*opened);
    if (with.asking) with.asking->heard();
  }

  // Connection, client and HELO, as far as it has not heard of them.
  task<verdict> catch_up(talk& with, const session_facts& session) const {
    if (with.session_over) co_return with.of_session;
    if (!with.failure.empty()) throw stage_failure(with.failure);
    if (!with.link) co_await open(with);
    milter::client_session& to = with.link->session();
    if (!std::exchange(with.told_connect, true)) {
      const base::ip_address& client = session.remote.address;
      const std::string host = client_name(session), address = client.to_string();
      const milter::connect_data from{
          .host = host, .family = client.is_v4() ? '4' : '6', .port = session.remote.port, .address = address};
      const answer said = co_await hear(with, to.connect(with.link->out(), from, macros(session)));
      with.session_over = said.what != answer_kind::proceed;
      with.of_session = of_answer(said);
      if (with.session_over) co_return with.of_session;
    }
    // The same name inside TLS is another HELO, with other macros.
    std::string hello = session.hello.empty() ? std::string() : session.hello + " " + session.tls_version;
    if (hello.empty() || hello == with.told_hello) co_return verdict();
    const answer said = co_await hear(with, to.hello(with.link->out(), session.hello, macros(session)));
    if (said.what == answer_kind::proceed) with.told_hello = std::move(hello);
    verdict v = of_answer(said);
    with.session_over = said.what == answer_kind::accept || said.what == answer_kind::discard;
    if (with.session_over) with.of_session = v;
    co_return v;
  }

  // The transaction, where it has not heard of it; gives up the one before.
  task<verdict> begin(talk& with, const session_facts& session, const smtp_envelope& envelope) const {
    if (with.transaction == session.transactions) {
      if (!with.failure.empty()) throw stage_failure(with.failure);
      co_return with.of_mail;
    }
    with.transaction = session.transactions;
    with.message_over = false;
    with.of_mail = {};
    if (!std::exchange(with.failure, std::string()).empty()) {  // perhaps it is there again
      with.told_connect = with.in_message = with.session_over = false;
      with.told_hello.clear();
    }
    if (with.link && std::exchange(with.in_message, false)) with.link->session().abort(with.link->out());
    with.of_mail = co_await catch_up(with, session);
    with.message_over = with.session_over || with.of_mail.what != action::accept;
    if (with.message_over) co_return with.of_mail;
    with.in_message = true;
    const std::string address = envelope.sender ? mail::format_mailbox(*envelope.sender) : std::string();
    const std::vector<std::string> parameters = mail_parameters(envelope);
    const answer said = co_await hear(
        with, with.link->session().mail(with.link->out(), address, parameters, macros(session, &envelope)));
    with.message_over = said.what != answer_kind::proceed;
    with.of_mail = of_answer(said);
    co_return with.of_mail;
  }

  task<verdict> tell_recipient(talk& with, const session_facts& session, const smtp_envelope& envelope,
                               const envelope_recipient& recipient) const {
    const std::string address = mail::format_mailbox(recipient.address);
    const std::vector<std::string> parameters = rcpt_parameters(recipient);
    const answer said = co_await hear(
        with, with.link->session().rcpt(with.link->out(), address, parameters, macros(session, &envelope, &recipient)));
    with.message_over = said.what == answer_kind::accept || said.what == answer_kind::discard;
    co_return of_answer(said);
  }

  // True: nothing but proceed was said. `v` has what else.
  static bool goes_on(talk& with, const answer& said, verdict& v) {
    with.message_over = said.what != answer_kind::proceed;
    if (with.message_over) v = of_answer(said);
    return !with.message_over;
  }

  task<verdict> tell_message(talk& with, const session_facts& session, const smtp_envelope& envelope,
                             const filter::message_facts& message) const {
    milter::client_session& to = with.link->session();
    std::string& out = with.link->out();
    const milter::macro_source values = macros(session, &envelope);
    edited_message shown(message.octets);
    shown.apply(message.edits);
    verdict v;
    const answer to_data = co_await hear(with, to.data(out, values));
    if (!goes_on(with, to_data, v)) co_return v;
    if (!co_await tell_header(with, shown, v)) co_return v;
    const answer to_header = co_await hear(with, to.end_of_header(out, values));
    if (!goes_on(with, to_header, v)) co_return v;
    if (!co_await tell_body(with, shown.body(), v)) co_return v;
    const answer last = co_await hear(with, to.end_of_body(out, values));
    with.in_message = false;
    with.message_over = true;
    v = of_answer(last);
    milter::modifications found = to.take_modifications();
    if (v.what != action::accept) co_return v;
    if (is_junk(found, options_.junk_field)) v = verdict::junked(options_.junk_field);
    if (found.quarantine) v = verdict::quarantined(found.quarantine->empty() ? "quarantine" : std::move(*found.quarantine));
    add_edits(v, std::move(found.edits), envelope);
    co_return v;
  }

  static task<bool> tell_header(talk& with, const edited_message& shown, verdict& v) {
    milter::client_session& to = with.link->session();
    if (!to.wants_headers()) co_return true;
    std::vector<std::pair<std::string_view, std::string_view>> fields;
    shown.for_each([&fields](std::string_view name, std::string_view value) { fields.emplace_back(name, value); });
    for (const auto& field : fields) {
      const answer said = co_await hear(with, to.header(with.link->out(), field.first, field.second));
      if (!goes_on(with, said, v)) co_return false;
    }
    co_return true;
  }

  static task<bool> tell_body(talk& with, std::string_view body, verdict& v) {
    milter::client_session& to = with.link->session();
    if (!to.wants_body()) co_return true;
    const std::size_t size = to.agreed().piece_size();
    while (!body.empty()) {
      const answer said = co_await hear(with, to.body(with.link->out(), body.substr(0, size)));
      if (said.what == answer_kind::skip) co_return true;
      if (!goes_on(with, said, v)) co_return false;
      body.remove_prefix(std::min(size, body.size()));
    }
    co_return true;
  }

  milter_options options_;
  std::string note_;
  std::deque<circuit_breaker> breakers_;  // by hook
};

}  // namespace

std::shared_ptr<filter::stage> make_milter_stage(milter_options options) {
  return std::make_shared<milter_stage>(std::move(options));
}

}  // namespace briefwerk::server
