// Whole IMAP sessions over loopback sockets: logging in, selecting, reading, changing.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

TEST_CASE("a session from greeting to logout, on every kind of connection") {
  for (const auto how : {t::channel::plain, t::channel::start_tls, t::channel::implicit_tls}) {
    CAPTURE(static_cast<int>(how));
    house home(how);
    client c(home);
    CHECK(has_part(c.command("CAPABILITY"), "IMAP4rev2"));
    CHECK(has_part(c.command("LOGIN alice@example.org wrong"), "NO [AUTHENTICATIONFAILED]"));
    c.login();
    const auto selected = c.command("SELECT INBOX");
    CHECK(has_line(selected, "* 0 EXISTS"));
    CHECK(has_line(selected, "* 0 RECENT"));
    CHECK(has_part(selected, "* FLAGS ("));
    CHECK(has_part(selected, "[PERMANENTFLAGS ("));
    CHECK(has_part(selected, "\\*)]"));
    CHECK(has_part(selected, "[UIDVALIDITY "));
    CHECK(has_part(selected, "[UIDNEXT 1]"));
    CHECK(has_part(selected, "OK [READ-WRITE]"));
    CHECK(has_part(c.command("ID NIL"), "\"name\" \"Briefwerk\""));
    CHECK(has_part(c.command("NAMESPACE"), "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL"));
    const auto gone = c.command("LOGOUT");
    CHECK(has_part(gone, "* BYE"));
    CHECK(c.line().empty());
  }
}

TEST_CASE("AUTHENTICATE with and without initial response, cancelled and wrong") {
  house home;
  client c(home);
  c.send("a AUTHENTICATE PLAIN\r\n");
  CHECK(c.line().starts_with("+"));
  c.send("*\r\n");
  CHECK(c.line().starts_with("a BAD"));
  c.send("b AUTHENTICATE PLAIN\r\n");
  CHECK(c.line().starts_with("+"));
  c.send("AGFsaWNlQGV4YW1wbGUub3JnAHdyb25n\r\n");
  CHECK(c.line().starts_with("b NO [AUTHENTICATIONFAILED]"));
  CHECK(has_part(c.command("AUTHENTICATE PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA=="), " OK "));
}

TEST_CASE("FETCH answers from the index, the summary and the message") {
  house home;
  client c(home);
  c.login();
  c.append("INBOX", t::first_message, "(\\Flagged work) \" 5-Jan-2026 11:00:00 +0100\" ");
  c.append("INBOX", t::second_message);
  CHECK(has_line(c.command("SELECT INBOX"), "* 2 EXISTS"));
  struct row {
    const char* why;
    const char* command;
    const char* answer;
  };
  const row rows[] = {
      {"flags and keywords", "FETCH 1 FLAGS", "* 1 FETCH (FLAGS (\\Flagged \\Recent work))"},
      {"the UID form names the UID", "UID FETCH 1 (FLAGS)", "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Recent work))"},
      {"before what is long, where programs look for it", "UID FETCH 1 (BODY.PEEK[TEXT])", "* 1 FETCH (UID 1 BODY[TEXT] {13}\r\nHello there\r\n)"},
      {"the date is shown in UTC", "FETCH 1 INTERNALDATE", "* 1 FETCH (INTERNALDATE \" 5-Jan-2026 10:00:00 +0000\")"},
      {"envelope of the summary", "FETCH 1 ENVELOPE",
       "* 1 FETCH (ENVELOPE (\"Mon, 5 Jan 2026 10:00:00 +0000\" \"Gr=?utf-8?q?=C3=BC?=sse\" ((\"Anna\" NIL \"anna\" "
       "\"example.org\")) ((\"Anna\" NIL \"anna\" \"example.org\")) ((\"Anna\" NIL \"anna\" \"example.org\")) ((NIL NIL "
       "\"bob\" \"example.org\")) NIL NIL NIL \"<one@example.org>\"))"},
      {"one part", "FETCH 2 BODY.PEEK[1]", "* 2 FETCH (BODY[1] {14}\r\nneedle in text)"},
      {"of one part a piece", "FETCH 2 BODY.PEEK[1]<3.4>", "* 2 FETCH (BODY[1]<3> {4}\r\ndle )"},
      {"a part that is not there", "FETCH 2 BODY.PEEK[7]", "* 2 FETCH (BODY[7] NIL)"},
      {"its MIME header", "FETCH 2 BODY.PEEK[1.MIME]", "* 2 FETCH (BODY[1.MIME] {28}\r\nContent-Type: text/plain\r\n\r\n)"},
      {"chosen fields", "FETCH 1 BODY.PEEK[HEADER.FIELDS (Subject)]",
       "* 1 FETCH (BODY[HEADER.FIELDS (Subject)] {36}\r\nSubject: Gr=?utf-8?q?=C3=BC?=sse\r\n\r\n)"},
      {"the text", "FETCH 1 BODY.PEEK[TEXT]", "* 1 FETCH (BODY[TEXT] {13}\r\nHello there\r\n)"},
      {"decoded, RFC 3516", "FETCH 2 BINARY.SIZE[2]", "* 2 FETCH (BINARY.SIZE[2] 3)"},
  };
  for (const auto& one : rows) {
    const auto said = c.command(one.command);
    CAPTURE(t::all_of(said));
    CHECK_MESSAGE(has_line(said, one.answer), one.why);
    CHECK(has_part(said, " OK "));
  }
  const auto whole = c.command("FETCH 1 BODY.PEEK[]");
  CHECK(has_part(whole, std::string("{") + std::to_string(t::first_message.size()) + "}\r\n" + std::string(t::first_message) + ")"));
  CHECK(has_part(c.command("FETCH 2 BODYSTRUCTURE"), "\"mixed\""));
  CHECK(has_part(c.command("FETCH 9 FLAGS"), " BAD "));
}

