// METADATA (RFC 5464) and LIST-METADATA (RFC 9590) over a real connection.

#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

TEST_CASE("METADATA: what is noted is told again, to whom it may") {
  house home(t::channel::plain, 1, [](auto& options) { options.administrator = "mailto:admin@example.org"; });
  client c(home);
  c.login();
  c.command("CREATE work");
  CHECK(has_part(c.command("SETMETADATA work (/private/comment \"mine\" /shared/comment {5+}\r\na\r\nb!)"), " OK "));
  CHECK(has_part(c.command("SETMETADATA \"\" (/private/vendor/v/a \"own\" /private/vendor/v/a/b \"below\")"), " OK "));
  struct row {
    const char* why;
    const char* command;
    const char* untagged;  // null: none
    const char* tagged;
  };
  const row rows[] = {
      {"one", "GETMETADATA work /private/comment", "* METADATA work (/private/comment \"mine\")", " OK Done"},
      {"names in any case", "GETMETADATA work /PRIVATE/Comment", "* METADATA work (/PRIVATE/Comment \"mine\")",
       " OK Done"},
      {"several", "GETMETADATA work (/private/comment /private/other)",
       "* METADATA work (/private/comment \"mine\" /private/other NIL)", " OK Done"},
      {"MAXSIZE", "GETMETADATA work (MAXSIZE 4) (/private/comment /shared/comment)",
       "* METADATA work (/private/comment \"mine\")", " OK [METADATA LONGENTRIES 5] Done"},
      {"MAXSIZE with nothing left", "GETMETADATA (MAXSIZE 1) work /shared/comment", nullptr,
       " OK [METADATA LONGENTRIES 5] Done"},
      {"the server's", "GETMETADATA \"\" /private/vendor/v/a", "* METADATA \"\" (/private/vendor/v/a \"own\")",
       " OK Done"},
      {"whom to ask", "GETMETADATA (DEPTH 1) \"\" /shared",
       "* METADATA \"\" (/shared/admin \"mailto:admin@example.org\")", " OK Done"},
      {"who that is is not for users to say", "SETMETADATA \"\" (/shared/admin \"mailto:x@example.org\")", nullptr,
       " NO [NOPERM]"},
      {"DEPTH 1", "GETMETADATA (DEPTH 1) \"\" /private/vendor/v", "* METADATA \"\" (/private/vendor/v/a \"own\")",
       " OK Done"},
      {"DEPTH infinity", "GETMETADATA (DEPTH infinity) \"\" /private",
       "* METADATA \"\" (/private/vendor/v/a \"own\" /private/vendor/v/a/b \"below\")", " OK Done"},
      {"DEPTH, nothing there", "GETMETADATA (DEPTH infinity) \"\" /private/vendor/v/ab", nullptr, " OK Done"},
      {"no mailbox", "GETMETADATA nowhere /private/comment", nullptr, " NO [NONEXISTENT] No such mailbox"},
      {"not a name", "GETMETADATA work /comment", nullptr, " BAD "},
      {"what the server shares", "SETMETADATA \"\" (/shared/comment \"x\")", nullptr, " NO [NOPERM]"},
  };
  for (const auto& one : rows) {
    const auto said = c.command(one.command);
    CAPTURE(one.why);
    CAPTURE(t::all_of(said));
    CHECK(said.size() == (one.untagged != nullptr ? 2 : 1));
    if (one.untagged != nullptr) CHECK(said.front() == one.untagged);
    CHECK(has_part(said, one.tagged));
  }
  // One wrong value: none is set (§4.3).
  const std::string big(65537, 'x');
  CHECK(has_part(c.command("SETMETADATA work (/private/comment \"new\" /private/b {65537+}\r\n" + big + ")"),
                 " NO [METADATA MAXSIZE 65536]"));
  CHECK(has_line(c.command("GETMETADATA work /private/comment"), "* METADATA work (/private/comment \"mine\")"));
  CHECK(has_part(c.command("SETMETADATA work (/private/comment NIL)"), " OK "));
  CHECK(has_line(c.command("GETMETADATA work /private/comment"), "* METADATA work (/private/comment NIL)"));
  client other(home);
  other.login("bob");
  CHECK(has_line(other.command("GETMETADATA \"\" /private/vendor/v/a"), "* METADATA \"\" (/private/vendor/v/a NIL)"));
}

TEST_CASE("METADATA: only so many at one mailbox") {
  house home;
  client c(home);
  c.login();
  std::string command = "SETMETADATA INBOX (";
  for (int i = 0; i < 256; ++i) command += (i == 0 ? "/private/e" : " /private/e") + std::to_string(i) + " \"\"";
  CHECK(has_part(c.command(command + ")"), " OK "));
  CHECK(has_part(c.command("SETMETADATA INBOX (/private/more \"\")"), " NO [METADATA TOOMANY]"));
  CHECK(has_part(c.command("SETMETADATA INBOX (/private/e0 NIL /private/more \"\")"), " OK "));
}

TEST_CASE("LIST-METADATA: noted values come with the list (RFC 9590)") {
  house home;
  client c(home);
  c.login();
  for (const char* name : {"foo", "foo/sub", "bar"}) c.command(std::string("CREATE ") + name);
  c.command("SUBSCRIBE foo/sub");
  c.command("SETMETADATA INBOX (/shared/vendor/v/color \"#b71c1c\")");
  const auto all = c.command("LIST \"\" % RETURN (METADATA (\"/shared/vendor/v/color\"))");
  CHECK(has_line(all, "* METADATA INBOX (/shared/vendor/v/color \"#b71c1c\")"));
  CHECK(has_line(all, "* METADATA foo (/shared/vendor/v/color NIL)"));
  CHECK(has_line(all, "* METADATA bar (/shared/vendor/v/color NIL)"));
  // §4: foo is told for its child's sake and does not match itself.
  const auto some = c.command("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" % RETURN (METADATA (/shared/vendor/v/color))");
  CHECK(has_line(some, "* METADATA INBOX (/shared/vendor/v/color \"#b71c1c\")"));
  CHECK(has_part(some, "\"/\" foo (\"CHILDINFO\" (\"SUBSCRIBED\"))"));
  CHECK_FALSE(has_part(some, "* METADATA foo"));
}
