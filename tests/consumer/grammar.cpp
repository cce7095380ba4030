// A product that uses the grammar and the session machines alone: no sockets, no cryptography, no store.
#include <cstdio>
#include <variant>

#include <briefwerk/protocol/smtp/server_session.hpp>

namespace smtp = briefwerk::protocol::smtp;

int main() {
  smtp::server_options options;
  options.require_tls = false;
  smtp::server_session session(options);
  std::string said;
  bool fed = false;
  for (;;) {
    auto step = session.next();
    if (auto* out = std::get_if<smtp::write>(&step)) said += out->bytes;
    else if (std::holds_alternative<smtp::ask>(step)) session.accept();
    else if (std::holds_alternative<smtp::need_bytes>(step) && !std::exchange(fed, true)) session.feed("EHLO client.example\r\nQUIT\r\n");
    else break;
  }
  std::printf("%s", said.c_str());
  return said.starts_with("220 ") && said.find("\r\n221 ") != std::string::npos ? 0 : 1;
}
