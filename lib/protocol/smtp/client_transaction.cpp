// One message: MAIL, RCPT, DATA or BDAT, with PIPELINING where it is offered (RFC 2920).

#include <algorithm>
#include <charconv>

#include "briefwerk/protocol/smtp/client_session.hpp"

namespace briefwerk::protocol::smtp {
namespace {

// Below this size octets are gathered into one write; longer runs are written from where they lie.
constexpr std::size_t gather_size = 16384;
// BDAT commands sent ahead of their replies.
constexpr std::size_t chunk_window = 8;

bool is_ascii(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 128; });
}

bool is_ascii(const mail::mailbox_address& address) noexcept {
  return is_ascii(address.local) && is_ascii(address.domain);
}

// Whether a value can stand in a command line: no octet may end the line or begin another parameter.
bool is_word(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) > 32 && c != 127; });
}

bool is_writable(const mail::mailbox_address& address) noexcept {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; };
  return !address.local.empty() && std::ranges::none_of(address.local, control) &&
         (address.domain.empty() || (is_word(address.domain) && address.domain.find('>') == std::string::npos));
}

void append_path(std::string& out, const mail::mailbox_address& address) {
  out.push_back('<');
  if (address.domain.empty()) out.append(address.local);  // <postmaster>, RFC 5321 §4.1.1.3
  else mail::append_mailbox(out, address);
  out.push_back('>');
}

void append_number(std::string& out, std::uint64_t value) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void append_notify(std::string& out, unsigned on) {
  out.append(" NOTIFY=");
  if (on & mail::notify::never) {
    out.append("NEVER");
    return;
  }
  auto element = [&, first = true](unsigned bit, std::string_view name) mutable {
    if (!(on & bit)) return;
    if (!std::exchange(first, false)) out.push_back(',');
    out.append(name);
  };
  element(mail::notify::success, "SUCCESS");
  element(mail::notify::failure, "FAILURE");
  element(mail::notify::delay, "DELAY");
}

}  // namespace

void client_session::send(const mail::smtp_envelope& envelope, const outgoing_details& details) {
  if (phase_ != phase::ready) return;
  phase_ = phase::talking;
  envelope_ = &envelope;
  details_ = details;
  outcomes_.assign(envelope.recipients.size(), {});
  accepted_.clear();
  next_rcpt_ = next_final_ = 0;
  body_given_ = body_last_ = false;
  progress_ = progress::recipients;
  // A reply to a command that was not yet sent belongs to nothing.
  if (!input_.empty()) return fail(replies::protocol_error, outcome_stage::connection);
  if (const reply* refusal = local_refusal()) {
    settle_all(*refusal, outcome_stage::local);
    progress_ = progress::over;
    return;
  }
  // RFC 3030 §3: BINARYMIME goes by BDAT only.
  chunking_ = offered_.chunking && (options_.prefer_chunking || envelope.body == mail::body_kind::binary_mime);
  if (std::exchange(needs_reset_, false)) say("RSET", expected::rset);
  put_mail();
}

const reply* client_session::local_refusal() const noexcept {
  if (envelope_->smtputf8 || (envelope_->sender && !is_ascii(*envelope_->sender))) {
    if (!offered_.smtputf8) return &replies::smtputf8_not_offered;
  }
  // RFC 8689 §5: a report goes on without it.
  if (envelope_->require_tls && envelope_->sender && !offered_.requiretls) return &replies::requiretls_not_offered;
  if (envelope_->body == mail::body_kind::binary_mime && !(offered_.binarymime && offered_.chunking))
    return &replies::conversion_needed;
  if (envelope_->body == mail::body_kind::eight_bit_mime && options_.require_8bitmime && !offered_.eightbitmime)
    return &replies::conversion_needed;
  if (offered_.size_limit > 0 && details_.size.value_or(0) > offered_.size_limit) return &replies::too_big_for_server;
  if (envelope_->sender && !is_writable(*envelope_->sender)) return &replies::unsendable_address;
  return nullptr;
}

