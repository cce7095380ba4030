// ACL (RFC 4314), LIST-MYRIGHTS (RFC 8440) and the namespace of other users (RFC 2342) over real connections.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

namespace {

const std::string of_alice = "\"Other Users/alice@example.org/";

std::string last(const std::vector<std::string>& said) { return said.back().substr(said.back().find(' ') + 1); }

// Alice has team and team/plans; bob has what `rights` says of the first.
struct two_users {
  explicit two_users(const char* rights, house& at) : alice(at), bob(at) {
    alice.login();
    bob.login("bob");
    alice.command("CREATE team");
    alice.command("CREATE team/plans");
    if (*rights != 0) grant(rights);
  }
  void grant(const char* rights, const char* mailbox = "team", const char* whom = "bob@example.org") {
    const auto said = alice.command("SETACL " + std::string(mailbox) + " " + whom + " \"" + rights + "\"");
    CHECK_MESSAGE(has_part(said, " OK "), t::all_of(said));
  }
  client alice, bob;
};

}  // namespace

TEST_CASE("ACL: commands of whose mailbox it is") {
  house home;
  two_users both("", home);
  client& c = both.alice;
  CHECK(has_part(c.command("CAPABILITY"), " ACL RIGHTS=kxte LIST-MYRIGHTS "));
  CHECK(has_line(c.command("NAMESPACE"), "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL"));
  struct row {
    const char* why;
    const char* command;
    const char* untagged;  // null: none
    const char* tagged;
  };
  const row rows[] = {
      {"§3.5: the owner has all", "MYRIGHTS INBOX", "* MYRIGHTS INBOX lrswipkxtecda", "OK Done"},
      {"§3.3", "GETACL team", "* ACL team alice@example.org lrswipkxtecda", "OK Done"},
      {"§3.1", "SETACL team bob@example.org lrswida", nullptr, "OK Done"},
      {"§2.1.1: d is te", "GETACL team", "* ACL team alice@example.org lrswipkxtecda bob@example.org lrswiteda", "OK Done"},
      {"§3.1: added", "SETACL team bob@example.org +cp", nullptr, "OK Done"},
      {"§3.1: removed", "SETACL team bob@example.org -swiae", nullptr, "OK Done"},
      {"", "GETACL team", "* ACL team alice@example.org lrswipkxtecda bob@example.org lrpkxtcd", "OK Done"},
      {"replaced, in another form of the name", "SETACL team BOB@Example.Org lr", nullptr, "OK Done"},
      {"for everyone", "SETACL team anyone l", nullptr, "OK Done"},
      {"negative", "SETACL team -bob@example.org r", nullptr, "OK Done"},
      {"", "GETACL team",
       "* ACL team alice@example.org lrswipkxtecda bob@example.org lr anyone l -bob@example.org r", "OK Done"},
      {"§3.2: the positive entry alone", "DELETEACL team bob@example.org", nullptr, "OK Done"},
      {"an empty list is none", "SETACL team anyone \"\"", nullptr, "OK Done"},
      {"", "GETACL team", "* ACL team alice@example.org lrswipkxtecda -bob@example.org r", "OK Done"},
      {"§3.4: nothing is tied", "LISTRIGHTS team anyone", "* LISTRIGHTS team anyone \"\" l r s w i p k x t e c d a", "OK Done"},
      {"§3.4: the form of the command", "LISTRIGHTS team Bob@example.org",
       "* LISTRIGHTS team Bob@example.org \"\" l r s w i p k x t e c d a", "OK Done"},
      {"whose it is", "LISTRIGHTS team alice@example.org", "* LISTRIGHTS team alice@example.org lrswipkxtecda", "OK Done"},
      {"", "SETACL team alice@example.org lr", nullptr, "NO [CANNOT]"},
      {"§3.1: upper case", "SETACL team bob@example.org lrQ", nullptr, "BAD Unknown right"},
      {"§3.1: not a right", "SETACL team bob@example.org lrq", nullptr, "BAD Unknown right"},
      {"§6: nobody", "SETACL team nobody@example.org lr", nullptr, "NO [CANNOT] No such user"},
      {"§3: nothing is left of it", "SETACL team - lr", nullptr, "BAD "},
      {"no mailbox", "GETACL nowhere", nullptr, "NO [NONEXISTENT]"},
      {"no mailbox", "MYRIGHTS nowhere", nullptr, "NO [NONEXISTENT]"},
      {"", "SETACL nowhere bob@example.org lr", nullptr, "NO [NONEXISTENT]"},
      {"the namespace is not for own mailboxes", "CREATE \"Other Users\"", nullptr, "NO [NOPERM]"},
      {"", "CREATE \"Other Users/alice@example.org/x\"", nullptr, "NO [NOPERM]"},
      {"own mailboxes have one name", "STATUS \"Other Users/alice@example.org/INBOX\" (MESSAGES)", nullptr, "NO [NONEXISTENT]"},
  };
  for (const auto& one : rows) {
    const auto said = c.command(one.command);
    CAPTURE(one.why);
    CAPTURE(one.command);
    CAPTURE(t::all_of(said));
    CHECK(said.size() == (one.untagged != nullptr ? 2 : 1));
    if (one.untagged != nullptr) CHECK(said.front() == one.untagged);
    CHECK(last(said).starts_with(one.tagged));
  }
}

