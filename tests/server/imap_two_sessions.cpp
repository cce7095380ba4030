// Two sessions with one mailbox: who is told what, and when.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

TEST_CASE("an idling client hears of everything at once") {
  house home(t::channel::plain, 2);
  client watcher(home), other(home);
  watcher.login();
  other.login();
  // IMAP4rev2: whose \\Recent the message is has no order here.
  watcher.command("ENABLE IMAP4rev2");
  watcher.command("SELECT INBOX");
  other.command("SELECT INBOX");
  watcher.send("i IDLE\r\n");
  CHECK(watcher.line().starts_with("+"));
  other.append("INBOX", t::first_message);
  CHECK(watcher.line() == "* 1 EXISTS");
  other.command("STORE 1 +FLAGS (\\Flagged)");
  CHECK(watcher.line() == "* 1 FETCH (FLAGS (\\Flagged))");
  other.command("STORE 1 +FLAGS.SILENT (\\Deleted)");
  CHECK(watcher.line() == "* 1 FETCH (FLAGS (\\Flagged \\Deleted))");
  other.command("EXPUNGE");
  CHECK(watcher.line() == "* 1 EXPUNGE");
  CHECK(watcher.is_quiet());
  watcher.send("DONE\r\n");
  CHECK(watcher.line().starts_with("i OK"));
}

TEST_CASE("IDLE: a word now and then where nothing happens, and an end to it") {
  using namespace std::chrono_literals;
  {
    house home(t::channel::plain, 1, [](auto& options) { options.idle_word_interval = 30ms; });
    client watcher(home), other(home);
    watcher.login();
    other.login();
    watcher.command("SELECT INBOX");
    CHECK_MESSAGE(watcher.is_quiet(100ms), "not while no command is under way");
    watcher.send("i IDLE\r\n");
    CHECK(watcher.line() == "+ idling");
    CHECK(watcher.line() == "* OK Still here");
    CHECK(watcher.line() == "* OK Still here");
    other.append("INBOX", t::first_message);
    std::string told = watcher.line();
    while (told == "* OK Still here") told = watcher.line();
    CHECK(told == "* 1 EXISTS");
    watcher.send("DONE\r\n");
    told = watcher.line();
    while (!told.starts_with("i ")) told = watcher.line();
    CHECK(told.starts_with("i OK"));
    CHECK_MESSAGE(watcher.is_quiet(100ms), "nor afterwards");
  }
  house home(t::channel::plain, 1, [](auto& options) {
    options.idle_word_interval = 100ms;
    options.idle_deadline = 350ms;
  });
  client watcher(home);
  watcher.login();
  watcher.send("i IDLE\r\n");
  CHECK(watcher.line() == "+ idling");
  for (int i = 0; i < 3; ++i) CHECK(watcher.line() == "* OK Still here");
  CHECK(watcher.line() == "* BYE Idle for too long");
}

TEST_CASE("what happened before IDLE is told behind its continuation") {
  house home;
  client watcher(home), other(home);
  watcher.login();
  other.login();
  watcher.command("ENABLE IMAP4rev2");
  watcher.command("SELECT INBOX");
  other.append("INBOX", t::first_message);
  watcher.send("i IDLE\r\n");
  CHECK(watcher.line() == "+ idling");
  CHECK(watcher.line() == "* 1 EXISTS");
  CHECK(watcher.is_quiet());
  watcher.send("DONE\r\n");
  CHECK(watcher.line().starts_with("i OK"));
  other.append("INBOX", t::first_message);
  watcher.send("j IDLE\r\nDONE\r\n");
  CHECK(watcher.line() == "+ idling");
  CHECK(watcher.line() == "* 2 EXISTS");
  CHECK(watcher.line().starts_with("j OK"));
}

TEST_CASE("a new keyword is named before the first message that has it, and once") {
  house home;
  client one(home), two(home);
  one.login();
  two.login();
  for (int i = 0; i < 2; ++i) one.append("INBOX", t::first_message);
  one.command("SELECT INBOX");
  two.command("SELECT INBOX");
  const auto stored = one.command("STORE 1 +FLAGS (new)");
  REQUIRE(stored.size() == 3);
  CHECK(stored[0] == "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft new)");
  CHECK(stored[1].starts_with("* 1 FETCH (FLAGS ("));
  CHECK(one.command("NOOP").size() == 1);
  const auto told = two.command("NOOP");
  REQUIRE(told.size() == 3);
  CHECK(told[0].starts_with("* FLAGS ("));

  // Where the rest has to wait for a removal that may not be told.
  two.command("STORE 2 +FLAGS.SILENT (\\Deleted)");
  one.command("NOOP");
  two.command("EXPUNGE");
  two.command("STORE 1 +FLAGS (newer)");
  const auto fetched = one.command("FETCH 1 FLAGS");
  REQUIRE(fetched.size() == 3);
  CHECK(fetched[0] == "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft new newer)");
  CHECK(fetched[1].starts_with("* 1 FETCH (FLAGS ("));
  CHECK(one.command("FETCH 1 FLAGS").size() == 2);
  const auto rest = one.command("NOOP");
  CHECK(has_line(rest, "* 2 EXPUNGE"));
  CHECK_FALSE(has_part(rest, "* FLAGS"));
}

