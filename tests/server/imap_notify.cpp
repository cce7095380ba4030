// NOTIFY (RFC 5465) over real connections: what is told when, with no command under way.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

namespace {

struct watched_account {
  explicit watched_account(house& at) : watcher(at), other(at) {
    for (client* one : {&watcher, &other}) {
      one->login();
      one->command("ENABLE IMAP4rev2");
    }
  }
  void notify(const std::string& groups) {
    const auto said = watcher.command("NOTIFY SET " + groups);
    CHECK_MESSAGE(has_part(said, " OK "), t::all_of(said));
  }
  client watcher, other;
};

}  // namespace

TEST_CASE("NOTIFY SELECTED: new messages with what is asked of them, flags, removals; at once") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  CHECK(has_part(both.watcher.command("CAPABILITY"), " NOTIFY "));
  both.watcher.command("SELECT INBOX");
  both.notify("(SELECTED (MessageNew (UID BODY.PEEK[HEADER.FIELDS (From)]) MessageExpunge FlagChange))");
  both.other.append("INBOX", t::first_message);
  CHECK(both.watcher.line() == "* 1 EXISTS");
  CHECK(both.watcher.line() ==
        "* 1 FETCH (UID 1 BODY[HEADER.FIELDS (From)] {33}\r\nFrom: Anna <anna@example.org>\r\n\r\n)");
  both.other.command("SELECT INBOX");
  both.other.command("STORE 1 +FLAGS (\\Flagged)");
  CHECK(both.watcher.line() == "* 1 FETCH (UID 1 FLAGS (\\Flagged))");  // §5.1: with UID
  // Its own doing is not told again (§5.2).
  const auto own = both.watcher.command("APPEND INBOX {1+}\r\nx");
  CHECK(has_line(own, "* 2 EXISTS"));
  CHECK_FALSE(has_part(own, "FETCH"));
  CHECK(both.watcher.is_quiet());
  both.other.command("STORE 1 +FLAGS.SILENT (\\Deleted)");
  CHECK(both.watcher.line() == "* 1 FETCH (UID 1 FLAGS (\\Flagged \\Deleted))");
  both.other.command("EXPUNGE");
  CHECK(both.watcher.line() == "* 1 EXPUNGE");
  // §4: the same in IDLE.
  both.watcher.send("i IDLE\r\n");
  CHECK(both.watcher.line().starts_with("+"));
  both.other.append("INBOX", t::first_message);
  CHECK(both.watcher.line() == "* 2 EXISTS");
  CHECK(both.watcher.line().starts_with("* 2 FETCH (UID 3 BODY[HEADER.FIELDS (From)]"));
  both.watcher.send("DONE\r\n");
  CHECK(both.watcher.line().starts_with("i OK"));
  both.watcher.command("NOTIFY NONE");
  both.other.append("INBOX", t::first_message);
  CHECK(both.watcher.is_quiet());
  CHECK(has_line(both.watcher.command("NOOP"), "* 3 EXISTS"));
}

TEST_CASE("NOTIFY: what is not asked for is not told") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  both.watcher.command("SELECT INBOX");
  both.other.command("SELECT INBOX");
  both.other.append("INBOX", t::first_message);
  // §3.1: NOTIFY SET is a NOOP as well.
  CHECK(has_line(both.watcher.command("NOTIFY SET (SELECTED (MessageNew MessageExpunge))"), "* 1 EXISTS"));
  both.other.command("STORE 1 +FLAGS (\\Flagged)");
  CHECK(both.watcher.is_quiet());
  // §3.1: without SELECTED nothing of the selected mailbox.
  both.notify("(SELECTED NONE)");
  both.other.append("INBOX", t::first_message);
  CHECK(both.watcher.is_quiet());
  CHECK_FALSE(has_part(both.watcher.command("NOOP"), "EXISTS"));
  CHECK(has_line(both.watcher.command("FETCH 1:* UID"), "* 1 FETCH (UID 1)"));
  // What the session does itself is told by its own command.
  both.watcher.command("STORE 1 +FLAGS.SILENT (\\Deleted)");
  CHECK(has_line(both.watcher.command("EXPUNGE"), "* 1 EXPUNGE"));
}