TEST_CASE("ACL: without l a mailbox of another cannot be told from one that is not there (§6)") {
  house home;
  two_users both("", home);
  both.grant("rswipkxtea", "team/plans");  // all but l
  both.alice.append("team/plans", t::first_message);
  both.bob.append("INBOX", t::first_message);
  const char* const commands[] = {
      "SELECT %", "EXAMINE %", "STATUS % (MESSAGES)", "DELETE %", "RENAME % mine", "COPY 1 %", "MOVE 1 %", "GETACL %",
      "SETACL % anyone l", "DELETEACL % anyone", "LISTRIGHTS % anyone", "MYRIGHTS %", "APPEND % {1+}\r\nx",
      "GETMETADATA % /private/comment", "SETMETADATA % (/private/comment \"x\")", "GETQUOTAROOT %", "SUBSCRIBE %",
      "CREATE %/new", "LIST \"\" %", "LIST \"\" % RETURN (SUBSCRIBED STATUS (MESSAGES) MYRIGHTS)", "LSUB \"\" %",
      "UNSUBSCRIBE %", "RENAME INBOX %/new",
  };
  const char* const names[] = {"alice@example.org/team/plans", "alice@example.org/nothing/there",
                               "nobody@example.org/team/plans", "alice@example.org/INBOX/x"};
  for (const char* const command : commands) {
    std::string expected;
    for (const char* const name : names) {
      std::string text = command;
      const std::string quoted = "\"Other Users/" + std::string(name);
      const bool below = text.find("%/new") != text.npos;
      text.replace(text.find('%'), below ? 5 : 1, below ? quoted + "/new\"" : quoted + "\"");
      both.bob.command("SELECT INBOX");
      auto lines = both.bob.command(text);
      lines.back().erase(0, lines.back().find(' '));  // the tag
      auto said = t::all_of(lines);
      for (std::size_t at = 0; (at = said.find(name)) != said.npos;) said.replace(at, std::string_view(name).size(), "?");
      if (expected.empty()) expected = said;
      CAPTURE(text);
      CHECK(said == expected);
    }
  }
  CHECK_FALSE(has_part(both.bob.command("LIST \"\" *"), "Other Users"));
  CHECK_FALSE(has_part(both.bob.command("LIST \"\" %"), "Other Users"));
}

