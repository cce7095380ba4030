#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <span>
#include <string>

#include "imap_describe.hpp"

using imap_test::parse;
namespace imap = briefwerk::protocol::imap;

namespace {

struct row {
  const char* why;
  std::string_view in;
  std::string_view out;
};

void check(std::span<const row> rows) {
  for (const auto& [why, in, out] : rows) {
    CAPTURE(why);
    CAPTURE(in);
    CHECK(parse(in) == out);
    // Every beginning must be refused or understood, never read past.
    for (std::size_t cut = 0; cut < in.size(); ++cut) static_cast<void>(parse(in.substr(0, cut)));
  }
}

}  // namespace

TEST_CASE("imap: commands without arguments and heads") {
  const row rows[] = {
      {"RFC 9051 §6.1.1", "a1 CAPABILITY", "capability"},
      {"RFC 9051 §9 note 1: any case", "a1 nOoP", "noop"},
      {"RFC 9051 §6.1.3", "a1 LOGOUT", "logout"},
      {"RFC 9051 §6.2.1", "a1 STARTTLS", "starttls"},
      {"RFC 9051 §6.3.10", "a1 NAMESPACE", "namespace"},
      {"RFC 9051 §6.3.13", "a1 IDLE", "idle"},
      {"RFC 3501 §6.4.1", "a1 CHECK", "check"},
      {"RFC 9051 §6.4.1", "a1 CLOSE", "close"},
      {"RFC 9051 §6.4.2", "a1 UNSELECT", "unselect"},
      {"tag may hold ]", "a]1 NOOP", "noop"},
      {"tag holds no +", "a+1 NOOP", "BAD: A command begins with a tag"},
      {"tag holds no *", "* NOOP", "BAD: A command begins with a tag"},
      {"a tag is needed", "", "BAD: A command begins with a tag"},
      {"a tag is needed", " NOOP", "BAD: A command begins with a tag"},
      {"a name is needed", "a1", "BAD: Argument missing"},
      {"one space", "a1  NOOP", "BAD: Unknown command"},
      {"unknown name", "a1 FROB", "BAD: Unknown command"},
      {"a prefix is not the name", "a1 FETC 1 FLAGS", "BAD: Unknown command"},
      {"UID goes before few commands only", "a1 UID NOOP", "BAD: Unknown command"},
      {"UID needs a command", "a1 UID", "BAD: Argument missing"},
      {"spaces behind the command, as some programs send them", "a1 NOOP ", "noop"},
      {"nothing after the command", "a1 CLOSE x", "BAD: Too many arguments"},
      {"8-bit octets are no atom", "a1 NO\xC3\xB6P", "BAD: Invalid argument"},
  };
  check(rows);
}

TEST_CASE("imap: what is noted at mailboxes (RFC 5464)") {
  const row rows[] = {
      {"one entry", "a GETMETADATA INBOX /shared/comment", "getmetadata [INBOX] depth0 /shared/comment"},
      {"the server's", "a GETMETADATA \"\" /shared/comment", "getmetadata [] depth0 /shared/comment"},
      {"a list", "a GETMETADATA x (/shared/comment \"/private/comment\")", "getmetadata [x] depth0 /shared/comment /private/comment"},
      {"§5: options in front", "a GETMETADATA (MAXSIZE 1024 DEPTH 1) x /private/a", "getmetadata [x] depth1 max1024 /private/a"},
      {"§4.2.1: options behind", "a GETMETADATA x (depth infinity) (/private)", "getmetadata [x] depth2 /private"},
      {"options twice", "a GETMETADATA (DEPTH 1) x (DEPTH 1) /private/a", "BAD: Invalid argument"},
      {"another depth", "a GETMETADATA (DEPTH 2) x /private/a", "BAD: Unknown option"},
      {"an option that is not known", "a GETMETADATA (FOO 2) x /private/a", "BAD: Unknown option"},
      {"no entries", "a GETMETADATA x ()", "BAD: Unknown option"},
      {"nothing", "a GETMETADATA x", "BAD: Argument missing"},
      {"two slashes", "a GETMETADATA x /private//a", "BAD: Invalid argument"},
      {"slash at the end", "a GETMETADATA x /private/a/", "BAD: Invalid argument"},
      {"wildcard", "a GETMETADATA x \"/private/*\"", "BAD: Invalid argument"},
      {"8-bit", "a GETMETADATA x \"/private/\xC3\xB6\"", "BAD: Invalid argument"},
      {"no scope", "a GETMETADATA x /comment", "BAD: Invalid argument"},
      {"set", "a SETMETADATA x (/private/comment \"a b\" /SHARED/comment NIL)", "setmetadata [x] /private/comment=[a b] /SHARED/comment=NIL"},
      {"a literal", "a SETMETADATA x (/private/comment {3}\r\na\nb)", "setmetadata [x] /private/comment=[a\nb]"},
      {"literal8", "a SETMETADATA x (/private/comment ~{3}\r\na\nb)", "setmetadata [x] /private/comment=[a\nb]"},
      {"~ without literal", "a SETMETADATA x (/private/comment ~abc)", "BAD: Invalid string"},
      {"no value", "a SETMETADATA x (/private/comment)", "BAD: Invalid argument"},
      {"a value is no atom", "a SETMETADATA x (/private/comment abc)", "BAD: Invalid string"},
      {"only a scope", "a SETMETADATA x (/private \"a\")", "BAD: Invalid argument"},
      {"of a vendor", "a SETMETADATA x (/shared/vendor/v/a \"a\")", "setmetadata [x] /shared/vendor/v/a=[a]"},
      {"three components of a vendor", "a SETMETADATA x (/shared/vendor/v \"a\")", "BAD: Invalid argument"},
      {"RFC 9590", "a LIST \"\" % RETURN (METADATA (\"/shared/vendor/v/a\" /private/b))",
       "list extended r:/shared/vendor/v/a r:/private/b [] [%]"},
      {"RFC 9590: no entries", "a LIST \"\" % RETURN (METADATA ())", "BAD: Invalid string"},
  };
  check(rows);
}

