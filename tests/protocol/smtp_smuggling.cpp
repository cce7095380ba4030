// The end-of-data sequences of the public SMTP-smuggling testers: none ends a message inbound, none goes out unchanged.

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "briefwerk/protocol/smtp/data_decoder.hpp"
#include "protocol/smtp_script.hpp"
#include "support/folders.hpp"

using namespace smtp_script;

namespace {

std::vector<std::string> sequences(const std::string& json, const std::string& key) {
  // An array of strings with the escapes \n, \r and \u0000 only.
  std::vector<std::string> out;
  std::size_t at = json.find('"' + key + '"');
  at = json.find('[', at);
  const std::size_t end = json.find(']', at);
  while ((at = json.find('"', at)) < end) {
    std::string& one = out.emplace_back();
    for (++at; json[at] != '"'; ++at) {
      if (json[at] != '\\') one += json[at];
      else if (json[++at] == 'n') one += '\n';
      else if (json[at] == 'r') one += '\r';
      else if (json.compare(at, 5, "u0000") == 0) one += '\0', at += 4;
      else FAIL("unknown escape");
    }
    ++at;
  }
  return out;
}

}  // namespace

TEST_CASE("SMTP smuggling") {
  const std::filesystem::path path = briefwerk::test::suites_folder() / "smtp-smuggling/end-of-data-sequences.json";
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    MESSAGE("suite absent: ", path.string());
    return;
  }
  const std::string json{std::istreambuf_iterator<char>(file), {}};

  const auto inbound = sequences(json, "must_not_end_data_inbound");
  REQUIRE(inbound.size() >= 10);
  for (const auto& sequence : inbound) {
    const std::string message = "Subject: first\r\n\r\nbody" + sequence +
                                "MAIL FROM:<evil@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\nSubject: second\r\n";
    const auto got = run(plain_mx(), {"EHLO c\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nDATA\r\n" + message +
                                      "\r\n.\r\nQUIT\r\n"});
    CHECK(got.events.find("evil") == std::string::npos);
    const bool only_nul = sequence.find('\0') != std::string::npos;
    // Bare CR and LF refuse the message; NUL is text, and the message is one.
    CHECK(got.messages.size() == (only_nul ? 1 : 0));
    CHECK((got.output.find("\r\n550 5.6.0 ") != std::string::npos) == !only_nul);
    CHECK(got.end == "quit");
  }

  const auto outbound = sequences(json, "must_not_be_relayed_verbatim_outbound");
  REQUIRE(outbound.size() >= 9);
  for (const auto& sequence : outbound) {
    const std::string message = "Subject: first\r\n\r\nbody" + sequence + "MAIL FROM:<evil@x.example>\r\n";
    for (std::size_t cut = 0; cut <= message.size(); ++cut) {
      smtp::data_encoder encoder;
      std::string wire;
      for (std::string_view part : {std::string_view(message).substr(0, cut), std::string_view(message).substr(cut)}) {
        while (!part.empty()) {
          const auto piece = encoder.next(part);
          wire += piece.wire;
          part.remove_prefix(piece.consumed);
        }
      }
      wire += encoder.finish();
      // The real end is the only one.
      CHECK(wire.substr(0, wire.size() - 3).find(sequence) == std::string::npos);
      CHECK(wire.find("\r\n.\r\n") == wire.size() - 5);
      CHECK(wire.find('\0') == std::string::npos);
    }
  }
}