TEST_CASE("ACL: what is shared is listed in the namespace of other users") {
  house home;
  two_users both("lrs", home);
  both.grant("l", "team/plans", "anyone");
  client& c = both.bob;
  const std::string team = of_alice + "team\"", plans = of_alice + "team/plans\"";
  const auto all = c.command("LIST \"\" *");
  CHECK(has_line(all, "* LIST (\\HasChildren) \"/\" " + team));
  CHECK(has_line(all, "* LIST (\\HasNoChildren) \"/\" " + plans));
  CHECK_FALSE(has_part(all, of_alice + "INBOX"));
  CHECK_FALSE(has_part(all, "NonExistent"));
  CHECK(has_line(c.command("LIST \"\" %"), "* LIST (\\NonExistent \\HasChildren) \"/\" \"Other Users\""));
  CHECK(has_line(c.command("LIST \"\" \"Other Users/%\""),
                 "* LIST (\\NonExistent \\HasChildren) \"/\" \"Other Users/alice@example.org\""));
  CHECK(has_line(c.command("LIST \"Other Users/\" alice@example.org/%"), "* LIST (\\HasChildren) \"/\" " + team));
  // RFC 8440 §3; STATUS needs r.
  const auto rights = c.command("LIST \"\" (INBOX \"Other Users/*\") RETURN (MYRIGHTS STATUS (MESSAGES))");
  CHECK(has_line(rights, "* MYRIGHTS INBOX lrswipkxtecda"));
  CHECK(has_line(rights, "* MYRIGHTS " + team + " lrs"));
  CHECK(has_line(rights, "* MYRIGHTS " + plans + " l"));
  CHECK(has_line(rights, "* STATUS " + team + " (MESSAGES 0)"));
  CHECK_FALSE(has_part(rights, "* STATUS " + plans));
  // §4: of a parent that may not be looked up, the list says nothing but its name, with "%".
  both.grant("", "team");
  const auto hidden = c.command("LIST \"\" *");
  CHECK_FALSE(has_part(hidden, team));
  CHECK(has_part(hidden, plans));
  CHECK(has_line(c.command("LIST \"\" \"Other Users/alice@example.org/%\""),
                 "* LIST (\\NonExistent \\HasChildren) \"/\" " + team));
  // Subscriptions are the subscriber's.
  c.command("SUBSCRIBE " + plans);
  CHECK(has_line(c.command("LSUB \"\" *"), "* LSUB () \"/\" " + plans));
  CHECK(has_line(c.command("LIST (SUBSCRIBED) \"\" \"Other Users/*\""),
                 "* LIST (\\HasNoChildren \\Subscribed) \"/\" " + plans));
  CHECK_FALSE(has_part(both.alice.command("LIST (SUBSCRIBED) \"\" *"), "plans"));
  both.grant("", "team/plans", "anyone");
  CHECK(has_line(c.command("LIST (SUBSCRIBED) \"\" \"Other Users/*\""),
                 "* LIST (\\NonExistent \\HasNoChildren \\Subscribed) \"/\" " + plans));
}

