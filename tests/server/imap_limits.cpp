// MESSAGELIMIT and SAVELIMIT (RFC 9738) over a real connection, with a limit small enough for a test.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

namespace {

constexpr auto limited = [](auto& options) { options.message_limit = 3; };

void fill(client& c, int count) {
  for (int i = 0; i < count; ++i) c.append("INBOX", t::first_message);
  c.command("SELECT INBOX");
}

}  // namespace

TEST_CASE("MESSAGELIMIT: commands deal with the highest UIDs, from there down") {
  house home(t::channel::plain, 1, limited);
  client c(home);
  c.login();
  fill(c, 6);
  CHECK(has_part(c.command("CAPABILITY"), " MESSAGELIMIT=3 "));
  struct row {
    const char* why;
    const char* command;
    std::vector<std::string_view> untagged;
    const char* tagged;
  };
  const row rows[] = {
      {"as many as the limit", "FETCH 1:3 UID", {"* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"}, " OK Fetched"},
      {"§3.1 FETCH: those left out are below", "FETCH 1:* UID", {"* 6 FETCH (UID 6)", "* 5 FETCH (UID 5)", "* 4 FETCH (UID 4)"},
       " OK [MESSAGELIMIT 3 4] Fetched"},
      {"the client goes on from there", "UID FETCH 1:3 UID", {"* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)", "* 3 FETCH (UID 3)"},
       " OK Fetched"},
      {"messages are read as well", "UID FETCH 1,3,5,6 (RFC822.SIZE PREVIEW)",
       {"* 6 FETCH (UID 6 RFC822.SIZE 170 PREVIEW \"Hello there\")", "* 5 FETCH (UID 5 RFC822.SIZE 170 PREVIEW \"Hello there\")",
        "* 3 FETCH (UID 3 RFC822.SIZE 170 PREVIEW \"Hello there\")"},
       " OK [MESSAGELIMIT 3 3] Fetched"},
      {"§3.1: a PARTIAL range counts by itself", "UID FETCH 1:* UID (PARTIAL 1:2)", {"* 1 FETCH (UID 1)", "* 2 FETCH (UID 2)"},
       " OK Fetched"},
      {"a PARTIAL range past the limit", "UID FETCH 1:* UID (PARTIAL -1:-4)", {}, " NO [MESSAGELIMIT 3] Too many"},
      {"§3.1 SEARCH: what is looked at counts", "SEARCH ALL", {"* SEARCH 4 5 6"}, " OK [MESSAGELIMIT 3 4] Searched"},
      {"no hit among these", "UID SEARCH FROM nobody", {"* SEARCH"}, " OK [MESSAGELIMIT 3 4] Searched"},
      {"§3.2 UIDBEFORE", "UID SEARCH UIDBEFORE 4 FROM Anna", {"* SEARCH 1 2 3"}, " OK Searched"},
      {"§3.2 UIDAFTER", "UID SEARCH UIDAFTER 3", {"* SEARCH 4 5 6"}, " OK Searched"},
      {"both", "UID SEARCH UIDAFTER 1 UIDBEFORE 6 UNSEEN", {"* SEARCH 3 4 5"}, " OK [MESSAGELIMIT 3 3] Searched"},
      {"inside of NOT they narrow nothing", "UID SEARCH NOT UIDAFTER 4", {"* SEARCH 4"}, " OK [MESSAGELIMIT 3 4] Searched"},
      {"§3.4: what is saved is what was found", "UID SEARCH RETURN (SAVE) ALL", {}, " OK [MESSAGELIMIT 3 4] Searched"},
      {"", "UID FETCH $ UID", {"* 4 FETCH (UID 4)", "* 5 FETCH (UID 5)", "* 6 FETCH (UID 6)"}, " OK Fetched"},
      {"§3.3 SORT is of all or of none", "SORT (DATE) UTF-8 ALL", {}, " NO [MESSAGELIMIT 3] Too many"},
      {"", "UID SORT (ARRIVAL) UTF-8 UIDBEFORE 3", {"* SORT 1 2"}, " OK Sorted"},
      {"§3.3 THREAD", "THREAD REFERENCES UTF-8 ALL", {}, " NO [MESSAGELIMIT 3] Too many"},
      {"§3.1 STORE", "UID STORE 1:6 +FLAGS.SILENT (\\Deleted)", {}, " OK [MESSAGELIMIT 3 4] Stored"},
      {"one code is enough for the OK", "UID STORE 1:6 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen)",
       {"* OK [HIGHESTMODSEQ 8] Highest", "* NO [MESSAGELIMIT 3 4] Messages with lower UIDs are left"}, " OK [MODIFIED 4:6]"},
      {"§3.1 COPY is of all or of none", "COPY 1:* Archive", {}, " NO [MESSAGELIMIT 3 4] Too many messages"},
      {"", "STATUS Archive (MESSAGES)", {"* STATUS Archive (MESSAGES 0)"}, " OK Done"},
  };
  for (const auto& one : rows) {
    const auto said = c.command(one.command);
    CAPTURE(one.why);
    CAPTURE(one.command);
    CAPTURE(t::all_of(said));
    REQUIRE(said.size() == one.untagged.size() + 1);
    for (std::size_t i = 0; i < one.untagged.size(); ++i) CHECK(said[i] == one.untagged[i]);
    CHECK(said.back().find(one.tagged) != std::string::npos);
  }
}

