// An account of 20,000 mailboxes: what a client sees of it, and of a change in one of them.

#include <malloc.h>

#include <set>

#include "briefwerk/base/limits/imap.hpp"
#include "imap_support.hpp"

namespace t = briefwerk::server::testing;
using briefwerk::base::sync_wait;
using t::client;
using t::has_line;
using t::house;

TEST_CASE("20,000 mailboxes in one account: LIST, IDLE and NOTIFY") {
  constexpr int count = 20000;
  house home(t::channel::plain, 2);
  for (int i = 0; i < count; ++i) {
    const auto made = sync_wait(home.mail().create(home.alice(), "many/" + std::to_string(i % 100) + "/" + std::to_string(i), std::nullopt));
    REQUIRE(made.has_value());
  }
  client c(home), other(home);
  for (client* one : {&c, &other}) {
    one->login();
    one->command("ENABLE IMAP4rev2");
  }
  const auto all = c.command("LIST \"\" *");
  CHECK(all.size() == count + 100 + 1 + 6 + 1);  // with the parents, the first mailboxes, and OK
  CHECK(all.front().ends_with(" INBOX"));
  CHECK(has_line(all, "* LIST (\\HasNoChildren) \"/\" many/99/19999"));
  CHECK(c.command("LIST \"\" many/%").size() == 101);
  CHECK(c.command("LIST \"\" many/7/%").size() == 201);
  CHECK(c.command("LIST (SUBSCRIBED) \"\" *").size() == 7);
  CHECK(c.command("LIST \"\" many/7/% RETURN (STATUS (MESSAGES))").size() == 401);
  c.command("SELECT many/7/7");
  c.send("i IDLE\r\n");
  CHECK(c.line().starts_with("+"));
  other.append("many/8/8", t::first_message);
  other.append("many/7/7", t::first_message);
  CHECK(c.line() == "* 1 EXISTS");
  c.send("DONE\r\n");
  c.until("i");
  // As many as this are not watched one by one (RFC 5465 §3.1); those below one name are.
  CHECK(c.command("NOTIFY SET (PERSONAL (MessageNew MessageExpunge))").back().find(" NO [NOTIFICATIONOVERFLOW] ") != std::string::npos);
  CHECK(c.command("NOTIFY SET (SUBTREE many/8 (MessageNew MessageExpunge))").back().find(" OK ") != std::string::npos);
  other.append("many/8/8", t::first_message);
  CHECK(c.line() == "* STATUS many/8/8 (MESSAGES 2 UIDNEXT 3)");
  // As many as can be watched; then one more comes (§5.8): it is said, and from then on nothing is told.
  static_assert(briefwerk::base::limits::imap_notify_watched == count);
  for (int i = 99; i < 100 * 108; i += 100) {
    const auto removed = sync_wait(home.mail().remove(home.alice(), "many/99/" + std::to_string(i)));
    REQUIRE(removed.has_value());
  }
  c.command("NOTIFY NONE");
  CHECK(c.command("NOTIFY SET (PERSONAL (MessageNew MessageExpunge))").back().find(" OK ") != std::string::npos);
  other.command("CREATE the/last");  // with its parent two
  CHECK(c.line() == "* OK [NOTIFICATIONOVERFLOW] Too many mailboxes");
  other.append("many/8/8", t::first_message);
  CHECK(c.is_quiet());
  CHECK(c.command("NOTIFY SET (SUBTREE many/8 (MessageNew MessageExpunge))").back().find(" OK ") != std::string::npos);
  other.append("many/8/8", t::first_message);
  CHECK(c.line() == "* STATUS many/8/8 (MESSAGES 4 UIDNEXT 5)");
}

namespace {

std::size_t memory_in_use() { return ::mallinfo2().uordblks; }

}  // namespace

TEST_CASE("100,000 mailboxes in one account: LIST in slices, as of its beginning") {
  constexpr int count = 100000;
  constexpr std::string_view row = "* LIST (\\HasNoChildren) \"/\" ";
  house home;  // all sessions on one thread
  for (int i = 0; i < count; ++i) {
    const auto made = sync_wait(home.mail().create(home.alice(), "n" + std::to_string(i), std::nullopt));
    REQUIRE(made.has_value());
  }
  client c(home), other(home);
  for (client* one : {&c, &other}) one->login();

  // Names that nobody asked for take their time, and the thread's other sessions are served meanwhile.
  c.send("s LIST \"\" x*y%z\r\n");
  int served = 0;
  while (c.is_quiet(std::chrono::milliseconds(0))) {
    other.command("NOOP");
    ++served;
  }
  CHECK(served >= 3);
  CHECK(c.line().starts_with("s OK"));

  // The client does not read, so the answer waits in the server, but not the whole of it.
  const std::size_t before = memory_in_use();
  c.send("l LIST \"\" *\r\n");
  const std::string first = c.line();
  for (int i = 0; i < 3; ++i) other.command("NOOP");
  CHECK(memory_in_use() < before + (2u << 20));
  // What changes now is not told: each name of the beginning is, once.
  other.command("RENAME n99999 a-new-name");
  other.command("RENAME n1 zz-new-name");
  other.command("DELETE n99998");
  other.command("CREATE zz-another");
  auto said = c.until("l");
  CHECK(said.back().starts_with("l OK"));
  said.pop_back();
  said.push_back(first);
  std::set<std::string> told(said.begin(), said.end());
  CHECK(told.size() == said.size());
  CHECK(told.size() == count + 6);
  for (const char* name : {"n1", "n99999", "n99998"}) CHECK(told.contains(std::string(row) + name));
  for (const char* name : {"a-new-name", "zz-new-name", "zz-another"}) CHECK_FALSE(told.contains(std::string(row) + name));
  const auto now = other.command("LIST \"\" *new*");
  CHECK(now.size() == 3);
  CHECK(has_line(now, std::string(row) + "zz-new-name"));
  CHECK(other.command("LIST \"\" (n99999 n99998 n99997)").size() == 2);
}
