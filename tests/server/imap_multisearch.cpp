// MULTISEARCH (RFC 7377) over real connections.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

namespace {

std::string validity(client& c, const std::string& mailbox) {
  const auto said = c.command("STATUS " + mailbox + " (UIDVALIDITY)").front();
  const auto at = said.rfind("UIDVALIDITY ") + 12;
  return said.substr(at, said.find(')', at) - at);
}

}  // namespace

TEST_CASE("ESEARCH: each mailbox with hits is answered by itself, by UID, and none is selected") {
  house home;
  client c(home);
  c.login();
  for (const char* name : {"a", "a/b", "a/b/c", "other", "empty"}) c.command(std::string("CREATE ") + name);
  for (const char* name : {"INBOX", "a", "a/b", "a/b/c", "other"}) c.append(name, t::first_message);
  c.append("a/b", t::second_message);
  c.append("other", t::second_message, "(\\Seen) ");
  c.command("SUBSCRIBE other");
  CHECK(has_part(c.command("CAPABILITY"), " MULTISEARCH "));
  const auto row_of = [&](const char* mailbox, const char* what) {
    return std::string(" MAILBOX ") + mailbox + " UIDVALIDITY " + validity(c, mailbox) + ") UID " + what;
  };
  struct row {
    const char* why;
    const char* command;
    std::vector<std::string> untagged;  // what follows the tag
    const char* tagged = " OK Searched";
  };
  const row rows[] = {
      {"§3 subtree", "ESEARCH IN (subtree a) FROM anna", {row_of("a", "ALL 1"), row_of("a/b", "ALL 1"), row_of("a/b/c", "ALL 1")}},
      {"§2.2 subtree-one", "ESEARCH IN (subtree-one a) FROM anna", {row_of("a", "ALL 1"), row_of("a/b", "ALL 1")}},
      {"§2.1: nothing of mailboxes without hits", "ESEARCH IN (mailboxes (a/b other empty nowhere)) RETURN (COUNT) FROM carl",
       {row_of("a/b", "COUNT 1"), row_of("other", "COUNT 1")}},
      {"in bodies, by flags", "ESEARCH IN (personal) TEXT needle UNSEEN", {row_of("a/b", "ALL 2")}},
      {"subscribed", "ESEARCH IN (subscribed) RETURN (MIN MAX) ALL", {row_of("INBOX", "MIN 1 MAX 1"), row_of("other", "MIN 1 MAX 2")}},
      {"a mailbox twice is searched once", "UID ESEARCH IN (mailboxes a subtree-one a/b/c mailboxes a) ALL",
       {row_of("a", "ALL 1"), row_of("a/b/c", "ALL 1")}},
      {"sequence numbers are of each; past the end is no error", "ESEARCH IN (mailboxes (a a/b)) 2:7", {row_of("a/b", "ALL 2")}},
      {"RFC 9394 PARTIAL", "ESEARCH IN (mailboxes a/b) RETURN (PARTIAL -1:-1) ALL", {row_of("a/b", "PARTIAL (-1:-1 2)")}},
      {"nothing anywhere", "ESEARCH IN (personal) SUBJECT nothing-at-all", {}},
      {"§2.2: the selected mailbox needs one", "ESEARCH ALL", {}, " BAD Select a mailbox first"},
      {"", "ESEARCH IN (selected mailboxes a) ALL", {}, " BAD Select a mailbox first"},
      {"§2.2: SAVE", "ESEARCH IN (mailboxes a) RETURN (SAVE) ALL", {}, " BAD Only results"},
      {"§2.2: UPDATE", "ESEARCH IN (mailboxes a) RETURN (UPDATE) ALL", {}, " BAD Only results"},
  };
  for (const auto& one : rows) {
    const auto said = c.command(one.command);
    CAPTURE(one.why);
    CAPTURE(one.command);
    CAPTURE(t::all_of(said));
    REQUIRE(said.size() == one.untagged.size() + 1);
    for (std::size_t i = 0; i < one.untagged.size(); ++i) {
      CHECK(said[i].starts_with("* ESEARCH (TAG \"t"));
      CHECK(said[i].ends_with(one.untagged[i]));
    }
    CHECK(said.back().find(one.tagged) != std::string::npos);
  }
}