TEST_CASE("imap: login and authentication") {
  const row rows[] = {
      {"RFC 9051 §6.2.3 atoms", "a LOGIN SMITH SESAME", "login [SMITH] [SESAME]"},
      {"quoted, with both quoted-specials", R"(a LOGIN "a\"b" "c\\d")", R"(login [a"b] [c\d])"},
      {"empty password", R"(a LOGIN smith "")", "login [smith] []"},
      {"literals", "a LOGIN {5}\r\nsmith {3+}\r\na b", "login [smith] [a b]"},
      {"an empty literal", "a LOGIN {0}\r\n x", "login [] [x]"},
      {"] is an ASTRING-CHAR", "a LOGIN a]b x", "login [a]b] [x]"},
      {"UTF-8 in quotes (RFC 9051 §4.3)", "a LOGIN \"m\xC3\xBCller\" x", "login [m\xC3\xBCller] [x]"},
      {"escape of another character", R"(a LOGIN "a\b" x)", "BAD: Invalid string"},
      {"quote without end", "a LOGIN \"a x", "BAD: Invalid string"},
      {"backslash at the end", "a LOGIN \"a\\", "BAD: Invalid string"},
      {"literal longer than what is there", "a LOGIN {9}\r\nsmith x", "BAD: Invalid string"},
      {"literal with a sign", "a LOGIN {-1}\r\nsmith x", "BAD: Invalid string"},
      {"literal past 64 bits", "a LOGIN {99999999999999999999}\r\nx x", "BAD: Invalid string"},
      {"RFC 9051 §9 note 3: no NUL", std::string_view("a LOGIN {3}\r\na\0b x", 19), "BAD: Invalid string"},
      {"no password", "a LOGIN smith", "BAD: Argument missing"},
      {"a third argument", "a LOGIN smith x y", "BAD: Too many arguments"},
      {"RFC 9051 §6.2.2", "a AUTHENTICATE PLAIN", "authenticate PLAIN -"},
      {"RFC 4959 §3", "a AUTHENTICATE PLAIN AHRlc3QAdGVzdA==", "authenticate PLAIN AHRlc3QAdGVzdA=="},
      {"RFC 4959 §3 empty response", "a AUTHENTICATE EXTERNAL =", "authenticate EXTERNAL ="},
      {"RFC 2971 §3.1", R"(a ID ("name" "sodr" "version" NIL))", "id name=sodr version=NIL"},
      {"RFC 2971 §3.1", "a ID NIL", "id"},
      {"an empty list", "a ID ()", "id"},
      {"pairs only", R"(a ID ("name"))", "BAD: Invalid argument"},
      {"RFC 5161 §3.1", "a ENABLE CONDSTORE X-GOOD", "enable CONDSTORE X-GOOD"},
      {"spaces behind the last", "a ENABLE CONDSTORE ", "enable CONDSTORE"},
      {"RFC 5161 §4: one at least", "a ENABLE", "BAD: Argument missing"},
  };
  check(rows);
}

TEST_CASE("imap: mailbox commands") {
  const row rows[] = {
      {"INBOX in any case", "a SELECT inBox", "select [INBOX]"},
      {"only the whole name", "a SELECT inbox/x", "select [inbox/x]"},
      {"RFC 9051 §6.3.3", "a EXAMINE blurdybloop", "examine [blurdybloop]"},
      {"RFC 3501 §5.1.3", "a SELECT ~peter/mail/&U,BTFw-/&ZeVnLIqe-", "select [~peter/mail/\xE5\x8F\xB0\xE5\x8C\x97/\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E]"},
      {"RFC 3501 §5.1.3 ampersand", "a SELECT Q&-A", "select [Q&A]"},
      {"not modified UTF-7", "a SELECT Q&A", "BAD: Invalid mailbox name"},
      {"invalid UTF-8", "a SELECT \"x\xFF\"", "BAD: Invalid mailbox name"},
      {"control character", "a SELECT \"a\tb\"", "BAD: Invalid mailbox name"},
      {"wildcards are no atom", "a SELECT a%b", "BAD: Invalid argument"},
      {"RFC 7162 §3.1.8", "a SELECT INBOX (CONDSTORE)", "select [INBOX] condstore"},
      {"RFC 7162 §3.2.5", "a SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211,214:541))",
       "select [INBOX] qresync 67890007 90060115194045000 41:211,214:541"},
      {"RFC 7162 §3.2.5.2", "a SELECT INBOX (QRESYNC (67890007 90060115194045000 41:211 (1,3 5,7)))",
       "select [INBOX] qresync 67890007 90060115194045000 41:211 1,3=5,7"},
      {"what 0 stands for is a client that knows nothing", "a SELECT INBOX (QRESYNC (67890007 0))", "select [INBOX] qresync 67890007 0"},
      {"spaces behind the last argument", "a SELECT INBOX ", "select [INBOX]"},
      {"more spaces than one", "a SELECT  INBOX  (CONDSTORE )", "select [INBOX] condstore"},
      {"RFC 9051 §6.3.2: UIDVALIDITY is never 0", "a SELECT INBOX (QRESYNC (0 1))", "BAD: Invalid number"},
      {"unknown parameter", "a SELECT INBOX (FROB)", "BAD: Unknown option"},
      {"RFC 9051 §6.3.4", "a CREATE owatagusiam/", "create [owatagusiam/]"},
      {"RFC 6154 §5.2", R"(a CREATE MyDrafts (USE (\Drafts)))", R"(create [MyDrafts] \Drafts)"},
      {"RFC 6154 §5.2 two", R"(a CREATE x (USE (\Sent \junk)))", R"(create [x] \Sent \Junk)"},
      {"unknown attribute is a NO later", R"(a CREATE x (USE (\Foo)))", "create [x] ?"},
      {"attribute without backslash", "a CREATE x (USE (Sent))", "BAD: Invalid argument"},
      {"RFC 9051 §6.3.5", "a DELETE foo", "delete [foo]"},
      {"RFC 9051 §6.3.6", R"(a RENAME "a b" {1}
c)", "BAD: Invalid string"},
      {"RFC 9051 §6.3.6", "a RENAME \"a b\" {1}\r\nc", "rename [a b] [c]"},
      {"RFC 9051 §6.3.7", "a SUBSCRIBE #news.comp", "subscribe [#news.comp]"},
      {"RFC 9051 §6.3.8", "a UNSUBSCRIBE x", "unsubscribe [x]"},
      {"RFC 9051 §6.3.11", "a STATUS blurdybloop (UIDNEXT MESSAGES)", "status [blurdybloop] 5"},
      {"all items", "a STATUS x (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE HIGHESTMODSEQ APPENDLIMIT MAILBOXID)",
       "status [x] 1023"},
      {"one item at least", "a STATUS x ()", "BAD: Invalid argument"},
      {"unknown item", "a STATUS x (FROB)", "BAD: Unknown option"},
  };
  check(rows);
  CHECK(parse("a SELECT Q&A", true) == "select [Q&A]");
  CHECK(parse("a SELECT " + std::string(1001, 'x')) == "BAD: Invalid mailbox name");
}

TEST_CASE("imap: list") {
  const row rows[] = {
      {"RFC 9051 §6.3.9", R"(a LIST "" "")", "list [] []"},
      {"wildcards as atom", "a LIST ~/Mail/ %", "list [~/Mail/] [%]"},
      {"wildcards inside", R"(a LIST "" foo*bar%)", "list [] [foo*bar%]"},
      {"modified UTF-7 in a pattern", "a LIST \"\" &ZeVnLIqe-*", "list [] [\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E*]"},
      {"RFC 3501 §6.3.9", R"(a LSUB "#news." "comp.mail.*")", "lsub [#news.] [comp.mail.*]"},
      {"RFC 5258 §5", R"(a LIST (SUBSCRIBED) "" "*")", "list extended s:subscribed [] [*]"},
      {"RFC 5258 §5", R"(a LIST () "" % RETURN (CHILDREN))", "list extended r:children [] [%]"},
      {"RFC 5258 §5", R"(a LIST (SUBSCRIBED RECURSIVEMATCH REMOTE) "" % RETURN ())",
       "list extended s:subscribed s:remote s:recursive [] [%]"},
      {"several patterns", R"(a LIST "" (INBOX Drafts Sent/%))", "list extended [] [INBOX] [Drafts] [Sent/%]"},
      {"RFC 6154 §5.1", R"(a LIST (SPECIAL-USE) "" "*" RETURN (SPECIAL-USE SUBSCRIBED))",
       "list extended s:special r:subscribed r:special [] [*]"},
      {"RFC 5819 §4", R"(a LIST "" % RETURN (STATUS (MESSAGES UNSEEN)))", "list extended r:status17 [] [%]"},
      {"RFC 5258 §3.1: RECURSIVEMATCH alone", R"(a LIST (RECURSIVEMATCH) "" *)", "BAD: Unknown option"},
      {"RFC 5258 §3.1: with REMOTE only", R"(a LIST (REMOTE RECURSIVEMATCH) "" *)", "BAD: Unknown option"},
      {"unknown option", R"(a LIST (FROB) "" *)", "BAD: Unknown option"},
      {"no empty list of patterns", R"(a LIST "" ())", "BAD: Invalid string"},
  };
  check(rows);
}

TEST_CASE("imap: message commands") {
  const row rows[] = {
      {"RFC 9051 §6.4.3", "a EXPUNGE", "expunge"},
      {"RFC 4315 §2.1", "a UID EXPUNGE 3000:3002", "uid expunge 3000:3002"},
      {"RFC 9051 §6.4.5 macro", "a FETCH 2:4 FAST", "fetch 2:4 flags internal_date size"},
      {"macro ALL", "a FETCH 1 ALL", "fetch 1 flags internal_date size envelope"},
      {"macro FULL", "a FETCH 1 FULL", "fetch 1 flags internal_date size envelope body"},
      {"a macro is no item", "a FETCH 1 (ALL)", "BAD: Invalid argument"},
      {"set forms", "a FETCH 1,3:*,*,9:5 FLAGS", "fetch 1,3:*,*,9:5 flags"},
      {"RFC 5182", "a FETCH $ FLAGS", "fetch $ flags"},
      {"what is asked for twice is told once", "a FETCH 1 (FLAGS ENVELOPE FLAGS ENVELOPE)", "fetch 1 flags envelope"},
      {"UID FETCH tells UIDs", "a UID FETCH 4827313:4828442 FLAGS", "uid fetch 4827313:4828442 uid flags"},
      {"once", "a UID FETCH 1 (UID FLAGS)", "uid fetch 1 uid flags"},
      {"RFC 9051 §6.4.5", "a FETCH 1 BODY[]", "fetch 1 section[]"},
      {"old names", "a FETCH 1 (RFC822 RFC822.HEADER RFC822.TEXT)", "fetch 1 rfc822 rfc822_header rfc822_text"},
      {"structures", "a FETCH 1 (BODY BODYSTRUCTURE)", "fetch 1 body body_structure"},
      {"header fields", "a FETCH 1 (BODY.PEEK[HEADER.FIELDS (DATE \"FROM\")] UID)", "fetch 1 uid section.peek[HEADER.FIELDS]/DATE/FROM"},
      {"part and partial", "a FETCH 1 BODY[4.2.2.HEADER.FIELDS.NOT (x)]<0.2048>", "fetch 1 section[HEADER.FIELDS.NOT].4.2.2/x<0.2048>"},
      {"part MIME", "a FETCH 1 BODY[3.MIME]", "fetch 1 section[MIME].3"},
      {"MIME needs a part", "a FETCH 1 BODY[MIME]", "BAD: Invalid section"},
      {"part 0", "a FETCH 1 BODY[0]", "BAD: Invalid section"},
      {"dot at the end", "a FETCH 1 BODY[1.]", "BAD: Invalid section"},
      {"partial of nothing", "a FETCH 1 BODY[]<0.0>", "BAD: Invalid number"},
      {"partial without length", "a FETCH 1 BODY[]<0>", "BAD: Invalid section"},
      {"RFC 3516 §4.2", "a FETCH 1 (BINARY.PEEK[1.2]<1.2> BINARY.SIZE[1])", "fetch 1 binary_size.1 binary.peek[].1.2<1.2>"},
      {"no text in BINARY", "a FETCH 1 BINARY[TEXT]", "BAD: Invalid section"},
      {"RFC 7162 §3.1.4.1", "a UID FETCH 300:500 (FLAGS) (CHANGEDSINCE 12345 VANISHED)", "uid fetch 300:500 uid flags modseq since12345 vanished"},
      {"octets last, the parts in their order", "a FETCH 1 (BODY.PEEK[2] FLAGS BODY.PEEK[1] UID)", "fetch 1 flags uid section.peek[].2 section.peek[].1"},
      {"RFC 7162 §3.2.6: VANISHED alone", "a UID FETCH 1 (FLAGS) (VANISHED)", "BAD: Unknown option"},
      {"what 0 stands for is a client that knows nothing", "a FETCH 1 FLAGS (CHANGEDSINCE 0)", "fetch 1 flags modseq since0"},
      {"more spaces than one", "a FETCH  1:2  ( FLAGS  UID )  (CHANGEDSINCE  1 ) ", "fetch 1:2 flags uid modseq since1"},
      {"spaces about header names", "a FETCH 1 (BODY.PEEK[HEADER.FIELDS (DATE  FROM )])", "fetch 1 section.peek[HEADER.FIELDS]/DATE/FROM"},
      {"no space is still none", "a FETCH 1FLAGS", "BAD: Invalid argument"},
      {"no items", "a FETCH 1 ()", "BAD: Invalid argument"},
      {"list without end", "a FETCH 1 (FLAGS", "BAD: Argument missing"},
      {"set without number", "a FETCH , FLAGS", "BAD: Invalid message set"},
      {"no zero", "a FETCH 0 FLAGS", "BAD: Invalid message set"},
      {"no leading zero", "a FETCH 01 FLAGS", "BAD: Invalid message set"},
      {"32 bits", "a FETCH 4294967296 FLAGS", "BAD: Invalid message set"},
      {"32 bits", "a FETCH 4294967295 FLAGS", "fetch 4294967295 flags"},
      {"range without end", "a FETCH 1: FLAGS", "BAD: Invalid message set"},
      {"comma at the end", "a FETCH 1, FLAGS", "BAD: Invalid message set"},
      {"RFC 9051 §6.4.6", R"(a STORE 2:4 +FLAGS (\Deleted))", "store 2:4 +8"},
      {"silent, without parentheses", R"(a STORE 1 -FLAGS.SILENT \Seen $Junk)", "store 1 -silent 1+$Junk"},
      {"replace by nothing", "a STORE 1 FLAGS ()", "store 1 =0"},
      {"spaces in the list", R"(a STORE 1 +FLAGS ( \Deleted ))", "store 1 +8"},
      {"spaces alone in the list", "a STORE 1 FLAGS ( )", "store 1 =0"},
      {"RFC 7162 §3.1.3", R"(a UID STORE 7 (UNCHANGEDSINCE 320162338) +FLAGS.SILENT (\Deleted))",
       "uid store 7 +silent unchanged320162338 8"},
      {"\\Recent cannot be set (RFC 3501 §2.3.2)", R"(a STORE 1 FLAGS (\Recent))", "BAD: Invalid flag"},
      {"unknown system flag", R"(a STORE 1 FLAGS (\Foo))", "BAD: Invalid flag"},
      {"flags are needed", "a STORE 1 FLAGS", "BAD: Argument missing"},
      {"RFC 9051 §6.4.7", "a COPY 2:4 MEETING", "copy 2:4 [MEETING]"},
      {"UID", "a UID COPY 2:4 \"a b\"", "uid copy 2:4 [a b]"},
      {"RFC 6851 §3.1", "a MOVE $ Trash", "move $ [Trash]"},
      {"UID", "a UID MOVE 42:69 foo", "uid move 42:69 [foo]"},
  };
  check(rows);
}

TEST_CASE("imap: rights") {
  const row rows[] = {
      {"RFC 4314 §3.1", "a SETACL INBOX/Drafts Byron lrswikda", "setacl [INBOX/Drafts] [Byron] =lrswiktecda"},
      {"added", "a SETACL a anyone +cd", "setacl [a] [anyone] +kxtecd"},
      {"removed, in quotes", "a SETACL a \"-two words\" \"-r\"", "setacl [a] [-two words] -r"},
      {"none", "a SETACL a b \"\"", "setacl [a] [b] ="},
      {"upper case is not allowed", "a SETACL INBOX/Drafts John lrQswicda", "BAD: Unknown right"},
      {"not a right", "a SETACL INBOX/Drafts John lrqswicda", "BAD: Unknown right"},
      {"nobody", "a SETACL a \"\" l", "BAD: Invalid argument"},
      {"nobody, negative", "a SETACL a - l", "BAD: Invalid argument"},
      {"rights are needed", "a SETACL a b", "BAD: Argument missing"},
      {"§3.2", "a DELETEACL INBOX Fred", "deleteacl [INBOX] [Fred]"},
      {"§3.3", "a GETACL inbox", "getacl [INBOX]"},
      {"one mailbox", "a GETACL a b", "BAD: Too many arguments"},
      {"§3.4", "a LISTRIGHTS ~/Mail/saved smith", "listrights [~/Mail/saved] [smith]"},
      {"§3.5", "a MYRIGHTS {5}\r\nINBOX", "myrights [INBOX]"},
      {"RFC 8440 §4", "a LIST \"\" % RETURN (MYRIGHTS)", "list extended r:rights [] [%]"},
  };
  check(rows);
}

TEST_CASE("imap: notifications") {
  const row rows[] = {
      {"RFC 5465 §3.1", "b notify set status (selected MessageNew (uid body.peek[header.fields (from to subject)]) "
                        "MessageExpunge) (subtree Lists MessageNew MessageExpunge)",
       "notify status (0 3 uid section.peek[HEADER.FIELDS]/from/to/subject) (5 [Lists] 3)"},
      {"§6, with parentheses", "a notify set (mailboxes INBOX (Messagenew messageExpunge)) (personal (SubscriptionChange))",
       "notify (6 [INBOX] 3) (3 16)"},
      {"several names, all scopes",
       "a NOTIFY SET (SELECTED-DELAYED NONE) (mailboxes (a \"b c\") (MailboxName)) (inboxes (MailboxMetadataChange)) "
       "(subscribed (ServerMetadataChange))",
       "notify (1 0) (6 [a] [b c] 8) (2 32) (4 64)"},
      {"flags", "a NOTIFY SET (PERSONAL (MessageNew FlagChange MessageExpunge))", "notify (3 7)"},
      {"NONE", "a NOTIFY NONE", "notify none"},
      {"§5: both or none", "a NOTIFY SET (PERSONAL (MessageNew))", "BAD: Unknown option"},
      {"§5: flags need both", "a NOTIFY SET (PERSONAL (FlagChange))", "BAD: Unknown option"},
      {"§6.1: message events only", "a NOTIFY SET (SELECTED (MailboxName))", "BAD: Unknown option"},
      {"§6.1: one of them", "a NOTIFY SET (SELECTED NONE) (SELECTED-DELAYED NONE)", "BAD: Unknown option"},
      {"§8: fetch-atts elsewhere", "a NOTIFY SET (PERSONAL (MessageNew (UID) MessageExpunge))", "BAD: Invalid argument"},
      {"§3.1: not an event here", "a NOTIFY SET (PERSONAL (MessageNew MessageExpunge AnnotationChange))", "BAD: Unknown event"},
      {"no group", "a NOTIFY SET", "BAD: Argument missing"},
      {"a name is needed", "a NOTIFY SET (SUBTREE (MailboxName))", "BAD: Invalid argument"},
      {"not closed", "a NOTIFY SET (PERSONAL (MailboxName)", "BAD: Argument missing"},
      {"§7 UPDATE", "a SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[TEXT]) MIN) ALL", "search return73 uid section.peek[TEXT] and(all)"},
      {"nothing behind", "a NOTIFY NONE x", "BAD: Too many arguments"},
  };
  check(rows);
}

TEST_CASE("imap: search in several mailboxes") {
  const row rows[] = {
      {"RFC 7377 §3", R"(tag1 ESEARCH IN (mailboxes "folder1" subtree "folder2") unseen)",
       "esearch (6 [folder1]) (5 [folder2]) uid search return4 and(flags_clear:1)"},
      {"subtree-one", R"(t ESEARCH IN (mailboxes (a "b c") subtree-one d) subject "chad")",
       "esearch (6 [a] [b c]) (7 [d]) uid search return4 and(subject'chad')"},
      {"all scopes, with RETURN", "t UID ESEARCH IN (selected inboxes personal subscribed) RETURN (MIN COUNT) 1:100",
       "esearch (0) (2) (3) (4) uid search return9 and(sequence#1:100)"},
      {"§2.2: the selected mailbox", "t ESEARCH ALL", "esearch uid search return4 and(all)"},
      {"charset", "t ESEARCH IN (personal) CHARSET UTF-8 ALL", "esearch (3) uid search return4 and(all)"},
      {"§2.2: not there", "t ESEARCH IN (selected-delayed) ALL", "BAD: Unknown option"},
      {"no scope options", "t ESEARCH IN (personal (x)) ALL", "BAD: Unknown option"},
      {"none", "t ESEARCH IN () ALL", "BAD: Unknown option"},
      {"a name is needed", "t ESEARCH IN (subtree) ALL", "BAD: Invalid argument"},
  };
  check(rows);
}

TEST_CASE("imap: search") {
  const row rows[] = {
      {"RFC 9051 §6.4.4", R"(a SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM "Smith")", "search and(flags_set:4 since=8797 not(from'Smith'))"},
      {"all flags", "a SEARCH ANSWERED DELETED DRAFT FLAGGED SEEN", "search and(flags_set:2 flags_set:8 flags_set:16 flags_set:4 flags_set:1)"},
      {"their contraries", "a SEARCH UNANSWERED UNDELETED UNDRAFT UNFLAGGED UNSEEN", "search and(flags_clear:2 flags_clear:8 flags_clear:16 flags_clear:4 flags_clear:1)"},
      {"RFC 3501: NEW is RECENT UNSEEN, OLD is NOT RECENT", "a SEARCH NEW OLD RECENT", "search and(and(recent flags_clear:1) not(recent) recent)"},
      {"a keyword in quotes", R"(a SEARCH KEYWORD "$Junk" SEEN)", "search and(keyword'$Junk' flags_set:1)"},
      {"what no keyword can be", R"(a SEARCH KEYWORD "a b")", "BAD: Invalid flag"},
      {"nor this", R"(a SEARCH UNKEYWORD "")", "BAD: Invalid flag"},
      {"keywords", "a SEARCH KEYWORD $Junk UNKEYWORD x", "search and(keyword'$Junk' not(keyword'x'))"},
      {"OR of lists", "a SEARCH OR (SEEN DRAFT) (ALL)", "search and(or(and(flags_set:1 flags_set:16) and(all)))"},
      {"sets", "a SEARCH 1:3,* UID 5:* $", "search and(sequence#1:3,* uid#5:* sequence#$)"},
      {"sizes", "a SEARCH LARGER 0 SMALLER 4294967296", "search and(larger smaller=4294967296)"},
      {"dates in quotes, two digits", R"(a SEARCH ON "02-Mar-1999" BEFORE 31-dec-1970)", "search and(on=10652 before=364)"},
      {"sent dates", "a SEARCH SENTBEFORE 1-Jan-1970 SENTON 2-Jan-1970 SENTSINCE 3-Jan-1970", "search and(sent_before sent_on=1 sent_since=2)"},
      {"texts", "a SEARCH BCC a BODY b CC c SUBJECT d TEXT e TO f", "search and(bcc'a' body'b' cc'c' subject'd' text'e' to'f')"},
      {"header", R"(a SEARCH HEADER Message-ID "" HEADER x y)", "search and(header Message-ID header x'y')"},
      {"RFC 5032", "a SEARCH YOUNGER 259200 OLDER 1", "search and(younger=259200 older=1)"},
      {"RFC 7162 §3.1.5", R"(a SEARCH MODSEQ "/flags/\\draft" all 620162338 MODSEQ 7)", "search and(modseq=620162338 modseq=7)"},
      {"RFC 9738 §3.2", "a UID SEARCH UIDAFTER 25000 UIDBEFORE 4294967295", "uid search and(uid_after=25000 uid_before=4294967295)"},
      {"RFC 9738 §4: a UID is no zero", "a SEARCH UIDAFTER 0", "BAD: Invalid number"},
      {"RFC 8474 §6", "a SEARCH EMAILID M1 THREADID T1", "search and(email_id'M1' thread_id'T1')"},
      {"RFC 8514 §4.4", "a SEARCH SAVEDSINCE 28-Dec-2014", "search and(saved_since=16432)"},
      {"RFC 9051 §6.4.4 literal", "a SEARCH CHARSET UTF-8 TEXT {12}\r\n\xD0\xBC\xD0\xB0\xD0\xBC\xD0\xB0\xD0\xBC\xD0\xB0",
       "search and(text'\xD0\xBC\xD0\xB0\xD0\xBC\xD0\xB0\xD0\xBC\xD0\xB0')"},
      {"another charset is converted", "a SEARCH CHARSET ISO-8859-1 SUBJECT {4}\r\nB\xFC" "ro", "search and(subject'B\xC3\xBCro')"},
      {"unknown charset", "a SEARCH CHARSET X-NOPE ALL", "BAD: Unknown charset"},
      {"RFC 6203 §3", R"(a SEARCH FUZZY (SUBJECT x FROM "y z") BODY b)", "search and(~and(~subject'x' ~from'y z') body'b')"},
      {"RFC 6203 §3, one key", "a SEARCH FUZZY SUBJECT work FROM u", "search and(~subject'work' from'u')"},
      {"RFC 6203 §3, under NOT", "a SEARCH NOT FUZZY OR TEXT a TEXT b SEEN", "search and(not(~or(~text'a' ~text'b')) flags_set:1)"},
      {"RFC 6203 §4", "a SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT Helo", "search return132 and(~text'Helo')"},
      {"RFC 6203 §4: not without FUZZY", "a SEARCH RETURN (RELEVANCY ALL) TEXT Helo", "BAD: Unknown option"},
      {"RFC 6203 §6", "a SORT RETURN (RELEVANCY PARTIAL 1:10) (RELEVANCY) UTF-8 FUZZY TEXT World", "sort +9 search return160 1:10 and(~text'World')"},
      {"RFC 6203 §6: not without FUZZY", "a SORT (RELEVANCY) UTF-8 TEXT World", "BAD: Unknown option"},
      {"FUZZY needs one", "a SEARCH FUZZY", "BAD: Argument missing"},
      {"RFC 4731 §3.1", "a SEARCH RETURN (MIN COUNT) FLAGGED", "search return9 and(flags_set:4)"},
      {"no option means ALL", "a SEARCH RETURN () ALL", "search return4 and(all)"},
      {"RFC 5182", "a UID SEARCH RETURN (SAVE MAX) 1", "uid search return18 and(sequence#1)"},
      {"unknown key", "a SEARCH FROB", "BAD: Unknown search key"},
      {"no key", "a SEARCH", "BAD: Argument missing"},
      {"NOT needs one", "a SEARCH NOT", "BAD: Argument missing"},
      {"OR needs two", "a SEARCH OR ALL", "BAD: Argument missing"},
      {"no empty list", "a SEARCH ()", "BAD: Unknown search key"},
      {"no such day", "a SEARCH ON 30-Feb-2000", "BAD: Invalid date"},
      {"four digits", "a SEARCH ON 1-Feb-94", "BAD: Invalid date"},
      {"WITHIN needs a number above 0", "a SEARCH OLDER 0", "BAD: Invalid number"},
      {"space at the end", "a SEARCH ALL ", "search and(all)"},
      {"spaces in a list", "a SEARCH ( SEEN  FLAGGED )", "search and(and(flags_set:1 flags_set:4))"},
  };
  check(rows);
}

namespace {

// "begin …", "url …" of each action, then where it ends.
std::string parse_append(std::string_view in, imap::append_place place, bool at_literal) {
  const auto block = std::make_unique<char[]>(in.size());
  in.copy(block.get(), in.size());
  imap::arena memory;
  const auto parsed = imap::parse_append({block.get(), in.size()}, place, false, at_literal, {}, memory);
  if (!parsed) return "BAD: " + parsed.error().message();
  std::string out;
  for (const auto& action : parsed->actions) {
    const auto& p = action.piece;
    if (action.what == imap::append_action::kind::url) {
      out += "url " + std::string(action.url) + ", ";
      continue;
    }
    out += std::string(p.mailbox) + " " + imap_test::text_of(p.flags) + " " +
           (p.internal_date ? std::to_string(*p.internal_date) : "-") + (p.binary ? " binary" : "") +
           (p.catenated ? " catenated" : "") + (p.replaced ? " replaces " + imap_test::text_of(*p.replaced) : "") + ", ";
  }
  const char* const stops[] = {"collect", "literal", "end"};
  const char* const places[] = {"mailbox", "replaced", "message", "part", "utf8"};
  return out + stops[static_cast<int>(parsed->ends)] + " " + places[static_cast<int>(parsed->next)];
}

}  // namespace

TEST_CASE("imap: arguments of APPEND and REPLACE") {
  using enum imap::append_place;
  struct append_row {
    const char* why;
    std::string_view in;
    imap::append_place place;
    bool at_literal;
    std::string_view out;
  };
  const append_row rows[] = {
      {"RFC 9051 §6.3.12", R"( saved-messages (\Seen) )", mailbox, true, "saved-messages 1 -, literal message"},
      {"bare", " INBOX ", mailbox, true, "INBOX 0 -, literal message"},
      {"the mailbox is the literal", " ", mailbox, true, "collect mailbox"},
      {"mailbox was a literal", " {5}\r\na b/c ", mailbox, true, "a b/c 0 -, literal message"},
      {"date", R"( x " 7-Nov-2026 10:15:00 +0100" )", mailbox, true, "x 0 1794042900, literal message"},
      {"all", R"( x ($Junk \draft) "17-Jul-1996 02:44:25 -0700" ~)", mailbox, true, "x 16+$Junk 837596665 binary, literal message"},
      {"RFC 3502", R"( (\Seen) )", message, true, " 1 -, literal message"},
      {"RFC 3502 bare", " ", message, true, " 0 -, literal message"},
      {"RFC 3502: the end", "", message, false, "end message"},
      {"RFC 8508", " 4 Drafts ", replaced, true, "Drafts 0 - replaces 4, literal message"},
      {"RFC 8508: one message", " 4:5 Drafts ", replaced, true, "BAD: Invalid message set"},
      {"RFC 4469", " x CATENATE (URL \"/a/;UID=1\" TEXT ", mailbox, true, "x 0 - catenated, url /a/;UID=1, literal part"},
      {"RFC 4469: no literal", " x CATENATE (URL /a/;UID=1)", mailbox, false, "x 0 - catenated, url /a/;UID=1, end message"},
      {"RFC 4469: the URL is a literal", " x CATENATE (URL ", mailbox, true, "x 0 - catenated, collect part"},
      {"RFC 4469: after a text", " URL a URL b TEXT ", part, true, "url a, url b, literal part"},
      {"RFC 4469: the end", ")", part, false, "end message"},
      {"RFC 4469 and 3502", ") (\\Seen) CATENATE (URL a)", part, false, " 1 - catenated, url a, end message"},
      {"RFC 4469: no part", " x CATENATE ()", mailbox, false, "BAD: Invalid argument"},
      {"RFC 4469: no end", " x CATENATE (URL a", mailbox, false, "BAD: Argument missing"},
      {"RFC 6855 §4", " x UTF8 (~", mailbox, true, "x 0 - binary, literal utf8"},
      {"RFC 6855 §4: the end", ")", utf8, false, "end message"},
      {"RFC 6855 §4: literal8 only", " x UTF8 (", mailbox, true, "BAD: Invalid argument"},
      {"no message", " x", mailbox, false, "BAD: Argument missing"},
      {"no space before the literal", " x", mailbox, true, "BAD: Argument missing"},
      {"no space at all", "", mailbox, true, "BAD: Argument missing"},
      {"octets behind the message", "x", message, false, "BAD: Invalid argument"},
      {"date that does not exist", R"( x "31-Feb-2026 10:15:00 +0100" )", mailbox, true, "BAD: Invalid date"},
      {"hour that does not exist", R"( x "01-Feb-2026 24:15:00 +0100" )", mailbox, true, "BAD: Invalid date"},
      {"order of flags and date", R"( x "01-Feb-2026 20:15:00 +0100" (\Seen) )", mailbox, true, "BAD: Invalid argument"},
      {"date cut", R"( x "01-Feb-2)", mailbox, true, "BAD: Invalid date"},
  };
  for (const auto& [why, in, place, at_literal, out] : rows) {
    CAPTURE(why);
    CHECK(parse_append(in, place, at_literal) == out);
    for (std::size_t cut = 0; cut < in.size(); ++cut) static_cast<void>(parse_append(in.substr(0, cut), place, at_literal));
  }
}

TEST_CASE("imap: announcements of literals") {
  struct literal_row {
    const char* why;
    std::string_view line;
    std::int64_t size;  // -1: none
    bool synchronising = true, binary = false;
  };
  const literal_row rows[] = {
      {"RFC 9051 §4.3", "a LOGIN {11}", 11},
      {"RFC 7888 §3", "a LOGIN {11+}", 11, false},
      {"RFC 3516", "a APPEND x ~{0}", 0, true, true},
      {"a closing brace alone", "a LOGIN x}", -1},
      {"no number", "a LOGIN {}", -1},
      {"no number", "a LOGIN {+}", -1},
      {"a minus is no form", "a LOGIN {1-}", -1},
      {"not at the end", "a LOGIN {1} x", -1},
      {"past 63 bits counts as the largest", "a APPEND {99999999999999999999}", std::numeric_limits<std::int64_t>::max()},
      {"only a number", "1}", -1},
      {"shortest", "{1}", 1},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    const auto mark = imap::find_literal(row.line);
    CHECK(mark.has_value() == (row.size >= 0));
    if (!mark) continue;
    CHECK(static_cast<std::int64_t>(mark->size) == row.size);
    CHECK(mark->synchronising == row.synchronising);
    CHECK(mark->binary == row.binary);
  }
}

TEST_CASE("imap: floods are bounded") {
  const auto repeat = [](std::string_view text, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += text;
    return out;
  };
  struct flood {
    const char* why;
    std::string in, out;
  };
  const flood rows[] = {
      {"nested lists", "a SEARCH " + repeat("(", 10000), "BAD: Nested too deep"},
      {"nested NOT", "a SEARCH " + repeat("NOT ", 10000) + "ALL", "BAD: Nested too deep"},
      {"nested OR", "a SEARCH " + repeat("OR ALL ", 5000) + "ALL", "BAD: Nested too deep"},
      {"many keys", "a SEARCH" + repeat(" ALL", 10000), "BAD: Too many elements"},
      {"large set", "a FETCH 1" + repeat(",1", 30000) + " FLAGS", "BAD: Too many elements"},
      {"deep part", "a FETCH 1 BODY[1" + repeat(".1", 5000) + "]", "BAD: Nested too deep"},
      {"many flags", "a STORE 1 FLAGS (x" + repeat(" x", 5000) + ")", "BAD: Too many elements"},
      {"many patterns", "a LIST \"\" (x" + repeat(" x", 5000) + ")", "BAD: Too many elements"},
      {"many fields of ID", "a ID (\"a\" NIL" + repeat(" \"a\" NIL", 50) + ")", "BAD: Too many elements"},
      {"many capabilities", "a ENABLE" + repeat(" x", 5000), "BAD: Too many elements"},
      {"long tag", std::string(300, 'a') + " NOOP", "BAD: A command begins with a tag"},
  };
  for (const auto& [why, in, out] : rows) {
    CAPTURE(why);
    CHECK(parse(in) == out);
  }
  CHECK(parse("a FETCH 1 (FLAGS" + repeat(" FLAGS", 5000) + ")") == "fetch 1 flags");
  CHECK(parse("a FETCH 1 (FLAGS" + repeat(" BODY[]", 5000) + ")").size() > 10000);
}

TEST_CASE("imap: a typical command needs no memory but the inline block") {
  // The arena's first block is inline: an address inside the object shows that nothing was allocated.
  imap::arena memory;
  const std::string_view line = "a UID FETCH 1:*,7 (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM TO)])";
  imap::command_head head;
  REQUIRE(imap::parse_head(line, head));
  const auto parsed = imap::parse_command(line, head, {}, memory);
  REQUIRE(parsed);
  const auto* items = reinterpret_cast<const std::byte*>(std::get<imap::fetch_command>(*parsed).items.data());
  const auto* begin = reinterpret_cast<const std::byte*>(&memory);
  CHECK(std::less_equal<>{}(begin, items));
  CHECK(std::less<>{}(items, begin + sizeof memory));
}
