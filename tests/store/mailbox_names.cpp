#include "store/mailbox_conformance.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox_bench.hpp"

namespace briefwerk::store::testing {

void conforms_in_accounts_and_names(const mailbox_factory& make) {
  bench b(make);
  const list_of_names initial{"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"};
  CHECK(b.names() == initial);
  REQUIRE(sync_wait(b.store.create_account("alice")));  // again: changes nothing
  CHECK(b.names() == initial);
  auto all = *sync_wait(b.store.list("alice"));
  std::map<std::string, std::optional<mail::special_use>> uses;
  std::set<std::uint32_t> validities;
  for (const auto& info : all) {
    uses[info.name] = info.use;
    validities.insert(info.uid_validity);
  }
  CHECK(!uses["INBOX"]);
  CHECK(uses["Sent"] == mail::special_use::sent);
  CHECK(uses["Archive"] == mail::special_use::archive);
  CHECK(validities.size() == all.size());
  CHECK(sync_wait(b.store.list("nobody")).error() == errc::no_such_account);
  CHECK(sync_wait(b.store.create("nobody", "x", std::nullopt)).error() == errc::no_such_account);

  struct row {
    const char* why;
    std::string in;
    std::string stored;  // empty: refused
  };
  std::string deep = "d";
  for (std::size_t i = 0; i < base::limits::imap_mailbox_levels; ++i) deep += "/d";
  const row rows[] = {
      {"plain", "Work", "Work"},
      {"parents come along", "Projects/2026/May", "Projects/2026/May"},
      {"RFC 9051 §5.1 INBOX in any case", "inBox/sub", "INBOX/sub"},
      {"only the first level is INBOX", "x/inbox", "x/inbox"},
      {"a longer first level is another name", "inboxes", "inboxes"},
      {"UTF-8", "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe"},
      {"RFC 9051 §5.1 Net-Unicode: NFC", "u\xcc\x88", "\xc3\xbc"},
      {"spaces and quotes are ordinary", " a \"b\" \\ ", " a \"b\" \\ "},
      {"empty", "", ""},
      {"empty first level", "/a", ""},
      {"empty last level", "a/", ""},
      {"empty level", "a//b", ""},
      {"control character", "a\x01", ""},
      {"line end", "a\r\nb", ""},
      {"DEL", "a\x7f", ""},
      {"C1 control", "a\xc2\x85", ""},
      {"line separator", "a\xe2\x80\xa8", ""},
      {"not UTF-8", "a\xff", ""},
      {"cut UTF-8", "a\xc3", ""},
      {"as long as may be", std::string(base::limits::imap_mailbox_name, 'n'), std::string(base::limits::imap_mailbox_name, 'n')},
      {"too long", std::string(base::limits::imap_mailbox_name + 1, 'n'), ""},
      {"too deep", deep, ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    auto made = sync_wait(b.store.create("alice", row.in, std::nullopt));
    CHECK(made.has_value() == !row.stored.empty());
    if (!made) {
      CHECK(made.error() == errc::bad_mailbox_name);
      continue;
    }
    CHECK(made->name == row.stored);
    CHECK(validities.insert(made->uid_validity).second);
    CHECK(b.id(row.in) == made->id);
    CHECK(sync_wait(b.store.create("alice", row.in, std::nullopt)).error() == errc::mailbox_exists);
  }
  CHECK(sync_wait(b.store.find("alice", "Projects/2026"))->selectable);
  CHECK(sync_wait(b.store.find("alice", "Nothing")).error() == errc::no_such_mailbox);
  CHECK(sync_wait(b.store.create("alice", "inbox", std::nullopt)).error() == errc::mailbox_exists);
  CHECK(sync_wait(b.store.create("alice", "All", mail::special_use::all))->use == mail::special_use::all);
  CHECK(sync_wait(b.store.find("alice", "All"))->use == mail::special_use::all);

  REQUIRE(sync_wait(b.store.subscribe("alice", "Elsewhere/Later", true)));
  auto names = b.names();
  CHECK(std::ranges::count(names, "Elsewhere/Later noselect") == 1);
  REQUIRE(sync_wait(b.store.subscribe("alice", "Elsewhere/Later", false)));
  names = b.names();
  CHECK(std::ranges::count(names, "Elsewhere/Later noselect") == 0);

  REQUIRE(sync_wait(b.store.create_account("bob")));
  CHECK(b.names("bob") == initial);
  b.put("for bob", {.account = "bob"});
  REQUIRE(sync_wait(b.store.remove_account("bob")));
  CHECK(sync_wait(b.store.list("bob")).error() == errc::no_such_account);
  CHECK(sync_wait(b.store.usage("bob"))->used_messages == 0);
  CHECK(b.look("INBOX")->count() == 0);
}

void conforms_in_renaming_and_removing(const mailbox_factory& make) {
  bench b(make);
  auto& store = b.store;
  REQUIRE(sync_wait(store.create("alice", "a/b/c", std::nullopt)));
  const auto c = b.id("a/b/c");
  b.put("in c", {.account = "alice", .mailbox = "a/b/c"});
  REQUIRE(sync_wait(store.subscribe("alice", "a/b/c", true)));
  REQUIRE(sync_wait(store.rename("alice", "a/b", "x/y/z")));
  CHECK(b.id("x/y/z/c") == c);
  CHECK(b.look("x/y/z/c")->count() == 1);
  CHECK(sync_wait(store.find("alice", "a/b/c")).error() == errc::no_such_mailbox);
  CHECK(sync_wait(store.find("alice", "x/y"))->selectable);
  CHECK(!sync_wait(store.find("alice", "x/y/z/c"))->subscribed);
  auto names = b.names();  // RFC 9051 §6.3.8: the subscription is not taken away
  CHECK(std::ranges::count(names, "a/b/c noselect") == 1);

  struct row {
    const char* why;
    const char* from;
    const char* to;
    errc error;
  };
  const row rows[] = {
      {"nothing there", "nope", "other", errc::no_such_mailbox},
      {"taken", "a", "x", errc::mailbox_exists},
      {"taken by INBOX", "a", "inbox", errc::mailbox_exists},
      {"to itself", "a", "a", errc::mailbox_exists},
      {"below itself", "x", "x/new", errc::bad_mailbox_name},
      {"bad name", "a", "a//b", errc::bad_mailbox_name},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(sync_wait(store.rename("alice", row.from, row.to)).error() == row.error);
  }

  // RFC 9051 §6.3.6: INBOX stays, its messages move, its children stay.
  REQUIRE(sync_wait(store.create("alice", "INBOX/child", std::nullopt)));
  const auto inbox = b.id("INBOX");
  b.put("one");
  b.put("two");
  REQUIRE(sync_wait(store.rename("alice", "INBOX", "Old/Mail")));
  CHECK(b.id("INBOX") == inbox);
  CHECK(b.look("INBOX")->count() == 0);
  CHECK(b.look("INBOX")->uid_next == 3);
  CHECK(b.look("Old/Mail")->count() == 2);
  CHECK(sync_wait(store.find("alice", "INBOX/child")));
  auto kept = sync_wait(store.summaries("alice", b.id("Old/Mail"), 1, 9, 9));
  REQUIRE(kept);
  REQUIRE(kept->rows.size() == 2);
  CHECK(kept->rows[1].summary == "summary of two");

  // RFC 9051 §6.3.5: with children a name that cannot be selected is left.
  CHECK(sync_wait(store.remove("alice", "inbox")).error() == errc::not_permitted);
  CHECK(sync_wait(store.remove("alice", "nope")).error() == errc::no_such_mailbox);
  const auto used = sync_wait(store.usage("alice"))->used_messages;
  b.put("in parent", {.account = "alice", .mailbox = "x/y/z"});
  REQUIRE(sync_wait(store.remove("alice", "x/y/z")));
  CHECK(sync_wait(store.usage("alice"))->used_messages == used);
  auto husk = sync_wait(store.find("alice", "x/y/z"));
  REQUIRE(husk);
  CHECK(!husk->selectable);
  CHECK(sync_wait(store.remove("alice", "x/y/z")).error() == errc::has_children);
  REQUIRE(sync_wait(store.remove("alice", "x/y/z/c")));
  CHECK(sync_wait(store.snapshot("alice", c)).error() == errc::no_such_mailbox);
  CHECK(sync_wait(store.status("alice", c)).error() == errc::no_such_mailbox);
  REQUIRE(sync_wait(store.create("alice", "x/y/z", std::nullopt)));  // the name can become a mailbox again
  CHECK(sync_wait(store.find("alice", "x/y/z"))->selectable);
  REQUIRE(sync_wait(store.remove("alice", "x/y/z")));
  CHECK(sync_wait(store.find("alice", "x/y/z")).error() == errc::no_such_mailbox);

  // RFC 9051 §2.3.1.1: a name that comes back has a greater UIDVALIDITY, even when the clock stands still.
  const auto before = sync_wait(store.create("alice", "again", std::nullopt))->uid_validity;
  REQUIRE(sync_wait(store.remove("alice", "again")));
  CHECK(sync_wait(store.create("alice", "again", std::nullopt))->uid_validity > before);
}

}  // namespace briefwerk::store::testing