TEST_CASE("ESEARCH: the selected mailbox stays, with its numbers and its saved result") {
  house home(t::channel::plain, 2);
  client c(home), other(home);
  for (client* one : {&c, &other}) one->login();
  c.command("CREATE a");
  for (int i = 0; i < 3; ++i) c.append("INBOX", t::first_message);
  c.append("a", t::first_message);
  c.command("SELECT INBOX");
  c.command("UID SEARCH RETURN (SAVE) 2:3");
  const auto said = c.command("ESEARCH IN (selected mailboxes (a INBOX)) RETURN (ALL) ALL");
  REQUIRE(said.size() == 3);
  CHECK(said[0].ends_with(" UID ALL 1:3"));
  CHECK(said[0].find("MAILBOX INBOX UIDVALIDITY ") != said[0].npos);
  CHECK(said[1].ends_with(" UID ALL 1"));
  CHECK(has_line(c.command("FETCH $ UID"), "* 2 FETCH (UID 2)"));
  CHECK(c.command("ESEARCH RETURN (SAVE COUNT) 1").front().ends_with(" UID COUNT 1"));
  CHECK(c.command("FETCH $ UID").size() == 2);
  // "$" means nothing elsewhere.
  CHECK(c.command("ESEARCH IN (mailboxes a) UID $").size() == 1);
  // §2.2: UPDATE is of the selected mailbox.
  c.command("ESEARCH IN (selected mailboxes a) RETURN (UPDATE) ALL");
  other.append("INBOX", t::first_message);
  CHECK(has_part(c.command("NOOP"), " ADDTO (0 4)"));
  // By the name that it has now.
  c.command("SELECT a");
  other.command("RENAME a renamed/a");
  CHECK(has_part(c.command("ESEARCH ALL"), " MAILBOX renamed/a UIDVALIDITY "));
}

TEST_CASE("ESEARCH: of other users' mailboxes only what may be read (§2.2)") {
  house home;
  client alice(home), bob(home);
  alice.login();
  bob.login("bob");
  for (const char* name : {"team", "team/plans", "team/secret"}) {
    alice.command(std::string("CREATE ") + name);
    alice.append(name, t::first_message);
    alice.command(std::string("SETACL ") + name + " bob@example.org \"\"");
  }
  alice.command("SETACL team bob@example.org lr");
  alice.command("SETACL team/plans bob@example.org l");
  const auto said = bob.command(
      "ESEARCH IN (subtree \"Other Users\" mailboxes (\"Other Users/alice@example.org/team/secret\" "
      "\"Other Users/alice@example.org/team/plans\")) FROM anna");
  REQUIRE(said.size() == 2);
  CHECK(said[0].find("MAILBOX \"Other Users/alice@example.org/team\" UIDVALIDITY ") != said[0].npos);
  CHECK(said[0].ends_with(" UID ALL 1"));
  CHECK(bob.command("ESEARCH IN (personal) FROM anna").size() == 1);
}

TEST_CASE("ESEARCH and MESSAGELIMIT: what was left out is told (RFC 7377 §2.4)") {
  house home(t::channel::plain, 1, [](auto& options) { options.message_limit = 2; });
  client c(home);
  c.login();
  for (int i = 0; i < 3; ++i) c.append("INBOX", t::first_message);
  const auto said = c.command("ESEARCH IN (mailboxes INBOX) ALL");
  REQUIRE(said.size() == 2);
  CHECK(said[0].ends_with(" UID ALL 2:3"));
  CHECK(said[1].find(" OK [LIMIT] ") != said[1].npos);
}
