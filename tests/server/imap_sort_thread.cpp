// SORT and THREAD: the pure parts, and the answers of a session.

#include <random>

#include "imap_support.hpp"
#include "server/imap/thread_tree.hpp"

namespace imap = briefwerk::server::imap;
namespace wire = briefwerk::protocol::imap;
namespace mail = briefwerk::mail;
namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

namespace {

struct thread_row {
  std::int64_t sent = 0;
  std::string_view subject;
  bool is_reply = false;
  std::string_view id;
  std::vector<std::string_view> references;
};

std::string threads(const std::vector<thread_row>& rows, bool by_references) {
  imap::thread_tree tree;
  std::uint32_t number = 0;
  for (const auto& row : rows) {
    const imap::thread_message message{++number, row.sent, row.subject, row.is_reply, row.id, row.references};
    by_references ? tree.add_by_references(message) : tree.add_by_subject(message);
  }
  return by_references ? tree.by_references() : tree.by_subject();
}

}  // namespace

TEST_CASE("THREAD=REFERENCES, RFC 5256 §3") {
  struct row {
    const char* why;
    std::vector<thread_row> messages;
    std::string_view out;
  };
  const row rows[] = {
      {"nothing", {}, ""},
      {"no relation", {{1, "A", false, "a", {}}, {2, "B", false, "b", {}}}, "(1)(2)"},
      {"an answer below its question", {{1, "A", false, "a", {}}, {2, "A", true, "b", {"a"}}}, "(1 2)"},
      {"an answer that came first", {{2, "A", true, "b", {"a"}}, {1, "A", false, "a", {}}}, "(2 1)"},
      {"two answers", {{1, "A", false, "a", {}}, {2, "A", true, "b", {"a"}}, {3, "A", true, "c", {"a"}}}, "(1 (2)(3))"},
      {"siblings by date",
       {{1, "A", false, "a", {}}, {9, "A", true, "b", {"a"}}, {3, "A", true, "c", {"a"}}},
       "(1 (3)(2))"},
      {"equal dates by number",
       {{1, "A", false, "a", {}}, {3, "A", true, "b", {"a"}}, {3, "A", true, "c", {"a"}}},
       "(1 (2)(3))"},
      {"step 3: one child of what is not there stands for it", {{1, "A", true, "b", {"x"}}}, "(1)"},
      {"step 3: two children stay together", {{1, "A", true, "b", {"x"}}, {2, "B", true, "c", {"x"}}}, "((1)(2))"},
      {"step 3: what is missing in the middle", {{1, "A", false, "a", {}}, {2, "A", true, "c", {"a", "b"}}}, "(1 2)"},
      {"step 1: a message with the id of another has one of its own",
       {{1, "A", false, "a", {}}, {2, "B", false, "a", {}}},
       "(1)(2)"},
      {"step 1: no id", {{1, "A", false, "", {}}, {2, "B", false, "", {}}}, "(1)(2)"},
      {"step 1: no loop", {{1, "A", false, "a", {"b"}}, {2, "B", false, "b", {"a"}}}, "(2 1)"},
      {"step 1: not below itself", {{1, "A", false, "a", {"a"}}}, "(1)"},
      {"step 1 (A): references link what nobody answered before",
       {{1, "A", false, "a", {}}, {2, "B", false, "b", {}}, {3, "C", true, "c", {"a", "b"}}},
       "(1 2 3)"},
      {"step 1 (B): what a message says of itself counts more",
       {{1, "A", false, "a", {}},
        {2, "B", false, "b", {}},
        {3, "D", true, "d", {"a", "c"}},
        {4, "C", true, "c", {"b"}}},
       "(1)(2 4 3)"},
      {"step 1 (B): the old link goes even where the new one would be a loop",
       {{3, "A", false, "a", {}}, {1, "B", true, "b", {"a", "c"}}, {2, "C", true, "c", {"b"}}},
       "(3 2)(1)"},
      {"step 5: one subject, an answer without references",
       {{1, "A", false, "a", {}}, {2, "A", true, "b", {}}},
       "(1 2)"},
      {"step 5: the answer came first", {{1, "A", true, "a", {}}, {2, "A", false, "b", {}}}, "(2 1)"},
      {"step 5: two questions with one subject", {{1, "A", false, "a", {}}, {2, "A", false, "b", {}}}, "((1)(2))"},
      {"step 5: three of them",
       {{1, "A", false, "a", {}}, {2, "A", false, "b", {}}, {3, "A", false, "c", {}}},
       "((1)(2)(3))"},
      {"step 5: no subject is no relation", {{1, "", false, "a", {}}, {2, "", false, "b", {}}}, "(1)(2)"},
      {"step 5: both stand-ins",
       {{1, "A", true, "b", {"x"}}, {2, "A", true, "c", {"x"}}, {3, "A", true, "d", {"y"}}, {4, "A", true, "e", {"y"}}},
       "((1)(2)(3)(4))"},
      {"step 6: threads by date", {{5, "A", false, "a", {}}, {2, "B", false, "b", {}}}, "(2)(1)"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(threads(row.messages, true) == row.out);
  }
}

TEST_CASE("THREAD=ORDEREDSUBJECT, RFC 5256 §3") {
  CHECK(threads({}, false) == "");
  CHECK(threads({{1, "A", false, "", {}}, {2, "B", false, "", {}}, {3, "A", true, "", {}}}, false) == "(1 3)(2)");
  CHECK(threads({{9, "A", false, "", {}}, {2, "B", false, "", {}}, {3, "A", true, "", {}}, {4, "A", true, "", {}}},
                false) == "(2)(3 (4)(1))");
}

TEST_CASE("threads of any references hold every message once") {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    const unsigned count = random() % 40;
    std::vector<std::string> ids;
    for (unsigned i = 0; i < 20; ++i) ids.push_back("id" + std::to_string(i));
    imap::thread_tree tree;
    for (unsigned i = 1; i <= count; ++i) {
      imap::thread_message message;
      message.number = i;
      message.sent = static_cast<std::int64_t>(random() % 10);
      message.base_subject = ids[random() % 5];
      message.is_reply = random() % 2 == 0;
      if (random() % 4 != 0) message.message_id = ids[random() % ids.size()];
      for (unsigned r = random() % 5; r > 0; --r) message.references.push_back(ids[random() % ids.size()]);
      tree.add_by_references(message);
    }
    const std::string out = tree.by_references();
    std::vector<unsigned> seen(count + 1);
    int depth = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      depth += out[i] == '(' ? 1 : out[i] == ')' ? -1 : 0;
      CHECK(depth >= 0);
      if (out[i] < '0' || out[i] > '9') continue;
      std::size_t end = 0;
      const auto number = std::stoul(out.substr(i), &end);
      REQUIRE(number <= count);
      ++seen[number];
      i += end - 1;
    }
    CHECK(depth == 0);
    for (unsigned i = 1; i <= count; ++i) CHECK(seen[i] == 1);
  }
}

