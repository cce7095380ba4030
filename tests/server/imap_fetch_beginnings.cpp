// FETCH of what stands at the beginning of large messages, of which no more than that is read.

#include "briefwerk/mail/summary.hpp"
#include "imap_support.hpp"
#include "server/imap/fetch_plan.hpp"

namespace imap = briefwerk::server::imap;
namespace mail = briefwerk::mail;
namespace store = briefwerk::store;
namespace t = briefwerk::server::testing;
using briefwerk::base::sync_wait;
using t::client;
using t::house;

TEST_CASE("where a header ends, as far as its beginning says so") {
  struct row {
    const char* why;
    std::string_view beginning;
    std::optional<std::size_t> end;
  };
  const row rows[] = {
      {"nothing yet", "", std::nullopt},
      {"a cut line", "A: b", std::nullopt},
      {"a field, and perhaps more", "A: b\r\n", std::nullopt},
      {"the empty line may be the last", "A: b\r\n\r\n", std::nullopt},
      {"a body begins, its line is cut", "A: b\r\n\r\nC", std::nullopt},
      {"a line of the body", "A: b\r\n\r\nC: d\r\n", 8},
      {"bare LF", "A: b\n\nC\n", 6},
      {"no header", "\r\nbody\r\n", 2},
      {"a field that goes on", "A: b\r\n c\r\n\r\nd\r\n", 12},
      {"an empty line that is cut", "A: b\r\n\r", std::nullopt},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(imap::header_end(row.beginning) == row.end);
  }
}

namespace {

// A header of so many octets in short lines and folded ones, X-Last behind all others, and the empty line.
std::string header_of(std::size_t size) {
  constexpr std::string_view last = "X-Last: here\r\n\r\n";
  std::string out = "Subject: first\r\nFrom: a@example.org\r\n";
  const std::string value(100, 'v');
  for (unsigned i = 0; out.size() + 140 + last.size() < size; ++i)
    out += (i % 3 == 2 ? "\t" : "X-Field-" + std::to_string(i) + ": ") + value + "\r\n";
  out += "X-Pad: ";
  out.append(size - out.size() - 2 - last.size(), 'p');
  return out.append("\r\n").append(last);
}

std::string body_of(std::size_t size) {
  std::string out;
  for (unsigned i = 0; out.size() < size; ++i) out += "Line: " + std::to_string(i) + "\r\n";
  return out;
}

std::string section(std::string_view said, std::string_view octets) {
  return std::string(said) + " {" + std::to_string(octets.size()) + "}\r\n" + std::string(octets);
}

}  // namespace

TEST_CASE("FETCH of the beginnings of large messages") {
  struct large {
    std::string why, header, body;
  };
  constexpr std::size_t first = 16384;  // as much as is read at first
  std::string endless = header_of(3 * first);
  endless.resize(endless.size() - 2);
  const large messages[] = {
      {"a short header", header_of(500), body_of(300'000)},
      {"it ends where reading does", header_of(first), body_of(100'000)},
      {"one octet later", header_of(first + 1), body_of(100'000)},
      {"one earlier: the line behind it is cut", header_of(first - 1), body_of(100'000)},
      {"much longer", header_of(5 * first), body_of(100'000)},
      {"longer than is read the second time", header_of(10 * first), body_of(400'000)},
      {"no body", header_of(2 * first), ""},
      {"no end", endless, ""},
      {"a small message", header_of(200), body_of(100)},
      {"a body that looks like a header", header_of(300), header_of(40'000) + body_of(40'000)},
  };
  house home;
  client c(home);
  c.login();
  std::vector<store::message_source> pieces;
  std::vector<std::string> octets;
  for (const auto& one : messages) octets.push_back(one.header + one.body);
  for (const auto& one : octets) pieces.push_back({one, ""});  // nothing was kept at delivery
  std::vector<store::local_target> targets(octets.size());
  for (auto& one : targets) one.account = home.alice();
  REQUIRE(sync_wait(home.mail().append(std::move(pieces), std::move(targets))));
  c.command("SELECT INBOX");
  const auto cut = [](std::string_view text, std::size_t from, std::size_t length) {
    return text.substr(std::min(from, text.size()), length);
  };
  for (std::size_t i = 0; i < octets.size(); ++i) {
    const auto& [why, header, body] = messages[i];
    const std::string& whole = octets[i];
    CAPTURE(why);
    const std::string chosen = "Subject: first\r\nX-Last: here\r\n";
    const std::pair<std::string, std::string> rows[] = {
        {"BODY.PEEK[HEADER]", section("BODY[HEADER]", header)},
        {"RFC822.HEADER", section("RFC822.HEADER", header)},
        {"BODY.PEEK[HEADER]<10.5>", section("BODY[HEADER]<10>", cut(header, 10, 5))},
        {"BODY.PEEK[HEADER.FIELDS (Subject X-Last)]", section("BODY[HEADER.FIELDS (Subject X-Last)]", chosen + "\r\n")},
        {"BODY.PEEK[]<0.20000>", section("BODY[]<0>", cut(whole, 0, 20000))},
        {"BODY.PEEK[]<16000.5000>", section("BODY[]<16000>", cut(whole, 16000, 5000))},
        {"BODY.PEEK[]<90000.100000>", section("BODY[]<90000>", cut(whole, 90000, 100000))},
        {"BODY.PEEK[TEXT]<0.100>", section("BODY[TEXT]<0>", cut(body, 0, 100))},
        {"BODY.PEEK[TEXT]<7.20000>", section("BODY[TEXT]<7>", cut(body, 7, 20000))},
        {"BODY.PEEK[TEXT]", section("BODY[TEXT]", body)},
        {"BODY.PEEK[]", section("BODY[]", whole)},
    };
    for (const auto& [item, expected] : rows) {
      CAPTURE(item);
      const auto said = c.command("FETCH " + std::to_string(i + 1) + " (" + item + ")");
      CHECK((said.front() == "* " + std::to_string(i + 1) + " FETCH (" + expected + ")"));
      CHECK(said.back().find(" OK ") != std::string::npos);
    }
    const auto both = c.command("FETCH " + std::to_string(i + 1) + " (BODY.PEEK[HEADER] BODY.PEEK[TEXT]<0.10> ENVELOPE BODYSTRUCTURE)");
    const auto kept = mail::summarise(whole);
    CHECK((both.front() == "* " + std::to_string(i + 1) + " FETCH (ENVELOPE " + kept.envelope +
                               " BODYSTRUCTURE " + kept.body_structure + " " + section("BODY[HEADER]", header) + " " +
                               section("BODY[TEXT]<0>", cut(body, 0, 10)) + ")"));
    // SEARCH looks at no more of them either.
    const auto found = c.command("SEARCH " + std::to_string(i + 1) + " HEADER X-Last here");
    CHECK(found.front() == "* SEARCH " + std::to_string(i + 1));
  }
  CHECK(c.command("SEARCH HEADER Line 1").front() == "* SEARCH");  // that stands in bodies alone
}