void client_session::put_mail() {
  out_.append("MAIL FROM:");
  bool utf8 = envelope_->smtputf8;
  if (envelope_->sender) {
    append_path(out_, *envelope_->sender);
    utf8 = utf8 || !is_ascii(*envelope_->sender);
  } else {
    out_.append("<>");
  }
  for (const auto& recipient : envelope_->recipients) utf8 = utf8 || !is_ascii(recipient.address);
  if (offered_.size && details_.size) {
    out_.append(" SIZE=");
    append_number(out_, *details_.size);
  }
  if (envelope_->body == mail::body_kind::binary_mime) out_.append(" BODY=BINARYMIME");
  else if (envelope_->body == mail::body_kind::eight_bit_mime && offered_.eightbitmime) out_.append(" BODY=8BITMIME");
  if (utf8 && offered_.smtputf8) out_.append(" SMTPUTF8");
  if (envelope_->require_tls && offered_.requiretls) out_.append(" REQUIRETLS");
  if (offered_.dsn) {
    if (envelope_->ret == mail::return_content::full) out_.append(" RET=FULL");
    if (envelope_->ret == mail::return_content::headers) out_.append(" RET=HDRS");
    if (is_word(envelope_->envelope_id)) out_.append(" ENVID=").append(envelope_->envelope_id);
  }
  if (details_.auth && is_word(*details_.auth) && !offered_.mechanisms.empty())
    out_.append(" AUTH=").append(*details_.auth);
  say({}, expected::mail);
}

void client_session::put_rcpt(std::size_t index) {
  const auto& recipient = envelope_->recipients[index];
  if (!is_writable(recipient.address)) return settle(index, replies::unsendable_address, outcome_stage::local);
  if (!is_ascii(recipient.address) && !offered_.smtputf8)
    return settle(index, replies::smtputf8_not_offered, outcome_stage::local);
  // RFC 9422 §4.2: the server has said how many it takes.
  if (offered_.rcpt_max && index >= *offered_.rcpt_max)
    return settle(index, replies::too_many_recipients, outcome_stage::local);
  out_.append("RCPT TO:");
  append_path(out_, recipient.address);
  if (offered_.dsn) {
    outcomes_[index].dsn_relayed = true;
    if (recipient.notify_on != 0) append_notify(out_, recipient.notify_on);
    if (is_word(recipient.original_recipient)) out_.append(" ORCPT=").append(recipient.original_recipient);
  }
  say({}, expected::rcpt, index);
}

// What can be sent now. Without PIPELINING one command at a time.
void client_session::pump() {
  if (progress_ == progress::recipients) pump_recipients();
  if (progress_ == progress::over && !awaits_reply()) {
    progress_ = progress::none;
    report_ = true;
  }
}

void client_session::pump_recipients() {
  const std::size_t window = offered_.pipelining ? options_.rcpt_window : 1;
  while (next_rcpt_ < outcomes_.size()) {
    if (in_flight_count() >= window) return;
    put_rcpt(next_rcpt_++);
  }
  // BDAT carries the message with it: it waits for the replies, so that nothing is sent to nobody. DATA need not.
  if (awaits_reply() && (!offered_.pipelining || chunking_)) return;
  const bool nobody = !awaits_reply() && accepted_.empty();
  if (nobody) {
    needs_reset_ = true;
    progress_ = progress::over;
  } else if (chunking_) {
    start_body();
  } else {
    say("DATA", expected::data);
    progress_ = progress::data_sent;
  }
}

void client_session::on_mail(const reply& got) {
  if (got.is_positive()) return;
  settle_all(got, outcome_stage::mail);
  // Pipelined commands behind it have replies still to come. With DATA among them progress stays with on_data.
  if (progress_ == progress::recipients) progress_ = progress::over;
}

void client_session::on_rcpt(const reply& got, std::size_t recipient) {
  if (outcomes_[recipient].answer.code != 0) return;
  if (got.is_positive()) accepted_.push_back(recipient);
  else settle(recipient, got, outcome_stage::rcpt);
}