TEST_CASE("a chain of very many answers") {
  imap::thread_tree tree;
  std::vector<std::string> ids;
  for (unsigned i = 0; i <= 50000; ++i) ids.push_back("id" + std::to_string(i));
  // From the end, so that each is looked at from below.
  for (unsigned i = 50000; i > 0; --i) {
    imap::thread_message message;
    message.number = 50001 - i;
    message.message_id = ids[i];
    message.references = {ids[i - 1]};
    tree.add_by_references(message);
  }
  const std::string out = tree.by_references();
  CHECK(out.starts_with("(50000 49999 "));
  CHECK(out.find(')') == out.size() - 1);
}

namespace {

std::string text_of(std::string_view from, std::string_view subject, std::string_view date,
                    std::string_view more = "") {
  return "From: " + std::string(from) + "\r\nTo: x@example.org\r\nSubject: " + std::string(subject) +
         "\r\nDate: " + std::string(date) + "\r\n" + std::string(more) + "\r\nbody\r\n";
}

}  // namespace

TEST_CASE("SORT, THREAD and ESORT in a session") {
  house home;
  client c(home);
  c.login();
  c.append("INBOX", text_of("carl@example.org", "b", "Mon, 5 Jan 2026 10:00:00 +0000", "Message-ID: <1@x>\r\n"));
  c.append("INBOX", text_of("Bea <zz@example.org>", "Re: B", "Mon, 5 Jan 2026 09:00:00 +0000",
                            "Message-ID: <2@x>\r\nReferences: <1@x>\r\n"));
  c.append("INBOX", text_of("=?utf-8?q?=C3=84nne?= <anna@example.org>", "a", "Mon, 5 Jan 2026 11:00:00 +0000"));
  c.command("SELECT INBOX");
  struct row {
    const char* why;
    std::string_view command, answer;
  };
  const row rows[] = {
      {"RFC 5256 §3", "SORT (SUBJECT) UTF-8 ALL", "* SORT 3 1 2"},
      {"mailbox of the first address", "SORT (FROM) US-ASCII ALL", "* SORT 3 1 2"},
      {"RFC 5957: the name where there is one", "SORT (DISPLAYFROM) UTF-8 ALL", "* SORT 3 2 1"},
      {"UID SORT", "UID SORT (REVERSE DATE) UTF-8 ALL", "* SORT 3 1 2"},
      {"nothing found", "SORT (DATE) UTF-8 SUBJECT nothing", "* SORT"},
      {"RFC 5267 §3: MIN is the first in the order", "SORT RETURN (MIN MAX COUNT) (DATE) UTF-8 ALL",
       " MIN 2 MAX 3 COUNT 3"},
      {"RFC 5267 §3: ALL keeps the order", "SORT RETURN (ALL) (DATE) UTF-8 ALL", " ALL 2,1,3"},
      {"RFC 5267 §4.4", "SORT RETURN (PARTIAL 2:5) (DATE) UTF-8 ALL", " PARTIAL (2:5 1,3)"},
      {"RFC 9394 §3.1: from the end", "UID SEARCH RETURN (PARTIAL -1:-2) ALL", " UID PARTIAL (-1:-2 2:3)"},
      {"RFC 9394 §4: a range written backwards is the same", "UID SEARCH RETURN (PARTIAL -2:-1) ALL", " UID PARTIAL (-1:-2 2:3)"},
      {"RFC 9394 §3.1: nothing there", "SEARCH RETURN (PARTIAL 7:9) ALL", " PARTIAL (7:9 NIL)"},
      {"RFC 9394 §3.1: one of PARTIAL and ALL", "SEARCH RETURN (PARTIAL 1:2 ALL) ALL", " BAD "},
      {"RFC 5256 §3", "THREAD REFERENCES UTF-8 ALL", "* THREAD (1 2)(3)"},
      {"RFC 5256 §3", "THREAD ORDEREDSUBJECT UTF-8 ALL", "* THREAD (2 1)(3)"},
      {"charset", "SORT (DATE) X-NONE ALL", " NO [BADCHARSET"},
      {"RFC 9394 §3.3", "UID FETCH 1:* (FLAGS) (PARTIAL -1:-1)", "* 3 FETCH (UID 3 FLAGS (\\Recent))"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    const auto said = c.command(row.command);
    CHECK_MESSAGE(has_part(said, row.answer), t::all_of(said));
  }
  CHECK_FALSE(has_part(c.command("UID FETCH 1:* (FLAGS) (PARTIAL -1:-1)"), "UID 2"));
}

TEST_CASE("results that are kept up to date, RFC 5267 §4.3") {
  house home;
  client c(home), other(home);
  c.login();
  other.login();
  for (int i = 0; i < 4; ++i) c.append("INBOX", t::first_message);
  c.command("SELECT INBOX");
  other.command("SELECT INBOX");
  c.send("w SEARCH RETURN (UPDATE COUNT) UNSEEN\r\n");
  CHECK(has_part(c.until("w"), "(TAG \"w\") COUNT 4"));
  c.send("w SEARCH RETURN (UPDATE) SEEN\r\n");
  CHECK(has_part(c.until("w"), "w BAD"));
  c.send("u UID SEARCH RETURN (UPDATE) BODY hello SEEN\r\n");
  c.until("u");
  // By this session and by another.
  auto said = c.command("STORE 2:3 +FLAGS (\\Seen)");
  CHECK_MESSAGE(has_line(said, "* ESEARCH (TAG \"w\") REMOVEFROM (0 2:3)"), t::all_of(said));
  CHECK(has_line(said, "* ESEARCH (TAG \"u\") UID ADDTO (0 2:3)"));
  other.command("STORE 4 +FLAGS (\\Seen)");
  CHECK(has_line(c.command("NOOP"), "* ESEARCH (TAG \"u\") UID ADDTO (0 4)"));
  // §4.3.4: before the EXPUNGE, by the numbers before it.
  c.command("STORE 1:2 +FLAGS.SILENT (\\Deleted)");
  said = c.command("EXPUNGE");
  CHECK_MESSAGE(has_line(said, "* ESEARCH (TAG \"w\") REMOVEFROM (0 1)"), t::all_of(said));
  CHECK(said.front().starts_with("* ESEARCH"));
  // §4.3.3: after the EXISTS.
  other.append("INBOX", t::first_message);
  said = c.command("NOOP");
  CHECK_MESSAGE(has_line(said, "* ESEARCH (TAG \"w\") ADDTO (0 3)"), t::all_of(said));
  CHECK(said.front() == "* 3 EXISTS");
  c.command("CANCELUPDATE \"w\" \"u\"");
  CHECK_FALSE(has_part(c.command("STORE 1:3 -FLAGS (\\Seen)"), "ESEARCH"));
}
