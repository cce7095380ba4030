// Commands but AUTH, and their legal order (RFC 5321 §4.1.4).

#include <type_traits>

#include "briefwerk/protocol/smtp/server_session.hpp"
#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {

server_session::maybe_step server_session::read_command() {
  switch (read_line()) {
    case line_state::incomplete:
      if (!out_.empty()) return flush();
      return need_bytes{};
    case line_state::too_long: put_error(replies::line_too_long); return std::nullopt;
    case line_state::bare: put_error(replies::bare_line_end); return std::nullopt;
    case line_state::complete: break;
  }
  extensions offered = options_.offered;
  offered.requiretls = offered.requiretls && tls_.has_value();
  const parsed_command parsed = parse_command(line_, offered);
  if (!parsed) {
    put_error(*parsed.error());
    // Where the octets of a chunk end cannot be known: to go on would take a message for commands.
    if (line_.size() >= 4 && is_keyword(line_.substr(0, 4), "BDAT")) close_with(close_reason::out_of_step);
    return std::nullopt;
  }
  if (const reply* refusal = refusal_before(*parsed)) {
    put_error(*refusal);
    return std::nullopt;
  }
  return std::visit([this](const auto& known) { return run(known); }, *parsed);
}

// What refuses a command whatever it says. BDAT is let through: its octets must be taken first (RFC 3030 §2).
const reply* server_session::refusal_before(const command& parsed) const noexcept {
  const auto is = [&parsed]<class... Command>(std::type_identity<Command>...) {
    return (std::holds_alternative<Command>(parsed) || ...);
  };
  if (is(std::type_identity<quit_command>(), std::type_identity<bdat_command>())) return nullptr;
  if (refused_connection_) return &replies::no_service_here;
  if (tls_ || !options_.require_tls) return nullptr;
  if (is(std::type_identity<auth_command>()) && !options_.mechanisms.empty()) return &replies::auth_needs_tls;
  // RFC 3207 §4: 530 to everything but NOOP, EHLO, STARTTLS and QUIT.
  if (const auto* hello = std::get_if<hello_command>(&parsed); hello != nullptr && hello->kind != hello_kind::helo)
    return nullptr;
  if (is(std::type_identity<noop_command>(), std::type_identity<starttls_command>())) return nullptr;
  return &replies::tls_required;
}

server_session::maybe_step server_session::run(const hello_command& hello) {
  // RFC 2033 §4.1: LHLO in LMTP, and neither HELO nor EHLO; elsewhere the other way round.
  if ((hello.kind == hello_kind::lhlo) != (options_.role == server_role::lmtp)) {
    put_error(replies::unknown_command);
    return std::nullopt;
  }
  asked_hello_ = hello.kind;
  asked_name_ = hello.name;
  return put_question(asked::hello, hello_question{hello});
}

server_session::maybe_step server_session::run(const starttls_command&) {
  if (tls_) {
    put_error(replies::tls_already);
  } else if (!options_.offer_starttls) {
    put_error(replies::not_implemented);
  } else {
    put(replies::ready_for_tls);
    input_ = {};
    phase_ = phase::tls_ready;
  }
  return std::nullopt;
}

server_session::maybe_step server_session::run(const mail_command& mail) {
  const reply* refusal = nullptr;
  if (!said_hello_) refusal = &replies::hello_first;
  else if (in_transaction_) refusal = &replies::nested_mail;
  else if (options_.require_auth && !authenticated_) refusal = &replies::auth_required;
  mail_refused_ = refusal != nullptr;
  if (refusal != nullptr) {
    put_error(*refusal);
    return std::nullopt;
  }
  if (transactions_ >= options_.transactions) {
    put(replies::too_many_transactions);
    return std::nullopt;
  }
  if (options_.message_size > 0 && mail.size.value_or(0) > options_.message_size) {
    mail_refused_ = true;
    put(replies::message_too_big);
    return std::nullopt;
  }
  declared_size_ = mail.size.value_or(0);
  body_ = mail.body;
  smtputf8_ = mail.smtputf8;
  return put_question(asked::mail, mail_question{mail});
}

void server_session::answer_mail(const reply& decision) {
  put(decision);
  mail_refused_ = !decision.is_accepting();
  if (mail_refused_) return end_transaction();
  in_transaction_ = true;
  ++transactions_;
}

server_session::maybe_step server_session::run(const rcpt_command& rcpt) {
  if (!in_transaction_) {
    mail_refused_ ? put(replies::mail_first) : put_error(replies::mail_first);
  } else if (chunking_) {
    put_error(replies::bad_sequence);
  } else if (recipients_ >= options_.recipients) {
    put(replies::too_many_recipients);
  } else if (rcpt.to.utf8 && !smtputf8_) {
    put(replies::non_ascii_address);
  } else {
    return put_question(asked::rcpt, rcpt_question{rcpt});
  }
  return std::nullopt;
}

const reply& server_session::no_recipients() const noexcept {
  // RFC 2033 §4.2: 503 in LMTP; RFC 5321 §3.3: 554.
  return options_.role == server_role::lmtp ? replies::bad_sequence : replies::no_valid_recipients;
}

server_session::maybe_step server_session::run(const data_command&) {
  if (!in_transaction_) {
    mail_refused_ ? put(replies::mail_first) : put_error(replies::mail_first);
  } else if (chunking_) {
    put_error(replies::bdat_then_data);
  } else if (body_ == mail::body_kind::binary_mime) {
    put_error(replies::binary_needs_bdat);
  } else if (recipients_ == 0) {
    put(no_recipients());
  } else {
    return ask_message_start();
  }
  return std::nullopt;
}

server_session::maybe_step server_session::run(const rset_command&) {
  if (in_transaction_) abandon_transaction();
  mail_refused_ = false;
  put(replies::ok);
  return std::nullopt;
}

server_session::maybe_step server_session::run(const noop_command&) {
  put(replies::ok);
  return std::nullopt;
}

server_session::maybe_step server_session::run(const quit_command&) {
  put(replies::bye);
  close_with(close_reason::quit);
  return std::nullopt;
}

server_session::maybe_step server_session::run(const vrfy_command& vrfy) {
  return put_question(asked::verify, verify_question{vrfy});
}

server_session::maybe_step server_session::run(const expn_command&) {
  put_error(replies::not_implemented);
  return std::nullopt;
}

server_session::maybe_step server_session::run(const help_command&) {
  put(replies::help);
  return std::nullopt;
}

}  // namespace briefwerk::protocol::smtp
