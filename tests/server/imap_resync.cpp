// CONDSTORE and QRESYNC (RFC 7162).

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

namespace {

std::uint64_t number_behind(const std::vector<std::string>& lines, std::string_view word) {
  for (const auto& line : lines)
    if (const auto at = line.find(word); at != line.npos)
      return std::strtoull(line.c_str() + at + word.size(), nullptr, 10);
  return 0;
}

void fill(client& c, int count) {
  for (int i = 0; i < count; ++i) c.append("INBOX", t::first_message);
}

}  // namespace

TEST_CASE("CONDSTORE, RFC 7162 §3.1") {
  house home;
  client c(home), other(home);
  c.login();
  other.login();
  fill(c, 4);
  const auto opened = c.command("SELECT INBOX");
  const auto before = number_behind(opened, "HIGHESTMODSEQ ");
  CHECK(before != 0);
  other.command("SELECT INBOX");
  CHECK_MESSAGE(!has_part(c.command("STORE 1 +FLAGS (\\Seen)"), "MODSEQ"), "§3.1: not before it was asked for");
  // §3.1.2.1: a command that enables, and what it says.
  auto said = c.command("FETCH 1 (MODSEQ)");
  CHECK(has_part(said, "* OK [HIGHESTMODSEQ "));
  const auto first = number_behind(said, "MODSEQ (");
  CHECK(first == before + 1);
  CHECK_FALSE(has_part(c.command("FETCH 1 (MODSEQ)"), "HIGHESTMODSEQ"));
  // §3.2: all later FETCH responses have it.
  said = c.command("STORE 2 +FLAGS (\\Seen)");
  CHECK(has_part(said, "MODSEQ ("));
  CHECK_MESSAGE(has_part(said, "* 2 FETCH (UID 2 FLAGS (\\Seen"), "§3.2.4: the UID as well");
  said = c.command("FETCH 3 (BODY[TEXT])");
  CHECK_MESSAGE(has_part(said, "MODSEQ ("), "implicit \\Seen");
  CHECK_MESSAGE(has_part(said, "UID 3 "), "§3.2.4");
  CHECK_FALSE(has_part(c.command("FETCH 3 (BODY[TEXT])"), "UID"));
  // §3.1.4.1
  said = c.command("FETCH 1:* (FLAGS) (CHANGEDSINCE " + std::to_string(first) + ")");
  CHECK_FALSE(has_part(said, "* 1 FETCH"));
  CHECK(has_part(said, "* 2 FETCH"));
  CHECK(has_part(said, "MODSEQ ("));
  // §3.1.3: what others changed is left alone, and named.
  other.command("STORE 1 +FLAGS (\\Flagged)");
  said = c.command("STORE 1,4 (UNCHANGEDSINCE " + std::to_string(first) + ") +FLAGS (\\Deleted)");
  CHECK_MESSAGE(has_part(said, "OK [MODIFIED 1]"), t::all_of(said));
  CHECK(has_part(said, "* 4 FETCH (UID 4 FLAGS (\\Deleted"));
  CHECK_FALSE(has_part(c.command("FETCH 1 FLAGS"), "\\Deleted"));
  // §3.1.5, §3.1.6
  const auto last = number_behind(c.command("FETCH 4 (MODSEQ)"), "MODSEQ (");
  CHECK(
      has_line(c.command("SEARCH MODSEQ " + std::to_string(last)), "* SEARCH 4 (MODSEQ " + std::to_string(last) + ")"));
  CHECK(has_part(c.command("SEARCH RETURN (MIN) MODSEQ \"/flags/\\\\draft\" all 1"), "MIN 1 MODSEQ "));
  CHECK(has_part(c.command("STATUS INBOX (HIGHESTMODSEQ)"), "(HIGHESTMODSEQ " + std::to_string(last) + ")"));
  // §3.1.3: MODSEQ is told even so, whether a flag is another then, and while a removal is still to be told.
  const std::string unchanged = "STORE 4 (UNCHANGEDSINCE " + std::to_string(last) + ") +FLAGS.SILENT (\\Deleted)";
  CHECK(has_part(c.command(unchanged), "MODSEQ (" + std::to_string(last) + ")"));
  other.command("STORE 3 +FLAGS.SILENT (\\Deleted)");
  other.command("UID EXPUNGE 3");
  said = c.command("STORE 4 (UNCHANGEDSINCE " + std::to_string(last) + ") +FLAGS.SILENT (\\Draft)");
  CHECK_MESSAGE(has_part(said, "* 4 FETCH (UID 4 MODSEQ ("), t::all_of(said));
  CHECK_FALSE(has_part(said, "EXPUNGE"));
  other.command("STORE 1 -FLAGS (\\Flagged)");
  CHECK_MESSAGE(has_part(c.command("NOOP"), "* 1 FETCH (UID 1 FLAGS ("), "§3.2.4: of others' changes too");
}