TEST_CASE("ACL: each command needs its right (§4)") {
  struct row {
    const char* command;     // "%" is the name
    const char* with;        // these rights are enough
    const char* without;     // these are not
    const char* selects = nullptr;  // a command before it
  };
  const row rows[] = {
      {"SELECT %", "lr", "lswipkxtea"},
      {"EXAMINE %", "lr", "lswipkxtea"},
      {"STATUS % (MESSAGES UIDNEXT)", "lr", "lswipkxtea"},
      {"GETACL %", "la", "lrswipkxte"},
      {"SETACL % anyone l", "la", "lrswipkxte"},
      {"DELETEACL % anyone", "la", "lrswipkxte"},
      {"LISTRIGHTS % anyone", "la", "lrswipkxte"},
      {"MYRIGHTS %", "l", ""},
      {"APPEND % {1+}\r\nx", "li", "lrswpkxtea"},
      {"CREATE %/new", "lk", "lrswipxtea"},
      {"RENAME %/plans %/other", "lkx", "lrswipxtea"},
      {"DELETE %", "lx", "lrswipktea"},
      {"GETQUOTAROOT %", "lr", "lswipkxtea"},
      {"GETMETADATA % /private/comment", "lp", "lkxtea"},
      {"SETMETADATA % (/private/comment \"x\")", "li", "lkxtea"},
      {"COPY 1 %", "li", "lrswpkxtea", "SELECT INBOX"},
      {"MOVE 1 %", "li", "lrswpkxtea", "SELECT INBOX"},
      {"EXPUNGE", "lre", "lrswipkxta", "SELECT %"},
      {"UID EXPUNGE 1", "lre", "lrswipkxta", "SELECT %"},
      {"MOVE 1 INBOX", "lrte", "lrswipkxea", "SELECT %"},
      {"MOVE 1 INBOX", "lrte", "lrswipkxta", "SELECT %"},
      {"REPLACE 1 INBOX {1+}\r\nx", "lrte", "lrswipkxta", "SELECT %"},
      {"STORE 1 +FLAGS (\\Seen)", "lrs", "lrwipkxtea", "SELECT %"},
      {"STORE 1 +FLAGS (\\Deleted)", "lrt", "lrswipkxea", "SELECT %"},
      {"STORE 1 +FLAGS (\\Flagged)", "lrw", "lrsipkxtea", "SELECT %"},
      {"STORE 1 FLAGS ($Work)", "lrw", "lripkxea", "SELECT %"},
      {"COPY 1 INBOX", "lr", "", "SELECT %"},
  };
  for (const auto& one : rows) {
    CAPTURE(one.command);
    for (const bool enough : {true, false}) {
      const char* const rights = enough ? one.with : one.without;
      CAPTURE(rights);
      if (*rights == 0) continue;
      house home;
      two_users both(rights, home);
      both.grant("lx", "team/plans");
      both.alice.append("team", t::first_message);
      both.bob.append("INBOX", t::first_message);
      const auto named = [](std::string text) {
        for (std::size_t at = 0; (at = text.find('%')) != text.npos;) {
          const auto end = std::min(text.find(' ', at), text.size());
          const std::string below = text.substr(at + 1, end - at - 1);
          text.replace(at, end - at, of_alice + "team" + below + "\"");
        }
        return text;
      };
      if (one.selects != nullptr) REQUIRE(has_part(both.bob.command(named(one.selects)), " OK "));
      const auto said = both.bob.command(named(one.command));
      CAPTURE(t::all_of(said));
      CHECK(has_part(said, enough ? " OK " : " NO [NOPERM]"));
    }
  }
}

TEST_CASE("ACL: flags are kept as far as the rights go (§4)") {
  house home;
  two_users both("lrs", home);
  both.alice.command("ENABLE IMAP4rev2");  // no \\Recent
  const std::string team = of_alice + "team\"";
  both.bob.append("INBOX", t::first_message, "(\\Seen \\Flagged \\Deleted $Work) ");
  both.bob.command("SELECT INBOX");
  const auto flags_of_last = [&] {
    both.alice.command("SELECT team");
    auto said = both.alice.command("FETCH * FLAGS").front();
    const auto at = said.find("(FLAGS (") + 8;
    return said.substr(at, said.find(')') - at);
  };
  struct row {
    const char* rights;
    const char* flags;
  };
  for (const row& one : {row{"lriw", "\\Flagged $Work"}, row{"lrist", "\\Seen \\Deleted"}, row{"li", ""},
                         row{"lriwst", "\\Seen \\Flagged \\Deleted $Work"}}) {
    CAPTURE(one.rights);
    both.grant(one.rights);
    CHECK(has_part(both.bob.command("COPY 1 " + team), " OK [COPYUID "));
    CHECK(flags_of_last() == one.flags);
    both.bob.append(team, t::first_message, "(\\Seen \\Flagged \\Deleted $Work) ");
    CHECK(flags_of_last() == one.flags);
  }
}