TEST_CASE("EXPUNGE waits until it may be told, RFC 9051 §7.5.1") {
  house home;
  client one(home), two(home);
  one.login();
  two.login();
  for (int i = 0; i < 3; ++i) one.append("INBOX", t::first_message);
  one.command("SELECT INBOX");
  two.command("SELECT INBOX");
  one.command("STORE 1 +FLAGS.SILENT (\\Deleted)");
  CHECK(has_line(one.command("EXPUNGE"), "* 1 EXPUNGE"));

  // The other still counts three messages, and finds the second under its number.
  const auto fetched = two.command("FETCH 2:3 (UID)");
  CHECK(has_line(fetched, "* 2 FETCH (UID 2)"));
  CHECK_FALSE(has_part(fetched, "EXPUNGE"));
  CHECK_FALSE(has_part(two.command("STORE 3 +FLAGS (\\Seen)"), "EXPUNGE"));
  CHECK_FALSE(has_part(two.command("SEARCH ALL"), "EXPUNGE"));
  CHECK(has_part(two.command("FETCH 1 BODY.PEEK[TEXT]"), "Hello there"));
  const auto told = two.command("NOOP");
  CHECK(has_line(told, "* 1 EXPUNGE"));
  CHECK_FALSE(has_part(told, "FETCH"));
  CHECK(has_line(two.command("FETCH 2 (UID FLAGS)"), "* 2 FETCH (UID 3 FLAGS (\\Seen))"));
}

TEST_CASE("a silent STORE does not hide what others did") {
  house home;
  client one(home), two(home);
  one.login();
  two.login();
  one.append("INBOX", t::first_message);
  one.command("SELECT INBOX");
  two.command("SELECT INBOX");
  one.command("STORE 1 +FLAGS (\\Flagged)");
  const auto said = two.command("STORE 1 +FLAGS.SILENT (\\Seen)");
  CHECK(has_part(said, "\\Flagged"));
}

TEST_CASE("a mailbox that is removed under a session ends it") {
  house home;
  client one(home), two(home);
  one.login();
  two.login();
  one.command("CREATE doomed");
  two.command("SELECT doomed");
  one.command("DELETE doomed");
  const auto said = two.command("NOOP");
  CHECK(has_part(said, "* BYE"));
}

TEST_CASE("a renamed mailbox stays selected") {
  house home;
  client one(home), two(home);
  one.login();
  two.login();
  one.command("CREATE before");
  two.command("SELECT before");
  one.command("RENAME before after");
  one.append("after", t::first_message);
  CHECK(has_line(two.command("NOOP"), "* 1 EXISTS"));
}

// SELECT of so many answers before their index is read; what follows waits for it.
void fill(house& home, int messages) {
  for (int i = 0; i < messages / 100; ++i) {
    std::vector<briefwerk::store::message_source> pieces(100, {t::first_message, ""});
    std::vector<briefwerk::store::local_target> targets(100, {.account = home.alice()});
    REQUIRE(briefwerk::base::sync_wait(home.mail().append(std::move(pieces), std::move(targets))));
  }
}

TEST_CASE("a large mailbox: commands right behind SELECT") {
  house home(t::channel::plain, 2);
  fill(home, 2500);
  client c(home), other(home);
  c.login();
  other.login();
  c.send("a SELECT INBOX\r\nb FETCH 2500 (UID FLAGS)\r\nc STORE 2500 +FLAGS (\\Deleted)\r\nd EXPUNGE\r\n");
  const auto selected = c.until("a");
  CHECK(has_line(selected, "* 2500 EXISTS"));
  CHECK(has_part(selected, "[UNSEEN 1]"));
  CHECK(has_part(selected, "[UIDNEXT 2501]"));
  CHECK(has_line(c.until("b"), "* 2500 FETCH (UID 2500 FLAGS ())"));
  CHECK(has_line(c.until("c"), "* 2500 FETCH (FLAGS (\\Deleted))"));
  CHECK(has_line(c.until("d"), "* 2500 EXPUNGE"));

  // Selected, and left again before anything else.
  c.send("e SELECT INBOX\r\nf UNSELECT\r\ng EXAMINE INBOX\r\nh SEARCH UID 2499\r\ni LOGOUT\r\n");
  CHECK(has_line(c.until("e"), "* 2499 EXISTS"));
  CHECK(c.until("f").back().starts_with("f OK"));
  CHECK(has_line(c.until("g"), "* 2499 EXISTS"));
  CHECK(has_line(c.until("h"), "* SEARCH 2499"));
  CHECK(c.until("i").back().starts_with("i OK"));

  other.send("a SELECT INBOX\r\nb LOGOUT\r\n");
  CHECK(has_line(other.until("a"), "* 2499 EXISTS"));
  CHECK(other.until("b").back().starts_with("b OK"));
}

