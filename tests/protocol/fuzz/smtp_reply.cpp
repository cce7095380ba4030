// A client session against octets of a server. The first octet chooses the options, the rest comes in pieces of its
// second octet's size. Every recipient must have an outcome in the end.

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "briefwerk/protocol/smtp/client_session.hpp"

namespace smtp = briefwerk::protocol::smtp;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  smtp::client_options options;
  options.lmtp = data[0] & 1;
  options.tls = static_cast<smtp::tls_policy>((data[0] >> 1) & 3);
  options.log_in = data[0] & 8;
  options.login_without_tls = data[0] & 16;
  options.prefer_chunking = data[0] & 32;
  options.rcpt_window = 2;
  briefwerk::mail::smtp_envelope envelope;
  for (const char* local : {"a", "b", "c"}) envelope.recipients.push_back({{local, "y.example"}, {}, 0});
  if (data[0] & 64) envelope.body = briefwerk::mail::body_kind::binary_mime;

  smtp::client_session session(options);
  const std::size_t piece = data[1] == 0 ? size : data[1];
  std::size_t at = 2;
  int messages = 3;
  int chunks = 0;
  bool sending = false;
  std::unique_ptr<char[]> block;
  for (;;) {
    auto step = session.next();
    if (std::holds_alternative<smtp::need_bytes>(step)) {
      if (at >= size) {
        session.connection_lost();
        continue;
      }
      const std::size_t count = std::min(piece, size - at);
      block = std::make_unique<char[]>(count);
      std::memcpy(block.get(), data + at, count);
      at += count;
      session.feed({block.get(), count});
    } else if (std::holds_alternative<smtp::start_tls>(step)) {
      session.tls_started();
    } else if (auto* login = std::get_if<smtp::choose_login>(&step)) {
      if (login->last_refusal != nullptr) session.skip_login();
      else session.log_in("PLAIN", std::nullopt);
    } else if (std::holds_alternative<smtp::login_challenge>(step)) {
      session.respond("x");
    } else if (std::holds_alternative<smtp::ready>(step)) {
      if (sending) std::abort();
      sending = messages-- > 0;
      chunks = 0;
      if (sending) session.send(envelope);
      else session.quit();
    } else if (std::holds_alternative<smtp::need_message>(step)) {
      if (!sending) std::abort();
      session.message(".\r\nx", ++chunks == 12);
    } else if (std::holds_alternative<smtp::finished>(step)) {
      if (!sending || session.outcomes().size() != envelope.recipients.size()) std::abort();
      for (const auto& outcome : session.outcomes())
        if (outcome.answer.code < 200) std::abort();
      sending = false;
    } else if (std::holds_alternative<smtp::close>(step)) {
      if (sending) std::abort();
      return 0;
    }
  }
}
