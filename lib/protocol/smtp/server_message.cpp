// Messages: DATA (RFC 5321 §4.1.1.4) and BDAT (RFC 3030).

#include <algorithm>

#include "briefwerk/protocol/smtp/server_session.hpp"

namespace briefwerk::protocol::smtp {

server_session::maybe_step server_session::ask_message_start() {
  return put_question(asked::message_start, message_start_question{recipients_, declared_size_, body_});
}

void server_session::answer_message_start(const reply& decision) {
  const bool accepted = decision.is_accepting();
  decoder_.restart();
  message_octets_ = 0;
  refusal_.reset();
  if (chunking_) {
    phase_ = phase::chunk;
    in_message_ = accepted;
    if (!accepted) {
      refusal_ = decision;
      chunk_failed_ = true;
    }
    if (decision.code == 421) put(decision);
    return;
  }
  in_message_ = accepted;
  if (accepted) phase_ = phase::data;
  put(!accepted || decision.is_intermediate() ? decision : replies::start_data);
}

void server_session::refuse_message(const reply& decision) {
  if (in_message_ && !refusal_) refusal_ = decision;
}

// A rule of the session itself refuses the message: the driver's sink is freed at once, the peer hears of it at the end.
void server_session::refuse_inside(const reply& named) {
  if (refusal_) return;
  refusal_ = named;
  drop_pending_ = in_message_;
}

bool server_session::exceeds_size(std::uint64_t octets) const noexcept {
  return options_.message_size > 0 && octets > options_.message_size;
}

server_session::maybe_step server_session::read_data() {
  if (input_.empty()) {
    if (!out_.empty()) return flush();
    return need_bytes{};
  }
  const data_decoder::piece piece = decoder_.next(input_);
  input_.remove_prefix(piece.consumed);
  message_octets_ += piece.text.size();
  // RFC 5321 §2.3.8: a bare LF or CR refuses the message, since some next hop may see the end of a message there.
  // Reading goes on to the final dot, here and past the size limit.
  if (decoder_.has_bare_line_end()) refuse_inside(replies::bare_line_end_in_message);
  if (exceeds_size(message_octets_)) refuse_inside(replies::message_too_big);
  if (piece.end) phase_ = phase::message_complete;
  if (piece.text.empty() || refusal_) return std::nullopt;
  return message_data{piece.text};
}

server_session::maybe_step server_session::ask_message_end() {
  if (refusal_) {
    reply decision = std::move(*refusal_);
    phase_ = phase::commands;
    put_final(decision);
    end_transaction();
    refusal_ = std::move(decision);  // goes with the reset
    reset_pending_ = true;
    return std::nullopt;
  }
  if (!out_.empty()) return flush();
  return put_question(asked::message_end, message_end_question{message_octets_, recipients_});
}

// RFC 2033 §4.2: in LMTP one reply for each recipient that was accepted; but one for BDAT without any.
void server_session::put_final(const reply& decision) {
  const std::size_t count = options_.role == server_role::lmtp ? std::max<std::size_t>(recipients_, 1) : 1;
  for (std::size_t i = 0; i < count; ++i) put(decision);
}

void server_session::end_message() noexcept {
  if (phase_ == phase::message_complete) phase_ = phase::commands;
  end_transaction();
}

// Null: the chunk may come.
const reply* server_session::refusal_of(const bdat_command& bdat) const noexcept {
  if (refused_connection_) return &replies::no_service_here;
  if (!tls_ && options_.require_tls) return &replies::tls_required;
  if (!options_.offered.chunking) return &replies::not_implemented;
  if (!in_transaction_) return &replies::mail_first;
  if (chunk_failed_) return &replies::bdat_failed;
  if (recipients_ == 0) return &no_recipients();
  if (exceeds_size(bdat.size) || exceeds_size(message_octets_ + bdat.size)) return &replies::message_too_big;
  return nullptr;
}

server_session::maybe_step server_session::run(const bdat_command& bdat) {
  chunk_left_ = bdat.size;
  chunk_last_ = bdat.last;
  phase_ = phase::chunk;
  const reply* refusal = refusal_of(bdat);
  if (refusal == nullptr && in_message_) return std::nullopt;
  if (refusal == nullptr) {
    chunking_ = true;
    return ask_message_start();
  }
  // The octets are read and dropped, then comes the reply (RFC 3030 §2).
  if (in_transaction_) {
    refuse_inside(*refusal);
    chunking_ = chunk_failed_ = true;
  } else {
    refusal_ = *refusal;
  }
  return std::nullopt;
}

server_session::maybe_step server_session::read_chunk() {
  if (chunk_left_ == 0) return end_chunk();
  if (input_.empty()) {
    if (!out_.empty()) return flush();
    return need_bytes{};
  }
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(input_.size(), chunk_left_));
  const std::string_view octets = input_.substr(0, size);
  input_.remove_prefix(size);
  chunk_left_ -= size;
  if (refusal_) return std::nullopt;
  if (body_ != mail::body_kind::binary_mime) {
    // RFC 3030 §2: text comes in canonical form, with CRLF.
    decoder_.check_lines(octets);
    if (decoder_.has_bare_line_end()) {
      refuse_inside(replies::bare_line_end_in_message);
      return std::nullopt;
    }
  }
  message_octets_ += size;
  return message_data{octets};
}

server_session::maybe_step server_session::end_chunk() {
  if (chunk_last_ && !refusal_ && body_ != mail::body_kind::binary_mime) {
    decoder_.finish_lines();
    if (decoder_.has_bare_line_end()) refuse_inside(replies::bare_line_end_in_message);
  }
  if (!refusal_ && chunk_last_) {
    phase_ = phase::message_complete;
    return std::nullopt;
  }
  phase_ = phase::commands;
  if (!refusal_) {
    put(replies::chunk_received);
    return std::nullopt;
  }
  if (chunk_last_ && in_transaction_) {
    phase_ = phase::message_complete;
    return std::nullopt;
  }
  const reply decision = std::move(*refusal_);
  refusal_.reset();
  if (in_transaction_) {
    chunk_failed_ = true;
    in_message_ = false;
  }
  // Only what a peer sends against the rules counts, not what it had pipelined.
  if (decision.is_permanent() && !in_transaction_ && !mail_refused_) put_error(decision);
  else put(decision);
  return std::nullopt;
}

}  // namespace briefwerk::protocol::smtp