TEST_CASE("reading a body marks it seen, once, and says so in the same row") {
  house home;
  client c(home);
  c.login();
  c.append("INBOX", t::first_message);
  c.command("SELECT INBOX");
  const auto first = c.command("FETCH 1 BODY[TEXT]");
  CHECK(has_part(first, "* 1 FETCH (FLAGS (\\Seen \\Recent) BODY[TEXT] {13}\r\nHello there\r\n)"));
  CHECK(first.size() == 2);
  const auto second = c.command("FETCH 1 BODY[TEXT]");
  CHECK(has_part(second, "Hello there\r\n)"));
  CHECK(c.command("NOOP").size() == 1);

  client reader(home);
  reader.login();
  reader.append("INBOX", t::second_message);
  reader.command("EXAMINE INBOX");
  CHECK(!has_part(reader.command("FETCH 2 BODY[1]"), "Seen"));
  CHECK(has_part(reader.command("STORE 2 +FLAGS (\\Seen)"), " NO "));
}

TEST_CASE("STORE changes flags and tells them, or keeps silent") {
  house home;
  client c(home);
  c.login();
  for (int i = 0; i < 3; ++i) c.append("INBOX", t::first_message);
  c.command("SELECT INBOX");
  CHECK(has_line(c.command("STORE 1:2 +FLAGS (\\Seen)"), "* 2 FETCH (FLAGS (\\Seen \\Recent))"));
  CHECK(has_line(c.command("UID STORE 2 FLAGS (\\Draft work)"), "* 2 FETCH (UID 2 FLAGS (\\Draft \\Recent work))"));
  CHECK(has_line(c.command("STORE 2 -FLAGS (WORK)"), "* 2 FETCH (FLAGS (\\Draft \\Recent))"));
  CHECK(c.command("STORE 1:3 +FLAGS.SILENT (\\Answered)").size() == 1);
  CHECK(c.command("NOOP").size() == 1);
  CHECK(has_line(c.command("FETCH 3 FLAGS"), "* 3 FETCH (FLAGS (\\Answered \\Recent))"));
}

TEST_CASE("EXPUNGE, UID EXPUNGE, CLOSE and UNSELECT") {
  house home;
  client c(home);
  c.login();
  for (int i = 0; i < 5; ++i) c.append("INBOX", t::first_message);
  c.command("SELECT INBOX");
  c.command("STORE 2,4 +FLAGS.SILENT (\\Deleted)");
  const auto one = c.command("UID EXPUNGE 4:5");
  CHECK(has_line(one, "* 4 EXPUNGE"));
  CHECK(!has_line(one, "* 2 EXPUNGE"));
  CHECK(has_line(c.command("EXPUNGE"), "* 2 EXPUNGE"));
  c.command("STORE 1 +FLAGS.SILENT (\\Deleted)");
  c.command("UNSELECT");
  CHECK(has_line(c.command("SELECT INBOX"), "* 3 EXISTS"));
  CHECK(c.command("CLOSE").size() == 1);
  CHECK(has_line(c.command("SELECT INBOX"), "* 2 EXISTS"));
}

TEST_CASE("COPY and MOVE tell the UIDs, and what is missing can be created") {
  house home;
  client c(home);
  c.login();
  for (int i = 0; i < 3; ++i) c.append("INBOX", t::first_message);
  c.command("SELECT INBOX");
  CHECK(has_part(c.command("COPY 1 Nowhere"), "NO [TRYCREATE]"));
  CHECK(has_part(c.command("CREATE Kept"), " OK "));
  CHECK(has_part(c.command("COPY 1:2 Kept"), " 1:2 1:2]"));
  const auto moved = c.command("UID MOVE 2:3 Kept");
  REQUIRE(moved.size() == 4);
  CHECK(moved[0].find("[COPYUID ") != std::string::npos);
  CHECK(moved[1] == "* 2 EXPUNGE");
  CHECK(moved[2] == "* 2 EXPUNGE");
  CHECK(has_part(c.command("STATUS Kept (MESSAGES UIDNEXT)"), "* STATUS Kept (MESSAGES 4 UIDNEXT 5)"));
}