TEST_CASE("a large mailbox: what others do right after SELECT is told") {
  house home(t::channel::plain, 2);
  fill(home, 2300);
  client one(home), two(home);
  one.login();
  two.login();
  one.command("ENABLE IMAP4rev2");  // without \Recent, which either may get
  CHECK(has_line(one.command("SELECT INBOX"), "* 2300 EXISTS"));
  two.send("a SELECT INBOX\r\nb STORE 2 +FLAGS.SILENT (\\Deleted)\r\nc EXPUNGE\r\n");
  CHECK(has_line(two.until("c"), "* 2 EXPUNGE"));
  one.send("i IDLE\r\n");
  CHECK(one.line().starts_with("+"));
  CHECK(one.line() == "* 2 EXPUNGE");
  two.append("INBOX", t::first_message);
  CHECK(one.line() == "* 2300 EXISTS");
  one.send("DONE\r\n");
  CHECK(one.line().starts_with("i OK"));
}

TEST_CASE("other accounts' mail is never seen") {
  house home;
  client alice(home), bob(home);
  alice.login("alice");
  bob.login("bob");
  alice.append("INBOX", t::first_message);
  CHECK(has_line(alice.command("SELECT INBOX"), "* 1 EXISTS"));
  CHECK(has_line(bob.command("SELECT INBOX"), "* 0 EXISTS"));
}

TEST_CASE("many rows: batches, pipelined commands, figures") {
  house home;
  client c(home);
  c.login();
  std::string all;
  for (int i = 0; i < 400; ++i) {
    const std::string message = "Subject: " + std::to_string(i) + "\r\n\r\n" + std::string(3000, 'b') + "\r\n";
    all += "p" + std::to_string(i) + " APPEND INBOX {" + std::to_string(message.size()) + "+}\r\n" + message + "\r\n";
  }
  c.send(all);
  for (int i = 0; i < 400; ++i) CHECK(c.line().starts_with("p" + std::to_string(i) + " OK"));
  CHECK(has_line(c.command("SELECT INBOX"), "* 400 EXISTS"));
  const auto bodies = c.command("FETCH 1:* (UID BODY[])");
  CHECK(bodies.size() == 401);
  CHECK(has_part(bodies, "Subject: 399\r\n"));
  CHECK(c.command("FETCH 1:* (FLAGS ENVELOPE)").size() == 401);
  CHECK(c.command("UID FETCH 1:* FLAGS").size() == 401);
  CHECK(c.command("STORE 1:* +FLAGS (\\Answered)").size() == 401);
  CHECK(home.figures().get_counter("imap.logins").value() == 1);
  CHECK(home.figures().get_histogram("imap.command.fetch").count() == 3);
}

// RFC 9051 §6.3.12. What one session knows of the mailbox that it appended to, another may have made wrong.
TEST_CASE("APPEND to a mailbox that another session removed, made again or renamed") {
  house home;
  client one(home), two(home);
  one.login();
  two.login();
  two.command("CREATE Work");
  CHECK(one.append("Work", t::first_message) == 1);
  two.command("DELETE Work");
  CHECK(has_part(one.command("APPEND Work {3+}\r\nabc"), "NO [TRYCREATE]"));
  one.send("a APPEND Work {3}\r\n");  // now it is known before the octets are sent
  CHECK(one.line().starts_with("a NO [TRYCREATE]"));
  two.command("CREATE Work");
  CHECK(one.append("Work", t::first_message) == 1);
  two.command("DELETE Work");
  two.command("CREATE Work");
  CHECK(one.append("Work", t::first_message) == 1);
  CHECK(one.append("Work", t::first_message) == 2);
  two.command("RENAME Work Done");
  two.command("CREATE Work");
  CHECK(one.append("Work", t::first_message) == 1);
  CHECK(has_part(two.command("STATUS Work (MESSAGES)"), "MESSAGES 1"));
  CHECK(has_part(two.command("STATUS Done (MESSAGES)"), "MESSAGES 2"));
  two.command("RENAME Work Other");
  one.send("b APPEND Work {3}\r\n");
  CHECK(one.line().starts_with("+"));
  one.send("abc\r\n");
  CHECK(one.line().starts_with("b NO [TRYCREATE]"));
}
