// Our server as another TLS library sees it: `openssl s_client`.

#include <sys/wait.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>

#include "briefwerk/base/encoding.hpp"
#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using namespace briefwerk::net::testing;

namespace {

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  char buffer[4096];
  while (const std::size_t got = ::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, got);
  ::pclose(pipe);
  return out;
}

base::task<void> bind_channel(stream s, tls_context& context) {
  const status secured = co_await s.start_tls_server(context);
  if (!secured) co_return;
  const result<std::string> binding = s.tls_exporter();
  std::string line = "bound: ";
  line += binding ? base::hex_encode(*binding) : std::string("not");
  line += '\n';
  (void)co_await s.write(line);
  (void)co_await s.shutdown(2s);
}

}  // namespace

TEST_CASE("openssl s_client: versions, certificates by key kind, verification, channel binding") {
  if (::access("/usr/bin/openssl", X_OK) != 0) {
    MESSAGE("left out: openssl is not installed");
    return;
  }
  temporary_folder folder;
  certificate_request request;
  request.names = {"mail.example.org"};
  const certificate_files ecdsa = self_signed(folder, "ecdsa", request);
  request.key = key_kind::rsa_2048;
  const certificate_files rsa = self_signed(folder, "rsa", request);
  auto context = tls_context::server({.certificates = {ecdsa, rsa}});
  REQUIRE(context.has_value());
  io_threads threads(1);
  listener door;
  REQUIRE(door.bind(loopback()).has_value());
  door.start(threads,
             [&](stream s, io_thread& thread) { base::spawn_here(thread, bind_channel(std::move(s), **context)); });
  threads.start();

  const std::string common = "timeout 20 /usr/bin/openssl s_client -connect " + door.endpoints().front().to_string() +
                             " -servername mail.example.org -verify_hostname mail.example.org -ign_eof"
                             " -keymatexport EXPORTER-Channel-Binding -keymatexportlen 32 ";
  struct row {
    const char* why;
    std::string options;
    std::vector<const char*> expected;
    bool bound;
  };
  const row rows[] = {
      {"TLS 1.3, ECDSA first",
       "-CAfile " + ecdsa.certificate,
       {"Verify return code: 0", "TLSv1.3", "id-ecPublicKey"},
       true},
      {"TLS 1.2, ECDSA first", "-tls1_2 -CAfile " + ecdsa.certificate, {"Verify return code: 0", "ECDHE-ECDSA-"}, true},
      {"TLS 1.3, a client without ECDSA",
       "-sigalgs RSA-PSS+SHA256 -CAfile " + rsa.certificate,
       {"Verify return code: 0", "TLSv1.3", "rsaEncryption"},
       true},
      {"TLS 1.2, a client without ECDSA suites",
       "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 -CAfile " + rsa.certificate,
       {"Verify return code: 0", "ECDHE-RSA-"},
       true},
      {"another certificate is not trusted", "-CAfile " + rsa.certificate, {"Verify return code: 18"}, true},
      {"TLS 1.1 is refused", "-tls1_1 -cipher DEFAULT@SECLEVEL=0", {"protocol version"}, false},
      {"no suite without forward secrecy", "-tls1_2 -cipher AES128-GCM-SHA256", {"handshake failure"}, false},
      {"no suite without AEAD", "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256", {"handshake failure"}, false},
  };
  for (const row& r : rows) {
    CAPTURE(std::string(r.why));
    const std::string seen = output_of(common + r.options + " 2>&1 </dev/null");
    CAPTURE(seen);
    for (const char* text : r.expected) CHECK(seen.find(text) != std::string::npos);
    const std::size_t ours = seen.find("bound: "), theirs = seen.find("Keying material: ");
    REQUIRE((ours != std::string::npos) == r.bound);
    if (!r.bound) continue;
    REQUIRE(theirs != std::string::npos);
    std::string material = seen.substr(theirs + 17, 64);
    for (char& c : material) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    CHECK(seen.substr(ours + 7, 64) == material);  // RFC 9266, with TLS 1.2 as well
  }
  threads.stop(2s);
}
