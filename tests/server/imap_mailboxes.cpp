// Mailboxes by name: LIST and its relatives, CREATE, DELETE, RENAME, STATUS; SEARCH.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

TEST_CASE("LIST in its forms") {
  house home;
  client c(home);
  c.login();
  for (const char* name : {"work", "work/old", "work/old/2024", "werk"}) c.command(std::string("CREATE ") + name);
  struct row {
    const char* why;
    const char* command;
    std::vector<const char*> has;
    std::vector<const char*> lacks;
  };
  const row rows[] = {
      {"the delimiter", "LIST \"\" \"\"", {"* LIST (\\NoSelect) \"/\" \"\""}, {}},
      {"% stops at the delimiter", "LIST \"\" w%", {"\"/\" work", "\"/\" werk"}, {"work/old"}},
      {"* does not", "LIST \"\" w*", {"\"/\" work/old/2024"}, {"INBOX"}},
      {"the reference stands before", "LIST work/ %", {"\"/\" work/old"}, {"2024", "werk"}},
      {"children are said", "LIST \"\" work/%", {"(\\HasChildren) \"/\" work/old"}, {}},
      {"and their absence", "LIST \"\" werk", {"\\HasNoChildren"}, {}},
      {"wildcards for nothing, longer than any name", "LIST \"\" %w%o%r%k%", {"\"/\" work"}, {"work/old", "werk"}},
      {"wildcards in the reference", "LIST \"w*/\" o*", {"\"/\" work/old", "work/old/2024"}, {"werk"}},
      {"more octets than the name", "LIST \"\" work%s", {}, {"\"/\" work"}},
      {"INBOX in any case", "LIST \"\" iNbOx", {"INBOX"}, {"work"}},
      {"so with wildcards", "LIST \"\" iNb%", {"INBOX"}, {"work"}},
      {"and no other name", "LIST \"\" WORK*", {}, {"work"}},
      {"special use", "LIST (SPECIAL-USE) \"\" *", {"\\Sent", "\\Trash", "\\Junk", "\\Drafts", "\\Archive"}, {"work"}},
      {"subscribed only", "LIST (SUBSCRIBED) \"\" *", {"INBOX", "\\Subscribed"}, {"werk"}},
      {"several patterns", "LIST \"\" (werk work/old)", {"\"/\" werk", "\"/\" work/old"}, {"2024"}},
      {"with status", "LIST \"\" werk RETURN (STATUS (MESSAGES))", {"* STATUS werk (MESSAGES 0)"}, {}},
  };
  for (const auto& one : rows) {
    const auto said = c.command(one.command);
    CAPTURE(one.why);
    CAPTURE(t::all_of(said));
    for (const auto* wanted : one.has) CHECK(has_part(said, wanted));
    for (const auto* unwanted : one.lacks) CHECK_FALSE(has_part(said, unwanted));
    CHECK(has_part(said, " OK "));
  }
  // RFC 9051 §6.3.9: "%" tells levels that are no mailboxes any more, "*" what is one.
  c.command("DELETE work");
  CHECK(has_line(c.command("LIST \"\" w%"), "* LIST (\\NonExistent \\HasChildren) \"/\" work"));
  CHECK(has_line(c.command("LIST \"\" % RETURN (STATUS (MESSAGES))"), "* LIST (\\NonExistent \\HasChildren) \"/\" work"));
  CHECK_FALSE(has_part(c.command("LIST \"\" w*"), "NonExistent"));
  CHECK_FALSE(has_part(c.command("LIST \"\" work"), "work"));
  c.command("SUBSCRIBE work/old/2024");
  const auto lsub = c.command("LSUB \"\" work/%");
  CHECK(has_part(lsub, "* LSUB (\\NoSelect) \"/\" work/old"));
}