TEST_CASE("NOTIFY SELECTED-DELAYED: removals wait for a command that may tell them (§6.1.2)") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  for (int i = 0; i < 3; ++i) both.other.append("INBOX", t::first_message);
  both.watcher.command("SELECT INBOX");
  both.notify("(SELECTED-DELAYED (MessageNew (UID) MessageExpunge FlagChange))");
  both.other.command("SELECT INBOX");
  both.other.append("INBOX", t::first_message);
  CHECK(both.watcher.line() == "* 4 EXISTS");
  CHECK(both.watcher.line() == "* 4 FETCH (UID 4)");
  both.other.command("STORE 1 +FLAGS.SILENT (\\Deleted)");
  CHECK(both.watcher.line() == "* 1 FETCH (UID 1 FLAGS (\\Deleted))");
  both.other.command("EXPUNGE");
  CHECK(both.watcher.is_quiet());
  CHECK(has_line(both.watcher.command("FETCH 2 UID"), "* 2 FETCH (UID 2)"));
  CHECK(has_line(both.watcher.command("NOOP"), "* 1 EXPUNGE"));
}

TEST_CASE("NOTIFY with CONDSTORE: UID and MODSEQ of new messages, asked for or not (RFC 7162 §3.2.4)") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  both.watcher.command("ENABLE CONDSTORE");
  both.watcher.command("SELECT INBOX");
  both.notify("(SELECTED (MessageNew (FLAGS) MessageExpunge))");
  both.other.append("INBOX", t::first_message);
  CHECK(both.watcher.line() == "* 1 EXISTS");
  CHECK(both.watcher.line() == "* 1 FETCH (FLAGS () UID 1 MODSEQ (2))");
}

TEST_CASE("NOTIFY: other mailboxes, with STATUS (§3.1, §5.1 to §5.3)") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  for (const char* name : {"lists", "lists/a", "work", "misc"}) both.other.command(std::string("CREATE ") + name);
  both.other.append("lists/a", t::first_message);
  both.watcher.command("SELECT INBOX");
  const auto first = both.watcher.command(
      "NOTIFY SET STATUS (SELECTED (MessageNew MessageExpunge)) (SUBTREE lists (MessageNew MessageExpunge)) "
      "(MAILBOXES (misc nowhere INBOX) (MessageNew MessageExpunge FlagChange))");
  CHECK(has_part(first, "* STATUS lists (MESSAGES 0 UIDNEXT 1 UIDVALIDITY "));
  CHECK(has_part(first, "* STATUS lists/a (MESSAGES 1 UIDNEXT 2 UIDVALIDITY "));
  CHECK(has_part(first, "* STATUS misc (MESSAGES 0 UIDNEXT 1 UIDVALIDITY "));
  CHECK_FALSE(has_part(first, "STATUS INBOX"));
  CHECK_FALSE(has_part(first, "work"));
  both.other.append("lists/a", t::first_message);
  CHECK(both.watcher.line() == "* STATUS lists/a (MESSAGES 2 UIDNEXT 3)");
  both.other.append("work", t::first_message);
  CHECK(both.watcher.is_quiet());
  both.other.command("SELECT lists/a");
  both.other.command("STORE 1 +FLAGS (\\Deleted)");
  CHECK(both.watcher.is_quiet());  // flags were not asked for
  both.other.command("EXPUNGE");
  CHECK(both.watcher.line() == "* STATUS lists/a (MESSAGES 1 UIDNEXT 3)");
  both.other.append("misc", t::first_message);
  CHECK(both.watcher.line().starts_with("* STATUS misc (MESSAGES 1 UIDNEXT 2 "));
  both.other.command("SELECT misc");
  both.other.command("STORE 1 +FLAGS (\\Seen)");
  CHECK(both.watcher.line().find(" UNSEEN 0") != std::string::npos);
  // Own messages are known already (§5).
  both.watcher.append("misc", t::first_message);
  CHECK(both.watcher.is_quiet());
  // The selected mailbox is SELECTED's alone (§3.1).
  both.watcher.command("SELECT misc");
  both.other.command("NOOP");
  both.other.command("STORE 2 +FLAGS (\\Flagged)");
  CHECK(both.watcher.is_quiet());
  // CONDSTORE: HIGHESTMODSEQ comes along (§5.1).
  both.watcher.command("ENABLE CONDSTORE");
  both.watcher.command("SELECT INBOX");
  both.other.command("STORE 2 -FLAGS (\\Flagged)");
  CHECK(both.watcher.line().find("HIGHESTMODSEQ ") != std::string::npos);
}