TEST_CASE("ACL: STORE and FETCH change what may be changed (§4), and PERMANENTFLAGS says it (§5.1.1)") {
  house home;
  two_users both("lrw", home);
  const std::string team = of_alice + "team\"";
  both.alice.append("team", t::first_message, "(\\Deleted $Old) ");
  client& c = both.bob;
  c.command("ENABLE IMAP4rev2");
  auto opened = c.command("SELECT " + team);
  CHECK(has_part(opened, "[PERMANENTFLAGS (\\Answered \\Flagged \\Draft $Old \\*)]"));
  CHECK(has_part(opened, " OK [READ-WRITE] "));
  CHECK(has_line(c.command("STORE 1 FLAGS (\\Seen \\Flagged)"), "* 1 FETCH (FLAGS (\\Flagged \\Deleted))"));
  CHECK(has_part(c.command("FETCH 1 BODY[TEXT]"), "Hello there"));
  CHECK(has_line(c.command("FETCH 1 FLAGS"), "* 1 FETCH (FLAGS (\\Flagged \\Deleted))"));
  CHECK(has_part(c.command("CLOSE"), " OK "));  // without e: nothing is removed
  CHECK(has_part(c.command("STATUS " + team + " (MESSAGES)"), "(MESSAGES 1)"));
  both.grant("lrs");
  opened = c.command("SELECT " + team);
  CHECK(has_part(opened, "[PERMANENTFLAGS (\\Seen)]"));
  CHECK(has_part(c.command("FETCH 1 BODY[TEXT]"), "FLAGS (\\Seen \\Flagged \\Deleted)"));
  both.grant("lr");
  CHECK(has_part(c.command("NOOP"), "[PERMANENTFLAGS ()]"));
  opened = c.command("SELECT " + team);
  CHECK(has_part(opened, " OK [READ-ONLY] "));  // §5.2
  CHECK(has_part(c.command("STORE 1 FLAGS ()"), " NO [NOPERM]"));
}

TEST_CASE("ACL: who made it share, and what is below, inherits; renaming keeps it, removing ends it (§4)") {
  house home;
  two_users both("lrkx", home);
  const std::string team = of_alice + "team";
  client& c = both.bob;
  CHECK(has_part(c.command("CREATE " + team + "/mine/deep\""), " OK "));
  CHECK(has_line(both.alice.command("GETACL team/mine/deep"),
                 "* ACL team/mine/deep alice@example.org lrswipkxtecda bob@example.org lrkxc"));
  CHECK(has_part(c.command("RENAME " + team + "/mine\" " + team + "/ours\""), " OK "));
  CHECK(has_line(c.command("MYRIGHTS " + team + "/ours/deep\""), "* MYRIGHTS " + team + "/ours/deep\" lrkxc"));
  both.alice.command("RENAME team/ours ours");
  CHECK(has_line(c.command("MYRIGHTS " + of_alice + "ours\""), "* MYRIGHTS " + of_alice + "ours\" lrkxc"));
  // Into another account nothing is renamed.
  CHECK(has_part(c.command("RENAME " + of_alice + "ours/deep\" deep"), " NO [CANNOT]"));
  CHECK(has_part(c.command("DELETE " + of_alice + "ours/deep\""), " OK "));
  both.alice.command("CREATE ours/deep");
  both.alice.command("SETACL ours/deep bob@example.org \"\"");
  CHECK(has_part(c.command("MYRIGHTS " + of_alice + "ours/deep\""), " NO [NONEXISTENT]"));
  // A new mailbox of an old name has nothing of its rights.
  both.alice.command("DELETE team/plans");
  both.alice.command("DELETE team");
  both.alice.command("CREATE team");
  CHECK(has_line(both.alice.command("GETACL team"), "* ACL team alice@example.org lrswipkxtecda"));
  // INBOX's messages leave, its rights stay and go along.
  both.grant("lr", "INBOX");
  both.alice.command("RENAME INBOX old");
  CHECK(has_part(c.command("MYRIGHTS " + of_alice + "INBOX\""), " lr"));
  CHECK(has_part(c.command("MYRIGHTS " + of_alice + "old\""), " lr"));
}