TEST_CASE("LIST with RECURSIVEMATCH, RFC 5258 §3.5") {
  house home;
  client c(home);
  c.login();
  for (const char* name : {"a/b/c", "a/d", "e/f"}) c.command(std::string("CREATE ") + name);
  for (const char* name : {"a/b/c", "gone/child"}) c.command(std::string("SUBSCRIBE ") + name);
  struct row {
    const char* why;
    const char* command;
    std::vector<const char*> lines;
  };
  const row rows[] = {
      {"parents of what is subscribed, one that is not there as well", "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (a e gone)",
       {"* LIST (\\HasChildren) \"/\" a (\"CHILDINFO\" (\"SUBSCRIBED\"))",
        "* LIST (\\NonExistent \\HasNoChildren) \"/\" gone (\"CHILDINFO\" (\"SUBSCRIBED\"))"}},
      {"each level", "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" a/%", {"* LIST (\\HasChildren) \"/\" a/b (\"CHILDINFO\" (\"SUBSCRIBED\"))"}},
      {"the subscribed one itself", "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" a/b/%",
       {"* LIST (\\HasNoChildren \\Subscribed) \"/\" a/b/c"}},
      {"without it no parent is told", "LIST (SUBSCRIBED) \"\" (a a/% gone)", {}},
  };
  for (const auto& one : rows) {
    const auto said = c.command(one.command);
    CAPTURE(one.why);
    CAPTURE(t::all_of(said));
    CHECK(said.size() == one.lines.size() + 1);
    for (const auto* line : one.lines) CHECK(has_line(said, line));
  }
}

TEST_CASE("a long SEARCH says how far it is, RFC 9585") {
  for (const bool told : {true, false}) {
    house home(t::channel::plain, 1, [&](auto& options) { options.progress_interval = std::chrono::seconds(told ? 0 : 3600); });
    std::vector<briefwerk::store::message_source> pieces(300, {t::first_message, ""});
    std::vector<briefwerk::store::local_target> targets(300, {.account = home.alice()});
    REQUIRE(briefwerk::base::sync_wait(home.mail().append(std::move(pieces), std::move(targets))));
    client c(home);
    c.login();
    c.command("SELECT INBOX");
    c.send("s SEARCH HEADER X-Nowhere needle\r\n");
    const auto said = c.until("s");
    CAPTURE(t::all_of(said));
    CHECK(has_part(said, "* OK [INPROGRESS (\"s\" 256 300)] Searching") == told);
    CHECK(has_part(said, "INPROGRESS") == told);
    CHECK(has_line(said, "* SEARCH"));
    CHECK(said.back().starts_with("s OK"));
  }
}

TEST_CASE("names: created, renamed, removed, and what is said when it cannot be") {
  house home;
  client c(home);
  c.login();
  CHECK(has_part(c.command("CREATE a/b"), " OK "));
  CHECK(has_part(c.command("CREATE a"), "NO [ALREADYEXISTS]"));
  CHECK(has_part(c.command("CREATE INBOX"), " NO "));
  CHECK(has_part(c.command("RENAME a c"), " OK "));
  CHECK(has_part(c.command("LIST \"\" c/*"), "c/b"));
  CHECK(has_part(c.command("SELECT a"), "NO [NONEXISTENT]"));
  CHECK(has_part(c.command("DELETE INBOX"), "NO [CANNOT]"));
  CHECK(has_part(c.command("DELETE nowhere"), "NO [NONEXISTENT]"));
  CHECK(has_part(c.command("STATUS c/b (MESSAGES UNSEEN DELETED SIZE UIDVALIDITY)"), "MESSAGES 0"));
  c.command("SELECT c/b");
  const auto gone = c.command("DELETE c/b");
  CHECK(has_part(gone, " OK "));
  CHECK(has_part(c.command("FETCH 1 FLAGS"), " BAD "));
  CHECK(has_part(c.command("CREATE Plans (USE (\\Nonsense))"), "NO [USEATTR]"));
}

