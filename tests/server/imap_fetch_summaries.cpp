// FETCH of what is kept beside messages: rows in their order whatever is asked, whether the store has it or not.

#include "briefwerk/mail/summary.hpp"
#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using briefwerk::base::sync_wait;
using t::client;
using t::has_part;
using t::house;

namespace {

constexpr int count = 300;

std::string subject(int number) { return "message " + std::to_string(number); }

// Messages 1 to `count`; of every seventh nothing was kept.
void fill(house& home) {
  std::vector<std::string> octets, summaries;
  for (int i = 1; i <= count; ++i) {
    octets.push_back("Subject: " + subject(i) + "\r\n\r\ntext " + std::to_string(i) + "\r\n");
    summaries.push_back(i % 7 == 0 ? "" : briefwerk::mail::encode_summary(briefwerk::mail::summarise(octets.back())));
  }
  std::vector<briefwerk::store::message_source> pieces;
  for (int i = 0; i < count; ++i) pieces.push_back({octets[static_cast<std::size_t>(i)], summaries[static_cast<std::size_t>(i)]});
  std::vector<briefwerk::store::local_target> targets(count);
  for (auto& one : targets) one.account = home.alice();
  REQUIRE(sync_wait(home.mail().append(std::move(pieces), std::move(targets))));
}

// "5 7": numbers of the rows, each with its own subject.
std::string rows_of(const std::vector<std::string>& said) {
  std::string out;
  for (const auto& line : said) {
    if (!line.starts_with("* ") || line.find(" FETCH (") == line.npos) continue;
    const int number = std::stoi(line.substr(2));
    CHECK_MESSAGE(line.find("\"" + subject(number) + "\"") != line.npos, line);
    CHECK_MESSAGE(line.find("UID " + std::to_string(number) + " ") != line.npos, line);
    out.append(out.empty() ? "" : " ").append(std::to_string(number));
  }
  return out;
}

std::string numbers(int first, int last) {
  std::string out;
  for (int i = first; i <= last; ++i) out.append(out.empty() ? "" : " ").append(std::to_string(i));
  return out;
}

}  // namespace

TEST_CASE("FETCH of envelopes: every row once, in order") {
  house home(t::channel::plain, 2);
  fill(home);
  client c(home), other(home);
  for (client* one : {&c, &other}) {
    one->login();
    one->command("SELECT INBOX");
  }
  const std::pair<const char*, std::string> rows[] = {
      {"FETCH 1:*", numbers(1, count)},
      {"UID FETCH 1:*", numbers(1, count)},
      {"FETCH 7", "7"},
      {"FETCH 1,3,5:8,250", "1 3 5 6 7 8 250"},
      {"UID FETCH 14,15,21,300:*", "14 15 21 300"},
  };
  for (const auto& [command, expected] : rows) {
    CAPTURE(command);
    const auto said = c.command(std::string(command) + " (UID ENVELOPE BODYSTRUCTURE)");
    CHECK(rows_of(said) == expected);
    CHECK(has_part(said, " OK Fetched"));
  }
  // RFC 7162 §3.1.4.1: few of many, with long gaps between.
  c.command("ENABLE CONDSTORE");
  const auto told = c.command("SELECT INBOX");
  std::string modseq;
  for (const auto& line : told)
    if (const auto at = line.find("[HIGHESTMODSEQ "); at != line.npos) modseq = line.substr(at + 15, line.find(']', at) - at - 15);
  other.command("STORE 1,100:101,140,299 +FLAGS.SILENT (\\Flagged)");
  c.command("NOOP");
  CHECK(rows_of(c.command("FETCH 1:* (UID ENVELOPE) (CHANGEDSINCE " + modseq + ")")) == "1 100 101 140 299");
  // Gone, though this client does not know yet: made from the messages themselves.
  other.command("STORE 2,60:80,300 +FLAGS.SILENT (\\Deleted)");
  other.command("EXPUNGE");
  CHECK(rows_of(c.command("FETCH 1:* (UID ENVELOPE)")) == numbers(1, count));
  CHECK(has_part(c.command("NOOP"), "EXPUNGE"));
}
