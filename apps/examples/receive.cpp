// Receives mail for example.org on 127.0.0.1:2525 into a callback. With --self-check it asks itself whom
// it takes mail for, starts and stops.
#include <cstdio>
#include <cstring>

#include <briefwerk/crypto.hpp>
#include <briefwerk/mail.hpp>
#include <briefwerk/net.hpp>
#include <briefwerk/server.hpp>

using namespace briefwerk;

class print_mail final : public server::smtp_handler {
  base::task<server::reply> rcpt(server::session_facts&, const server::smtp_envelope&,
                                 const server::envelope_recipient& to) override {
    const bool ours = mail::domain_to_ascii(to.address.domain) == "example.org";  // as the client wrote it: Example.ORG too
    co_return ours ? server::replies::recipient_ok : server::replies::relay_denied;
  }
  base::task<server::reply> message(server::session_facts&, const server::smtp_envelope&,
                                    server::message_buffer& message) override {
    const mail::header_block header(message.view());
    std::printf("%zu octets: %s\n", message.size(), mail::decode_text(header.value("Subject")).c_str());
    co_return server::replies::queued;  // it must be safe by now: this sample keeps nothing
  }
};

int main(int argc, char** argv) {
  const bool self_check = argc > 1 && std::strcmp(argv[1], "--self-check") == 0;
  auto certificate = net::make_self_signed({.names = {"localhost"}}).value();
  if (!net::write_file("receive.pem", certificate.certificate + certificate.key)) return 1;
  auto crypto = crypto::make_boringssl();
  print_mail handler;
  if (self_check) {
    server::smtp_handler& asked = handler;
    server::session_facts session;
    for (const auto& [domain, code] : {std::pair{"Example.ORG", 250}, {"elsewhere.example", 550}}) {
      if (base::sync_wait(asked.rcpt(session, {}, {.address = {"alice", domain}})).code != code) return 1;
    }
  }

  server::smtp_service service;
  service.handler = &handler;
  service.crypto = crypto.get();
  service.tls = net::tls_context::server({.certificates = {{"receive.pem", "receive.pem"}}}).value();
  net::io_thread loop;  // outlives the server
  server::smtp_server server(std::move(service));
  if (auto bound = server.listen({*base::ip_address::parse("127.0.0.1"), std::uint16_t(self_check ? 0 : 2525)}); !bound) {
    std::fprintf(stderr, "%s\n", bound.error().text.c_str());
    return 1;
  }
  server.start(loop);
  std::printf("listening on %s, mail comes in after STARTTLS\n", server.endpoints().front().to_string().c_str());
  if (self_check) loop.run_for(std::chrono::milliseconds(50));
  else loop.run();
}