TEST_CASE("SEARCH: keys, return options, the saved result") {
  house home;
  client c(home);
  c.login();
  c.append("INBOX", t::first_message, "(\\Seen) \" 5-Jan-2026 11:00:00 +0000\" ");
  c.append("INBOX", t::second_message, "(\\Flagged work) \" 7-Jan-2026 11:00:00 +0000\" ");
  c.append("INBOX", "Subject: third\r\nX-Load: zz\r\n\r\n" + std::string(5000, 'y') + "\r\n");
  c.command("SELECT INBOX");
  struct row {
    const char* why;
    const char* keys;
    const char* answer;
  };
  const row rows[] = {
      {"all", "ALL", "* SEARCH 1 2 3"},
      {"flags", "SEEN", "* SEARCH 1"},
      {"their absence", "UNSEEN", "* SEARCH 2 3"},
      {"a keyword, in any case", "KEYWORD WORK", "* SEARCH 2"},
      {"not that keyword", "UNKEYWORD work", "* SEARCH 1 3"},
      {"size", "LARGER 4000", "* SEARCH 3"},
      {"internal date", "BEFORE 7-Jan-2026", "* SEARCH 1"},
      {"date of the message", "SENTON 5-Jan-2026", "* SEARCH 1"},
      {"address", "FROM carl@example", "* SEARCH 2"},
      {"name", "FROM anna", "* SEARCH 1"},
      {"encoded words are decoded", "CHARSET UTF-8 SUBJECT {7+}\r\nGr\xc3\xbcsse", "* SEARCH 1"},
      {"any header", "HEADER X-Load \"\"", "* SEARCH 3"},
      {"message id", "HEADER Message-ID one@", "* SEARCH 1"},
      {"body", "BODY needle", "* SEARCH 2"},
      {"not what is encoded", "BODY AAEC", "* SEARCH"},
      {"text looks at headers as well", "TEXT third", "* SEARCH 3"},
      {"or, not", "OR SEEN NOT LARGER 4000", "* SEARCH 1 2"},
      {"cheap and dear keys together", "UNSEEN BODY yyyy", "* SEARCH 3"},
      {"sets", "2:3 UID 1:2", "* SEARCH 2"},
  };
  for (const auto& one : rows) {
    const auto said = c.command(std::string("SEARCH ") + one.keys);
    CAPTURE(t::all_of(said));
    CHECK_MESSAGE(has_line(said, one.answer), one.why);
  }
  CHECK(has_part(c.command("SEARCH RETURN (MIN MAX COUNT) UNSEEN"), "MIN 2 MAX 3 COUNT 2"));
  CHECK(has_part(c.command("UID SEARCH RETURN () ALL"), "UID ALL 1:3"));
  for (const char* refused : {"SEARCH RETURN (SAVE) CHARSET x-nonsense ALL", "SORT RETURN (SAVE) (DATE) x-nonsense ALL",
                              "ESEARCH RETURN (SAVE) CHARSET x-nonsense ALL"}) {
    CAPTURE(refused);
    CHECK(has_part(c.command("SEARCH RETURN (SAVE COUNT) ALL"), "COUNT"));
    CHECK_MESSAGE(c.command("FETCH $ UID").size() > 1, "found");
    CHECK(has_part(c.command(refused), "NO [BADCHARSET"));
    CHECK_MESSAGE(c.command("FETCH $ UID").size() == 1, "RFC 5182 §2.1: NO empties it");
  }
  CHECK(c.command("SEARCH RETURN (SAVE COUNT) ALL").size() == 2);
  CHECK(has_part(c.command("SEARCH RETURN (SAVE) NONSENSE"), "BAD"));
  CHECK_MESSAGE(c.command("FETCH $ UID").size() > 1, "RFC 5182 §2.1: BAD does not");
  CHECK(c.command("SEARCH RETURN (SAVE) UNSEEN").size() == 1);
  CHECK(has_line(c.command("FETCH $ UID"), "* 3 FETCH (UID 3)"));
  CHECK(has_part(c.command("SEARCH CHARSET x-nonsense ALL"), "NO [BADCHARSET"));
}

TEST_CASE("IMAP4rev2, once enabled") {
  house home;
  client c(home);
  c.login();
  CHECK(has_part(c.command("ENABLE IMAP4rev2"), "* ENABLED IMAP4rev2"));
  c.append("INBOX", t::first_message);
  const auto selected = c.command("SELECT INBOX");
  CHECK_FALSE(has_part(selected, "RECENT"));
  CHECK_FALSE(has_part(selected, "UNSEEN"));
  CHECK(has_part(selected, "* LIST () \"/\" INBOX"));
  CHECK(has_part(c.command("SEARCH ALL"), "* ESEARCH (TAG \"t"));
}