void client_session::on_data(const reply& got) {
  // RFC 5321 §4.3.2: DATA has no 2yz. Replies and commands are out of step, and so they are where the reply to the
  // final dot is there before it: taken for what they seem to be, either would end a message that nobody has.
  if (got.is_positive() || (got.is_intermediate() && !input_.empty())) return fail(replies::protocol_error, outcome_stage::data);
  if (!got.is_intermediate()) {
    settle_all(got, outcome_stage::data);
    needs_reset_ = true;
    progress_ = progress::over;
    return;
  }
  if (!accepted_.empty()) return start_body();
  // RFC 2920 §3.1: a server that takes DATA for nobody gets an empty message. In LMTP no reply would follow it.
  if (options_.lmtp) return fail(replies::protocol_error, outcome_stage::data);
  out_.append(".\r\n");
  flight_.push_back({expected::end_of_data});
  progress_ = progress::over;
}

void client_session::start_body() {
  encoder_ = data_encoder();
  progress_ = progress::body;
}

void client_session::message(std::string_view chunk, bool last) noexcept {
  if (progress_ != progress::body || body_given_) return;
  body_ = chunk;
  body_last_ = last;
  body_given_ = true;
}

std::optional<client_step> client_session::pump_body() {
  if (chunking_ && in_flight_count() >= (offered_.pipelining ? chunk_window : 1)) {
    if (!out_.empty()) return flush();
    return need_bytes{};
  }
  if (!body_given_) {
    if (out_.size() >= gather_size) return flush();
    return need_message{};
  }
  chunking_ ? put_chunk() : encode_body();
  if (direct_.empty() && out_.size() >= gather_size) return flush();
  return std::nullopt;
}

void client_session::encode_body() {
  while (!body_.empty() && out_.size() < gather_size) {
    const data_encoder::piece piece = encoder_.next(body_);
    body_.remove_prefix(piece.consumed);
    if (piece.wire.size() >= gather_size) {
      direct_ = piece.wire;
      return;
    }
    out_.append(piece.wire);
  }
  if (!body_.empty()) return;
  body_given_ = false;
  if (!body_last_) return;
  out_.append(encoder_.finish());
  await_final_replies();
}

// RFC 3030 §2
void client_session::put_chunk() {
  body_given_ = false;
  const std::string_view octets = std::exchange(body_, {});
  if (octets.empty() && !body_last_) return;
  out_.append("BDAT ");
  append_number(out_, octets.size());
  out_.append(body_last_ ? " LAST\r\n" : "\r\n");
  if (octets.size() < gather_size) out_.append(octets);
  else direct_ = octets;
  if (body_last_) await_final_replies();
  else flight_.push_back({expected::chunk});
}

void client_session::await_final_replies() {
  // RFC 2033 §4.2: LMTP answers for each accepted recipient.
  const std::size_t count = options_.lmtp ? accepted_.size() : 1;
  for (std::size_t i = 0; i < count; ++i) flight_.push_back({expected::end_of_data});
  progress_ = progress::over;
}

void client_session::on_chunk(const reply& got) {
  if (got.is_positive()) return;
  settle_all(got, outcome_stage::data);
  needs_reset_ = true;
  progress_ = progress::over;  // no chunk may follow (RFC 3030 §2)
}

void client_session::on_end_of_data(const reply& got) {
  if (!options_.lmtp) return settle_all(got, outcome_stage::end_of_data);
  if (next_final_ < accepted_.size()) settle(accepted_[next_final_++], got, outcome_stage::end_of_data);
}

void client_session::settle(std::size_t recipient, const reply& why, outcome_stage stage) {
  recipient_outcome& outcome = outcomes_[recipient];
  if (outcome.answer.code != 0) return;
  outcome.answer = why;
  outcome.stage = stage;
}

void client_session::settle_all(const reply& why, outcome_stage stage) {
  for (std::size_t i = 0; i < outcomes_.size(); ++i) settle(i, why, stage);
}

}  // namespace briefwerk::protocol::smtp