TEST_CASE("after .SILENT the flags are told where the client cannot know them, RFC 9051 §6.4.6") {
  house home;
  client c(home), other(home);
  c.login();
  other.login();
  fill(c, 3);
  c.command("SELECT INBOX (CONDSTORE)");
  other.command("SELECT INBOX");
  CHECK(has_part(c.command("UID STORE 1 +FLAGS.SILENT (\\Seen)"), "* 1 FETCH (UID 1 MODSEQ ("));
  CHECK(has_part(c.command("STORE 1 -FLAGS.SILENT (\\Seen)"), "* 1 FETCH (UID 1 MODSEQ ("));
  CHECK(has_part(c.command("STORE 1 FLAGS.SILENT (\\Answered new)"), "* 1 FETCH (UID 1 MODSEQ ("));
  CHECK(has_part(c.command("FETCH 1 FLAGS"), "* 1 FETCH (FLAGS (\\Answered \\Recent new))"));
  CHECK_MESSAGE(has_part(c.command("STORE 1 +FLAGS (\\Seen)"), "* 1 FETCH (UID 1 FLAGS ("), "not silent");
  // Others' changes that could not be told yet: a removal stands before them.
  other.command("STORE 3 +FLAGS.SILENT (\\Deleted)");
  c.command("NOOP");
  other.command("EXPUNGE");
  other.command("STORE 2 +FLAGS (\\Flagged)");
  const auto said = c.command("STORE 2 +FLAGS.SILENT (\\Seen)");
  CHECK_MESSAGE(has_part(said, "* 2 FETCH (UID 2 FLAGS (\\Seen \\Flagged"), t::all_of(said));
}