TEST_CASE("APPEND: synchronising, several at once, refused") {
  house home;
  client c(home);
  c.login();
  c.send("a APPEND INBOX {5}\r\n");
  CHECK(c.line().starts_with("+"));
  c.send("a: b\n\r\n");
  CHECK(c.line().find("a OK [APPENDUID ") == 0);
  const auto several = c.command("APPEND INBOX {8+}\r\na: 1\r\n\r\n (\\Seen) {8+}\r\na: 2\r\n\r\n");
  CHECK(has_part(several, " 2:3]"));
  c.send("b APPEND Nowhere {5}\r\n");
  CHECK(c.line().starts_with("b NO [TRYCREATE]"));
  const std::string large(3u << 20, 'x');
  CHECK(c.append("INBOX", "Subject: large\r\n\r\n" + large) == 4);
  c.command("SELECT INBOX");
  const auto back = c.command("FETCH 4 BODY.PEEK[TEXT]");
  CHECK(back.front().size() > large.size());
  CHECK(has_part(back, large));
}

TEST_CASE("\\Recent belongs to the first session that hears of a message, RFC 3501 §2.3.2") {
  house home;
  client first(home), second(home), later(home);
  for (client* each : {&first, &second, &later}) each->login();
  first.append("INBOX", t::first_message);
  CHECK(has_line(second.command("STATUS INBOX (RECENT)"), "* STATUS INBOX (RECENT 1)"));
  // RFC 3501 §6.3.2: EXAMINE takes it from nobody.
  CHECK(has_line(second.command("EXAMINE INBOX"), "* 1 RECENT"));
  CHECK(has_line(first.command("SELECT INBOX"), "* 1 RECENT"));
  CHECK(has_line(later.command("SELECT INBOX"), "* 0 RECENT"));
  CHECK(has_line(first.command("FETCH 1 FLAGS"), "* 1 FETCH (FLAGS (\\Recent))"));
  CHECK(has_line(later.command("FETCH 1 FLAGS"), "* 1 FETCH (FLAGS ())"));
  CHECK(has_line(first.command("SEARCH RECENT"), "* SEARCH 1"));
  CHECK(has_line(later.command("SEARCH OLD"), "* SEARCH 1"));
  CHECK(has_line(second.command("STATUS INBOX (RECENT)"), "* STATUS INBOX (RECENT 0)"));
  // What comes while the mailbox is open; IMAP4rev2 knows nothing of it.
  later.append("INBOX", t::second_message);
  CHECK(has_line(later.command("FETCH 2 FLAGS"), "* 2 FETCH (FLAGS (\\Recent))"));
  const auto told = first.command("NOOP");
  CHECK(has_line(told, "* 2 EXISTS"));
  CHECK_FALSE(has_part(told, "RECENT"));
  client rev2(home);
  rev2.login();
  rev2.append("INBOX", t::second_message);
  rev2.command("ENABLE IMAP4rev2");
  CHECK_FALSE(has_part(rev2.command("SELECT INBOX"), "RECENT"));
}

TEST_CASE("what is announced after the login") {
  house home;
  client c(home);
  c.login();
  CHECK(c.command("CAPABILITY").front() ==
        "* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ENABLE ID IDLE NAMESPACE UIDPLUS UNSELECT CHILDREN MOVE ESEARCH "
        "SEARCHRES WITHIN LIST-EXTENDED LIST-STATUS STATUS=SIZE SPECIAL-USE CREATE-SPECIAL-USE MULTIAPPEND CATENATE REPLACE "
        "BINARY CONDSTORE QRESYNC UTF8=ACCEPT OBJECTID SAVEDATE PREVIEW SORT SORT=DISPLAY ESORT I18NLEVEL=1 "
        "THREAD=ORDEREDSUBJECT THREAD=REFERENCES CONTEXT=SEARCH PARTIAL SEARCH=FUZZY UIDONLY INPROGRESS QUOTA QUOTA=RES-STORAGE "
        "QUOTA=RES-MESSAGE METADATA LIST-METADATA ACL RIGHTS=kxte LIST-MYRIGHTS NOTIFY MULTISEARCH COMPRESS=DEFLATE UNAUTHENTICATE APPENDLIMIT=52428800");
}
