#include "store/mailbox_conformance.hpp"

#include <algorithm>
#include <map>
#include <random>
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

namespace {

// What names() says, in pieces of any size.
std::vector<listed_mailbox> pieces(mailbox_names& from, std::mt19937& random) {
  std::vector<listed_mailbox> all;
  for (;;) {
    const std::size_t most = 1 + random() % 7;
    auto some = sync_wait(from.next(most));
    REQUIRE(some.has_value());
    REQUIRE(some->size() <= most);
    if (some->empty()) return all;
    for (auto& one : *some) all.push_back(std::move(one));
  }
}

bool is_same(const mailbox_info& a, const mailbox_info& b) {
  return a.id == b.id && a.name == b.name && a.use == b.use && a.subscribed == b.subscribed &&
         a.selectable == b.selectable && a.uid_validity == b.uid_validity;
}

void check_pieces(const std::vector<listed_mailbox>& said, const std::vector<mailbox_info>& all) {
  REQUIRE(said.size() == all.size());
  std::set<std::string> with_children, with_subscribed;
  for (const auto& info : all) {
    for (auto cut = info.name.find('/'); cut != info.name.npos; cut = info.name.find('/', cut + 1)) {
      if (info.id != 0) with_children.insert(info.name.substr(0, cut));
      if (info.subscribed) with_subscribed.insert(info.name.substr(0, cut));
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(all[i].name);
    CHECK(is_same(said[i].info, all[i]));
    CHECK(said[i].has_children == with_children.contains(all[i].name));
    CHECK(said[i].has_subscribed_below == with_subscribed.contains(all[i].name));
  }
}

}  // namespace

void conforms_in_names_by_pieces(const mailbox_factory& make) {
  bench b(make);
  CHECK(sync_wait(b.store.names("nobody")).error() == errc::no_such_account);
  std::mt19937 random(31);
  // What stands before and behind '/', and begins alike.
  const std::string_view levels[] = {"a", "b", "a b", "a!", "a0", "ab", "A", "INBOX"};
  const auto some_name = [&] {
    std::string name(levels[random() % std::size(levels)]);
    for (unsigned depth = random() % 4; depth > 0; --depth) name.append("/").append(levels[random() % std::size(levels)]);
    return name;
  };
  // Creates, renames, removes, subscribes.
  const auto change = [&] {
    const std::string name = some_name();
    switch (random() % 6) {
      case 0:
      case 1: static_cast<void>(sync_wait(b.store.create("alice", name, std::nullopt))); break;
      case 2: static_cast<void>(sync_wait(b.store.remove("alice", name))); break;
      case 3: static_cast<void>(sync_wait(b.store.subscribe("alice", name, random() % 3 != 0))); break;
      case 4: static_cast<void>(sync_wait(b.store.rename("alice", name, some_name()))); break;
      default: static_cast<void>(sync_wait(b.store.subscribe("alice", "INBOX", random() % 2 == 0)));
    }
  };
  for (int round = 0; round < 150; ++round) {
    change();
    const auto all = *sync_wait(b.store.list("alice"));
    auto some = sync_wait(b.store.names("alice"));
    REQUIRE(some.has_value());
    // What changes meanwhile is not seen.
    const bool is_disturbed = round % 3 == 0;
    std::vector<listed_mailbox> said;
    if (is_disturbed) {
      auto first = sync_wait((*some)->next(3));
      REQUIRE(first.has_value());
      for (auto& one : *first) said.push_back(std::move(one));
      for (int i = 0; i < 5; ++i) change();
    }
    for (auto& one : pieces(**some, random)) said.push_back(std::move(one));
    check_pieces(said, all);
    CHECK(sync_wait((*some)->next(1))->empty());  // and ends for good
    // A store that has only list() says the same.
    auto whole = sync_wait(b.store.mailbox_store::names("alice"));
    REQUIRE(whole.has_value());
    check_pieces(pieces(**whole, random), *sync_wait(b.store.list("alice")));
  }
}

}  // namespace briefwerk::store::testing