TEST_CASE("ACL: messages go between accounts, and the owner's quota counts") {
  house home;
  two_users both("lrswite", home);
  const std::string team = of_alice + "team\"";
  both.bob.append("INBOX", t::first_message, "(\\Flagged) ");
  both.bob.append("INBOX", t::second_message);
  both.bob.command("SELECT INBOX");
  CHECK(has_part(both.bob.command("MOVE 1:2 " + team), " 1:2 1:2] Moved"));
  CHECK(has_part(both.bob.command("STATUS INBOX (MESSAGES)"), "(MESSAGES 0)"));
  both.bob.command("SELECT " + team);
  auto seen = both.bob.command("FETCH 1 (FLAGS ENVELOPE BODY.PEEK[TEXT])");
  CHECK(has_part(seen, "FLAGS (\\Flagged"));
  CHECK(has_part(seen, "anna"));
  CHECK(has_part(seen, "Hello there"));
  CHECK(has_line(both.bob.command("SEARCH BODY needle"), "* SEARCH 2"));
  CHECK(has_part(both.bob.command("COPY 2 INBOX"), " OK [COPYUID "));
  CHECK(has_part(both.bob.command("STATUS INBOX (MESSAGES)"), "(MESSAGES 1)"));
  CHECK(has_part(both.bob.command("APPEND INBOX CATENATE (URL \"/Other%20Users/alice@example.org/team/;UID=1/;SECTION=TEXT\")"),
                 " OK [APPENDUID "));
  CHECK(has_part(both.bob.command("APPEND INBOX CATENATE (URL \"/Other%20Users/alice@example.org/INBOX/;UID=1\")"), " NO [BADURL "));
  REQUIRE(briefwerk::base::sync_wait(home.mail().set_quota(home.alice(), {0, 3})));
  both.bob.append(team, t::first_message);
  CHECK(has_part(both.bob.command("COPY 1 " + team), " NO [OVERQUOTA]"));
  CHECK(has_part(both.bob.command("APPEND " + team + " {1+}\r\nx"), " NO [OVERQUOTA]"));
  const auto root = both.bob.command("GETQUOTAROOT " + team);
  CHECK(has_line(root, "* QUOTAROOT " + team + " \"Other Users/alice@example.org\""));
  CHECK(has_line(root, "* QUOTA \"Other Users/alice@example.org\" (MESSAGE 3 3)"));
  // RFC 8474 §4: what is another mailbox has another id.
  const auto id = [](const std::vector<std::string>& said) {
    const auto all = t::all_of(said);
    const auto at = all.find("MAILBOXID (");
    return all.substr(at, all.find(')', at) - at);
  };
  both.bob.command("CREATE one");
  const auto own = id(both.bob.command("STATUS one (MAILBOXID)")), other = id(both.bob.command("STATUS " + team + " (MAILBOXID)"));
  CHECK(own != other);
}

TEST_CASE("ACL: sessions of both hear of a shared mailbox's changes, and of lost rights") {
  house home(t::channel::plain, 2);
  two_users both("lrswite", home);
  const std::string team = of_alice + "team\"";
  for (client* one : {&both.alice, &both.bob}) one->command("ENABLE IMAP4rev2");
  both.alice.command("SELECT team");
  both.bob.command("SELECT " + team);
  both.bob.send("i IDLE\r\n");
  CHECK(both.bob.line().starts_with("+"));
  both.alice.append("team", t::first_message);
  CHECK(both.bob.line() == "* 1 EXISTS");
  both.alice.command("STORE 1 +FLAGS (\\Flagged)");
  CHECK(both.bob.line() == "* 1 FETCH (FLAGS (\\Flagged))");
  both.bob.send("DONE\r\n");
  CHECK(both.bob.line().starts_with("i OK"));
  both.alice.send("j IDLE\r\n");
  CHECK(both.alice.line().starts_with("+"));
  both.bob.command("STORE 1 FLAGS (\\Seen)");
  CHECK(both.alice.line() == "* 1 FETCH (FLAGS (\\Seen))");
  both.bob.append(team, t::first_message);
  CHECK(both.alice.line() == "* 2 EXISTS");
  both.alice.send("DONE\r\n");
  CHECK(both.alice.line().starts_with("j OK"));
  // Back in the own account, IDLE is about that.
  both.bob.command("SELECT INBOX");
  both.bob.send("k IDLE\r\n");
  CHECK(both.bob.line().starts_with("+"));
  both.alice.append("team", t::first_message);
  CHECK(both.bob.is_quiet());
  both.bob.send("DONE\r\n");
  CHECK(both.bob.line().starts_with("k OK"));
  both.bob.command("SELECT " + team);
  both.bob.send("l IDLE\r\n");
  CHECK(both.bob.line().starts_with("+"));
  both.grant("l");
  CHECK(both.bob.line().starts_with("* BYE"));
}