TEST_CASE("MESSAGELIMIT: MOVE, UID EXPUNGE, and what is not limited") {
  house home(t::channel::plain, 1, limited);
  client c(home);
  c.login();
  fill(c, 8);
  const auto moved = c.command("UID MOVE 1:5 Archive");
  CHECK(has_part(moved, " 3:5 1:3] Moved"));
  CHECK(has_part(moved, " OK [MESSAGELIMIT 3 3] Moved"));
  CHECK(has_part(c.command("STATUS Archive (MESSAGES)"), "(MESSAGES 3)"));
  c.command("STORE 1:3 +FLAGS.SILENT (\\Deleted)");
  c.command("STORE 4:5 +FLAGS.SILENT (\\Deleted)");
  c.command("STORE 4 -FLAGS.SILENT (\\Deleted)");
  // 1 2 6 8 are marked: only these count (§3.1).
  const auto expunged = c.command("UID EXPUNGE 1:*");
  CHECK(has_part(expunged, " OK [MESSAGELIMIT 3 2] Expunged"));
  CHECK(has_line(c.command("UID SEARCH ALL"), "* SEARCH 1 7"));
  for (int i = 0; i < 4; ++i) c.append("INBOX", t::first_message, "(\\Deleted) ");
  CHECK(has_part(c.command("EXPUNGE"), " OK Expunged"));  // §3.1: not limited
  CHECK(has_line(c.command("UID SEARCH ALL"), "* SEARCH 7"));
}

TEST_CASE("MESSAGELIMIT: CLOSE and STATUS are not limited; with UIDONLY") {
  house home(t::channel::plain, 1, limited);
  client c(home);
  c.login();
  fill(c, 6);
  CHECK(has_line(c.command("STATUS INBOX (UNSEEN MESSAGES)"), "* STATUS INBOX (MESSAGES 6 UNSEEN 6)"));
  c.command("STORE 1:3 +FLAGS.SILENT (\\Deleted)");
  c.command("STORE 4:5 +FLAGS.SILENT (\\Deleted)");
  CHECK(has_part(c.command("CLOSE"), " OK "));
  CHECK(has_line(c.command("STATUS INBOX (MESSAGES)"), "* STATUS INBOX (MESSAGES 1)"));
  fill(c, 4);  // UIDs 6 to 10
  CHECK(has_part(c.command("ENABLE UIDONLY"), " OK "));
  const auto said = c.command("UID FETCH 1:* RFC822.SIZE");
  REQUIRE(said.size() == 4);
  CHECK(said[0] == "* 10 UIDFETCH (UID 10 RFC822.SIZE 170)");
  CHECK(said[2] == "* 8 UIDFETCH (UID 8 RFC822.SIZE 170)");
  CHECK(said[3].find(" OK [MESSAGELIMIT 3 8] ") != std::string::npos);
  // §3.1: with another code in the tagged OK, an untagged NO.
  const auto moved = c.command("UID MOVE 1:* Archive");
  CHECK(has_part(moved, "MESSAGELIMIT 3 8]"));
  CHECK(has_part(c.command("STATUS Archive (MESSAGES)"), "(MESSAGES 3)"));
}

TEST_CASE("MESSAGELIMIT: an APPEND of more messages stores none") {
  house home(t::channel::plain, 1, limited);
  client c(home);
  c.login();
  CHECK(has_part(c.command("APPEND INBOX {1+}\r\na {1+}\r\nb {1+}\r\nc {1+}\r\nd"), " NO [MESSAGELIMIT 3] "));
  CHECK(has_part(c.command("STATUS INBOX (MESSAGES)"), "(MESSAGES 0)"));
  CHECK(has_part(c.command("APPEND INBOX {1+}\r\na {1+}\r\nb {1+}\r\nc"), " OK [APPENDUID "));
}

TEST_CASE("SAVELIMIT: COPY and APPEND alone are limited (RFC 9738 §3)") {
  house home(t::channel::plain, 1, [](auto& options) { options.save_limit = 2; });
  client c(home);
  c.login();
  fill(c, 4);
  const auto offered = c.command("CAPABILITY");
  CHECK(has_part(offered, " SAVELIMIT=2 "));
  CHECK_FALSE(has_part(offered, "MESSAGELIMIT"));
  CHECK(has_part(c.command("COPY 1:3 Archive"), " NO [MESSAGELIMIT 2 2] "));
  CHECK(has_part(c.command("COPY 1:2 Archive"), " OK [COPYUID "));
  CHECK(has_part(c.command("APPEND INBOX {1+}\r\na {1+}\r\nb {1+}\r\nc"), " NO [MESSAGELIMIT 2] "));
  CHECK(c.command("FETCH 1:4 UID").size() == 5);
  CHECK(has_part(c.command("MOVE 1:3 Archive"), " OK Moved"));
}

TEST_CASE("without a limit none is told, and its search keys are not there") {
  house home;
  client c(home);
  c.login();
  fill(c, 2);
  CHECK_FALSE(has_part(c.command("CAPABILITY"), "LIMIT=2"));
  CHECK(has_part(c.command("UID SEARCH UIDAFTER 1"), " BAD Not offered"));
}