TEST_CASE("QRESYNC, RFC 7162 §3.2") {
  house home;
  client c(home);
  c.login();
  fill(c, 10);
  CHECK(has_part(c.command("SELECT INBOX (QRESYNC (1 1))"), "BAD"));
  CHECK(has_line(c.command("ENABLE QRESYNC"), "* ENABLED QRESYNC"));
  auto said = c.command("SELECT INBOX");
  const auto validity = std::to_string(number_behind(said, "UIDVALIDITY "));
  const auto away = std::to_string(number_behind(said, "HIGHESTMODSEQ "));
  c.command("UNSELECT");

  client other(home);
  other.login();
  other.command("SELECT INBOX");
  other.command("STORE 2,3,7 +FLAGS.SILENT (\\Deleted)");
  other.command("EXPUNGE");
  other.command("UID STORE 5 +FLAGS (\\Flagged)");
  other.append("INBOX", t::first_message);

  said = c.command("SELECT INBOX (QRESYNC (" + validity + " " + away + "))");
  CHECK_MESSAGE(has_line(said, "* VANISHED (EARLIER) 2:3,7"), t::all_of(said));
  CHECK(has_part(said, "* 3 FETCH (UID 5 FLAGS (\\Flagged"));
  CHECK(has_part(said, "UID 11 "));
  CHECK_FALSE(has_part(said, "UID 4 "));
  // §3.2.5.1: only what the client knows.
  said = c.command("SELECT INBOX (QRESYNC (" + validity + " " + away + " 1:5))");
  CHECK(has_line(said, "* OK [CLOSED] The mailbox selected before is closed"));
  CHECK(has_line(said, "* VANISHED (EARLIER) 2:3"));
  CHECK_FALSE(has_part(said, "UID 11 "));
  // Another UIDVALIDITY: nothing is told.
  CHECK_FALSE(has_part(c.command("SELECT INBOX (QRESYNC (" + validity + "9 " + away + "))"), "VANISHED"));
  // §3.2.5.2: older than the history; all that is missing, but what the client knows of.
  c.command("SELECT INBOX (QRESYNC (" + validity + " 1 1:10 (1:2 1,4)))");
  // §3.2.6
  CHECK(has_line(c.command("UID FETCH 1:6 (FLAGS) (CHANGEDSINCE " + away + " VANISHED)"), "* VANISHED (EARLIER) 2:3"));
  CHECK(has_part(c.command("UID FETCH 1:6 (FLAGS) (VANISHED)"), "BAD"));
  // §3.2.10 and §3.2.7
  other.command("UID STORE 4 +FLAGS.SILENT (\\Deleted)");
  other.command("EXPUNGE");
  CHECK(has_line(c.command("NOOP"), "* VANISHED 4"));
  c.command("UID STORE 1 +FLAGS.SILENT (\\Deleted)");
  said = c.command("EXPUNGE");
  CHECK(has_line(said, "* VANISHED 1"));
  CHECK(has_part(said, "OK [HIGHESTMODSEQ "));
  // RFC 6851 §4.4
  said = c.command("UID MOVE 6 Sent");
  CHECK(has_line(said, "* VANISHED 6"));
  REQUIRE(has_part(said, " OK [HIGHESTMODSEQ "));
  CHECK(number_behind(said, "HIGHESTMODSEQ ") == number_behind(c.command("STATUS INBOX (HIGHESTMODSEQ)"), "HIGHESTMODSEQ "));
  CHECK_FALSE(has_part(c.command("UID MOVE 6 Sent"), "HIGHESTMODSEQ"));
  // A client that has nothing yet gets all.
  said = c.command("SELECT INBOX (QRESYNC (" + validity + " 0))");
  CHECK(has_part(said, "UID 5 "));
  CHECK(has_part(said, "UID 11 "));
  c.command("UID STORE 5 +FLAGS.SILENT (\\Deleted)");
  CHECK_MESSAGE(!has_part(c.command("CLOSE"), "HIGHESTMODSEQ"), "§3.2.8: MUST NOT");
}

