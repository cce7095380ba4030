// A complete command: is it legal here, is it offered, and who answers it.

#include "briefwerk/base/encoding.hpp"
#include "protocol/imap/characters.hpp"
#include "protocol/imap/session_work.hpp"

namespace briefwerk::protocol::imap {
namespace {

template <class... F>
struct overloaded : F... {
  using F::operator()...;
};

bool is_about_rights(command_kind kind) noexcept {
  return kind == command_kind::get_acl || kind == command_kind::set_acl || kind == command_kind::delete_acl ||
         kind == command_kind::list_rights || kind == command_kind::my_rights;
}

}  // namespace

bool server_session::in_state(std::uint8_t states) const noexcept {
  switch (state_) {
    case session_state::not_authenticated: return (states & in_not_authenticated) != 0;
    case session_state::authenticated: return (states & in_authenticated) != 0;
    case session_state::selected: return (states & in_selected) != 0;
    case session_state::logout: break;
  }
  return false;
}

// Before the arguments are read: a password that must not be sent is not asked for.
std::optional<server_session::refusal> server_session::check_legal(const command_head& head) const {
  const auto& offered = options_.offered;
  const auto kind = head.rule->kind;
  const bool missing = (kind == command_kind::idle && !offered.idle && !offered.imap4rev2) ||
                       (kind == command_kind::id && !offered.id) ||
                       (kind == command_kind::namespace_ && !offered.name_space && !offered.imap4rev2) ||
                       (kind == command_kind::enable && !offered.enable && !offered.imap4rev2) ||
                       (kind == command_kind::unselect && !offered.unselect && !offered.imap4rev2) ||
                       (kind == command_kind::move && !offered.move && !offered.imap4rev2) ||
                       (kind == command_kind::expunge && head.uid && !offered.uidplus && !offered.imap4rev2) ||
                       (kind == command_kind::sort && !offered.sort) || (kind == command_kind::thread && !offered.thread) ||
                       (kind == command_kind::cancel_update && !offered.context) ||
                       (kind == command_kind::compress && !offered.compress) ||
                       (kind == command_kind::replace && !offered.replace) ||
                       (kind == command_kind::unauthenticate && !offered.unauthenticate) ||
                       ((kind == command_kind::get_quota || kind == command_kind::get_quota_root ||
                         kind == command_kind::set_quota) && !offered.quota) ||
                       ((kind == command_kind::get_metadata || kind == command_kind::set_metadata) && !offered.metadata) ||
                       (kind == command_kind::multisearch && !offered.multisearch) ||
                       (kind == command_kind::notify && !offered.notify) ||
                       (is_about_rights(kind) && !offered.acl) ||
                       (kind == command_kind::starttls && !options_.offer_starttls);
  if (missing) return refusal{condition::bad, {}, "Unknown command"};
  if (!in_state(head.rule->states)) {
    if (state_ == session_state::not_authenticated) return refusal{condition::bad, {}, "Log in first"};
    if (head.rule->states == in_not_authenticated) return refusal{condition::bad, {}, "Logged in already"};
    return refusal{condition::bad, {}, "Select a mailbox first"};
  }
  // RFC 9586 §3: who asked for UIDs alone names no message by its sequence number.
  const bool names_uids = head.uid || kind == command_kind::expunge || kind == command_kind::multisearch;
  if (uid_only_ && head.rule->takes_uid && !names_uids) {
    return refusal{condition::bad, codes::uid_required, "Only UIDs are used here"};
  }
  if (kind == command_kind::starttls && tls_) return refusal{condition::bad, {}, "TLS is active already"};
  if (kind != command_kind::login && kind != command_kind::authenticate) return {};
  // RFC 9051 §6.2.3 and §11.1, RFC 5530.
  if (!may_login()) return refusal{condition::no, codes::privacy_required, "Logins need TLS"};
  if (kind == command_kind::login && !options_.login_command) return refusal{condition::no, {}, "Use AUTHENTICATE"};
  return {};
}

std::optional<step> server_session::run_line() {
  auto& w = working();
  command_head head;
  const auto known = parse_head(w.text, head);
  tag_ = head.tag.empty() ? "*" : head.tag;
  if (!known) return refuse(known.error()), std::nullopt;
  if (const auto why = check_legal(head)) return refuse(*why), std::nullopt;
  if (head.rule->kind == command_kind::append || head.rule->kind == command_kind::replace) {
    append_place_ = head.rule->kind == command_kind::append ? append_place::mailbox : append_place::replaced;
    return read_append(w.text.substr(head.arguments), nullptr, head.uid);
  }
  const auto parsed = parse_command(w.text, head, {.utf8_names = is_utf8(), .utf8_accepted = utf8_accepted_}, w.memory);
  if (!parsed) return refuse(parsed.error()), std::nullopt;
  if (const auto why = check_offered(*parsed)) return refuse(*why), std::nullopt;
  note_condstore(*parsed);
  return run(*parsed);
}

std::optional<step> server_session::run(const imap::command& parsed) {
  return std::visit(
      overloaded{
          [&](const capability_command&) -> std::optional<step> {
            out_.append("* CAPABILITY ");
            out_.append(capability_list(options_, {tls_, state_ != session_state::not_authenticated}));
            out_.crlf();
            tagged(condition::ok, {}, "CAPABILITY completed");
            return end_command(), std::nullopt;
          },
          [&](const logout_command&) -> std::optional<step> { return run_logout(), std::nullopt; },
          [&](const starttls_command&) -> std::optional<step> { return run_starttls(), std::nullopt; },
          [&](const compress_command& compress) -> std::optional<step> { return run_compress(compress), std::nullopt; },
          [&](const enable_command& enable) -> std::optional<step> { return run_enable(enable), std::nullopt; },
          [&](const authenticate_command& auth) { return run_authenticate(auth); },
          [&](const unauthenticate_command& over) -> std::optional<step> {
            return put_question(asked::unauthenticate, command_question{over});
          },
          [&](const idle_command& idle) -> std::optional<step> {
            return put_question(asked::idle, command_question{idle});
          },
          [&](const login_command& login) -> std::optional<step> {
            return put_question(asked::login, command_question{login});
          },
          [&](const select_command& select) -> std::optional<step> {
            // RFC 9051 §6.3.2: the selected mailbox is left even when the new one cannot be opened.
            if (state_ == session_state::selected) {
              out_.ok(codes::closed, "The mailbox selected before is closed");
              unselected();
            }
            return put_question(asked::execution, command_question{select});
          },
          [&](const auto& other) -> std::optional<step> {
            return put_question(asked::execution, command_question{other});
          },
      },
      parsed);
}

void server_session::run_logout() {
  out_.append("* BYE Logging out\r\n");
  tagged(condition::ok, {}, "LOGOUT completed");
  end_command();
  phase_ = phase::closing;
  state_ = session_state::logout;
  close_reason_ = close_reason::logout;
  input_ = {};
}

void server_session::run_starttls() {
  tagged(condition::ok, {}, "Begin TLS negotiation now");
  end_command();
  // RFC 9051 §11.1: what was sent along in the clear is thrown away.
  input_ = {};
  phase_ = phase::tls_wait;
}

// RFC 4978 §3: nothing is sent along; what is, was not compressed and is thrown away.
void server_session::run_compress(const compress_command& compress) {
  if (!is_word(compress.algorithm, "DEFLATE")) return refuse({condition::no, codes::cannot, "Unknown algorithm"});
  if (compressed_) return refuse({condition::no, codes::compression_active, "Compression is active already"});
  tagged(condition::ok, {}, "DEFLATE active");
  end_command();
  input_ = {};
  compressed_ = true;
  phase_ = phase::compression_wait;
}

void server_session::run_enable(const enable_command& enable) {
  const auto& offered = options_.offered;
  std::string names;
  const auto turn_on = [&](bool& state, std::string_view name) {
    if (!state) names.append(" ").append(name);
    state = true;
  };
  bool condstore = condstore_;  // what QRESYNC brings is told where it is asked for, in whatever order
  for (const auto name : enable.capabilities) {
    if (offered.imap4rev2 && is_word(name, "IMAP4REV2")) {
      turn_on(rev2_, "IMAP4rev2");
      out_.set_utf8(true);
    } else if (offered.utf8_accept && is_word(name, "UTF8=ACCEPT")) {
      turn_on(utf8_accepted_, "UTF8=ACCEPT");
      out_.set_utf8(true);
    } else if (offered.condstore && is_word(name, "CONDSTORE")) {
      turn_on(condstore, "CONDSTORE");
    } else if (offered.qresync && is_word(name, "QRESYNC")) {
      turn_on(qresync_, "QRESYNC");
    } else if (offered.uid_only && is_word(name, "UIDONLY")) {
      turn_on(uid_only_, "UIDONLY");
      out_.set_uid_only(true);
    }
  }
  condstore_ = condstore || qresync_;
  out_.append("* ENABLED");
  out_.append(names);
  out_.crlf();
  tagged(condition::ok, {}, "ENABLE completed");
  end_command();
}

// authenticate: the mechanism by name, then the exchange (RFC 9051 §6.2.2).
std::optional<step> server_session::run_authenticate(const authenticate_command& auth) {
  for (std::size_t i = 0; i < options_.mechanisms.size(); ++i) {
    const auto& name = options_.mechanisms[i];
    if (!is_word(auth.mechanism, name)) continue;
    mechanism_ = static_cast<std::uint8_t>(i);
    if (auth.initial_response && !options_.offered.sasl_ir && !options_.offered.imap4rev2) {
      return refuse({condition::bad, {}, "Initial responses are not offered"}), std::nullopt;
    }
    auto response = auth.initial_response;
    if (response && *response == "=") response = "";
    return ask_auth(true, response);
  }
  return refuse({condition::no, codes::cannot, "Unknown mechanism"}), std::nullopt;
}

std::optional<step> server_session::ask_auth(bool first, std::optional<std::string_view> base64) {
  auto& w = working();
  auth_question about{options_.mechanisms[mechanism_], first, {}};
  if (base64 && !first && *base64 == "*") {
    cancel_pending_ = true;
    return refuse({condition::bad, {}, "AUTHENTICATE cancelled"}), std::nullopt;
  }
  if (base64) {
    auto decoded = base::base64_decode(*base64);
    if (!decoded || decoded->size() > base::limits::sasl_message) {
      cancel_pending_ = !first;
      return refuse({condition::bad, {}, "Invalid base64"}), std::nullopt;
    }
    w.decoded = std::move(*decoded);
    about.response = w.decoded;
  }
  phase_ = phase::commands;
  return put_question(asked::auth, about);
}

}  // namespace briefwerk::protocol::imap