TEST_CASE("NOTIFY: names, subscriptions, what is noted (§5.4 to §5.7)") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  both.other.command("CREATE top");
  both.notify("(PERSONAL (MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange))");
  both.other.command("CREATE fresh");
  CHECK(both.watcher.line() == "* LIST (\\HasNoChildren) \"/\" fresh");
  both.other.command("CREATE top/below");
  CHECK(both.watcher.line() == "* LIST (\\HasChildren) \"/\" top");  // the parent is affected
  CHECK(both.watcher.line() == "* LIST (\\HasNoChildren) \"/\" top/below");
  both.other.command("RENAME top upper");
  CHECK(both.watcher.line() == "* LIST (\\HasChildren) \"/\" upper (\"OLDNAME\" (top))");
  both.other.command("SUBSCRIBE fresh");
  CHECK(both.watcher.line() == "* LIST (\\HasNoChildren \\Subscribed) \"/\" fresh");
  both.other.command("UNSUBSCRIBE fresh");
  CHECK(both.watcher.line() == "* LIST (\\HasNoChildren) \"/\" fresh");
  both.other.command("DELETE fresh");
  CHECK(both.watcher.line() == "* LIST (\\NonExistent \\HasNoChildren) \"/\" fresh");
  both.other.command("SETMETADATA upper (/shared/comment \"x\" /private/comment \"y\")");
  CHECK(both.watcher.line() == "* METADATA upper /private/comment /shared/comment");
  both.other.command("SETMETADATA upper (/shared/comment NIL)");
  CHECK(both.watcher.line() == "* METADATA upper /shared/comment");
  both.other.command("SETMETADATA \"\" (/private/vendor/v/a \"z\")");
  CHECK(both.watcher.line() == "* METADATA \"\" /private/vendor/v/a");
  both.other.command("RENAME upper new/level");  // below a level that comes with it
  CHECK(both.watcher.line() == "* LIST (\\HasChildren) \"/\" new");
  CHECK(both.watcher.line() == "* LIST (\\HasChildren) \"/\" new/level (\"OLDNAME\" (upper))");
  CHECK(both.watcher.is_quiet());
  // What this session does is not told to it.
  for (const char* command : {"CREATE mine", "SUBSCRIBE mine", "RENAME mine yours", "SETMETADATA yours (/shared/comment \"x\")",
                              "SETMETADATA \"\" (/private/vendor/v/a NIL)", "DELETE yours"}) {
    CAPTURE(command);
    CHECK(has_part(both.watcher.command(command), " OK "));
    CHECK(both.watcher.is_quiet());
  }
}

TEST_CASE("NOTIFY: SUBSCRIBED follows the subscriptions (§6.4)") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  both.other.command("CREATE a");
  both.notify("(SUBSCRIBED (MessageNew MessageExpunge))");
  both.other.append("a", t::first_message);
  CHECK(both.watcher.is_quiet());
  both.other.command("SUBSCRIBE a");
  CHECK(both.watcher.is_quiet());
  both.other.append("a", t::first_message);
  CHECK(both.watcher.line() == "* STATUS a (MESSAGES 2 UIDNEXT 3)");
}