TEST_CASE("modification sequences while others' removals are still to be told, RFC 7162 §3.2 and §6") {
  house home;
  client c(home), other(home);
  c.login();
  other.login();
  fill(c, 5);
  c.command("ENABLE QRESYNC");
  const auto known = number_behind(c.command("SELECT INBOX"), "HIGHESTMODSEQ ");
  other.command("SELECT INBOX");
  other.command("STORE 1 +FLAGS.SILENT (\\Deleted)");
  other.command("EXPUNGE");
  other.command("UID STORE 2 +FLAGS (\\Flagged)");
  // Removals cannot be told in answers to commands with sequence numbers.
  const auto bound = "* OK [HIGHESTMODSEQ " + std::to_string(known) + "] Later changes are still to be told";
  const struct {
    const char* why;
    const char* command;
    bool bounded;
  } rows[] = {
      {"MODSEQ asked for", "FETCH 3 (FLAGS MODSEQ)", true},
      {"nothing of it is told", "FETCH 3 (FLAGS)", false},
      {"MODSEQ of a change", "STORE 3 +FLAGS (\\Answered)", true},
      {"MODSEQ of an implied change", "FETCH 4 (BODY[TEXT])", true},
      {"UID commands tell removals first", "UID FETCH 3 (FLAGS MODSEQ)", false},
      {"nothing is left to tell", "FETCH 1 (FLAGS MODSEQ)", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    const auto said = c.command(row.command);
    CHECK_MESSAGE(has_line(said, bound) == row.bounded, t::all_of(said));
    CHECK(has_part(said, "HIGHESTMODSEQ") == row.bounded);
  }
}

TEST_CASE("UIDONLY, RFC 9586") {
  house home;
  client c(home);
  c.login();
  fill(c, 3);
  CHECK(has_line(c.command("ENABLE UIDONLY"), "* ENABLED UIDONLY"));
  CHECK_FALSE(has_part(c.command("SELECT INBOX"), "[UNSEEN "));
  for (const char* refused : {"FETCH 1 FLAGS", "STORE 1 FLAGS ()", "SEARCH ALL", "COPY 1 Sent", "MOVE 1 Sent",
                              "SORT (DATE) UTF-8 ALL", "UID SEARCH 1:2", "UID SEARCH NOT (OR 1 2 ALL)"}) {
    CAPTURE(refused);
    CHECK(has_part(c.command(refused), "BAD [UIDREQUIRED]"));
  }
  CHECK(has_part(c.command("UID FETCH 2 FLAGS"), "* 2 UIDFETCH (UID 2 FLAGS ("));
  CHECK(has_part(c.command("UID STORE 2 +FLAGS (\\Deleted)"), "* 2 UIDFETCH (UID 2 FLAGS (\\Deleted"));
  CHECK(has_line(c.command("EXPUNGE"), "* VANISHED 2"));
  CHECK(has_part(c.command("UID FETCH 3 FLAGS"), "* 3 UIDFETCH (UID 3 FLAGS ("));
}

TEST_CASE("UNAUTHENTICATE, RFC 8437") {
  house home;
  client c(home);
  c.login();
  fill(c, 1);
  c.command("ENABLE IMAP4rev2 QRESYNC");
  c.command("SELECT INBOX");
  c.command("SEARCH RETURN (SAVE) ALL");
  c.send("u UNAUTHENTICATE\r\nl LOGIN bob@example.org secret\r\n");
  CHECK(has_part(c.until("u"), "u OK"));
  CHECK(has_part(c.until("l"), "l OK"));
  CHECK(has_part(c.command("FETCH 1 FLAGS"), "BAD"));
  CHECK(has_line(c.command("SELECT INBOX"), "* 0 EXISTS"));
  CHECK(has_line(c.command("ENABLE QRESYNC"), "* ENABLED QRESYNC"));
  c.command("UNAUTHENTICATE");
  CHECK(has_part(c.command("SELECT INBOX"), "BAD"));
}

TEST_CASE("QUOTA, RFC 9208") {
  house home;
  client c(home);
  c.login();
  fill(c, 1);
  CHECK(has_line(c.command("GETQUOTAROOT INBOX"), "* QUOTAROOT INBOX Account"));
  CHECK(has_line(c.command("GETQUOTA Account"), "* QUOTA Account ()"));
  REQUIRE(
      briefwerk::base::sync_wait(home.mail().set_quota(home.alice(), {.octets = 10240, .messages = 50})).has_value());
  CHECK(has_line(c.command("GETQUOTA Account"), "* QUOTA Account (STORAGE 1 10 MESSAGE 1 50)"));
  // §4.1.4: what an EXPUNGE would give back.
  CHECK(has_line(c.command("STATUS INBOX (DELETED DELETED-STORAGE)"), "* STATUS INBOX (DELETED 0 DELETED-STORAGE 0)"));
  c.command("SELECT INBOX");
  c.command("STORE 1 +FLAGS (\\Deleted)");
  CHECK(has_line(c.command("STATUS INBOX (DELETED DELETED-STORAGE)"),
                 "* STATUS INBOX (DELETED 1 DELETED-STORAGE " + std::to_string(t::first_message.size()) + ")"));
  CHECK(has_part(c.command("GETQUOTA Other"), "NO [NONEXISTENT]"));
  CHECK(has_part(c.command("SETQUOTA Account (STORAGE 1)"), "NO [NOPERM]"));
  CHECK(has_part(c.command("APPEND INBOX {20000+}\r\n" + std::string(20000, 'x')), "NO [OVERQUOTA]"));
}