TEST_CASE("NOTIFY: mailboxes of other users, as far as the rights go (§3.1, §5.4)") {
  house home(t::channel::plain, 2);
  client alice(home), bob(home);
  alice.login();
  bob.login("bob");
  alice.command("CREATE team");
  const std::string team = "\"Other Users/alice@example.org/team\"";
  CHECK(has_part(bob.command("NOTIFY SET STATUS (SUBTREE \"Other Users\" (MessageNew MessageExpunge MailboxName))"), " OK "));
  alice.command("SETACL team bob@example.org lr");
  // §5.4: granting l is as making it.
  std::string said = bob.line();
  if (said.find("NonExistent") != said.npos) said = bob.line();  // its parent, which is no mailbox
  CHECK(said == "* LIST (\\HasNoChildren) \"/\" " + team);
  alice.append("team", t::first_message);
  CHECK(bob.line() == "* STATUS " + team + " (MESSAGES 1 UIDNEXT 2)");
  alice.command("SETACL team bob@example.org \"\"");
  said = bob.line();
  if (said.find("/team") == said.npos) said = bob.line();
  CHECK(said == "* LIST (\\NonExistent \\HasNoChildren) \"/\" " + team);
  alice.append("team", t::first_message);
  CHECK(bob.is_quiet());
  // §3.1: to be listed, but not read.
  alice.command("SETACL team bob@example.org l");
  CHECK(has_line(bob.command("NOTIFY SET STATUS (SUBTREE \"Other Users\" (MessageNew MessageExpunge))"),
                 "* LIST (\\NoAccess) \"/\" " + team));
}

TEST_CASE("NOTIFY: refused where it cannot be done (§3.1, §5)") {
  house home;
  client c(home);
  c.login();
  CHECK(has_part(c.command("NOTIFY SET (PERSONAL (MessageNew MessageExpunge AnnotationChange))"),
                 " NO [BADEVENT (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange MailboxMetadataChange "
                 "ServerMetadataChange)]"));
  CHECK(has_part(c.command("NOTIFY SET (PERSONAL (MessageNew))"), " BAD "));
  CHECK(has_part(c.command("NOTIFY SET (PERSONAL NONE)"), " OK "));
}

TEST_CASE("NOTIFY and CONTEXT=SEARCH: attributes of new hits (§7)") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  both.watcher.command("SELECT INBOX");
  both.watcher.command("UID SEARCH RETURN (UPDATE (UID BODY.PEEK[HEADER.FIELDS (From)])) FROM anna");
  both.other.append("INBOX", t::first_message);
  const auto said = both.watcher.command("NOOP");
  REQUIRE(said.size() == 4);
  CHECK(said[0] == "* 1 EXISTS");
  CHECK(said[1].starts_with("* 1 FETCH (UID 1 BODY[HEADER.FIELDS (From)]"));
  CHECK(said[2].find(" ADDTO (0 1)") != std::string::npos);
}

TEST_CASE("NOTIFY: a QRESYNC SELECT is told whole before anything else") {
  house home(t::channel::plain, 2);
  watched_account both(home);
  std::vector<briefwerk::store::message_source> pieces(3000, {"Subject: x\r\n\r\nx", ""});
  std::vector<briefwerk::store::local_target> targets(3000);
  for (auto& one : targets) one.account = home.alice();
  REQUIRE(briefwerk::base::sync_wait(home.mail().append(std::move(pieces), std::move(targets))));
  both.watcher.command("ENABLE QRESYNC");
  both.notify("(SELECTED (MessageNew (UID) MessageExpunge FlagChange))");
  both.other.command("SELECT INBOX");
  const auto opened = both.watcher.command("SELECT INBOX (QRESYNC (1 1))");
  CHECK(has_line(opened, "* 3000 EXISTS"));
  CHECK(has_part(opened, " OK [READ-WRITE]"));
  both.other.append("INBOX", t::first_message);
  CHECK(both.watcher.line() == "* 3001 EXISTS");
  CHECK(both.watcher.line() == "* 3001 FETCH (UID 3001 MODSEQ (3002))");
}
