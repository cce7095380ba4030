#include "store/mailbox_conformance.hpp"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox_bench.hpp"

namespace briefwerk::store::testing {
namespace {

using list_of_names = std::vector<std::string>;

std::vector<std::string> keywords_of(const mailbox_snapshot& s, const message_entry& e) {
  std::vector<std::string> out;
  for (unsigned slot = 0; slot < s.keywords.size(); ++slot)
    if ((e.flags & mail::keyword_bit(slot)) != 0) out.push_back(s.keywords[slot]);
  return out;
}

}  // namespace

void check_snapshot(const mailbox_snapshot& s) {
  std::uint32_t unseen = 0, deleted = 0, last = 0;
  std::uint64_t size = 0;
  std::size_t index = 0;
  bool ordered = true, placed = true, modseqs = true;
  for (std::size_t i = 0; i < s.pages().size(); ++i) {
    const auto& p = *s.pages()[i];
    REQUIRE(!p.empty());
    CHECK(p.size() <= mailbox_snapshot::page_size);
    CHECK(s.page_start(i) == index);
    for (const auto& e : p) {
      ordered = ordered && e.uid > last;
      last = e.uid;
      placed = placed && &s.at(index) == &e && s.find(e.uid) == &e && s.lower_bound(e.uid) == index;
      modseqs = modseqs && e.modseq <= s.highest_modseq;
      unseen += (e.flags & flags::seen) == 0 ? 1 : 0;
      deleted += (e.flags & flags::deleted) != 0 ? 1 : 0;
      size += e.size;
      ++index;
    }
  }
  CHECK(ordered);
  CHECK(placed);
  CHECK(modseqs);
  CHECK(last < s.uid_next);
  CHECK(s.count() == index);
  CHECK(s.unseen == unseen);
  CHECK(s.deleted == deleted);
  CHECK(s.total_size == size);
  CHECK(s.lower_bound(s.uid_next) == s.count());
  CHECK(s.find(s.uid_next) == nullptr);
}

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

void conforms_in_delivery(const mailbox_factory& make) {
  bench b(make);
  std::vector<local_target> targets;
  for (int i = 0; i < 50; ++i) {
    const std::string account = "user" + std::to_string(i);
    REQUIRE(sync_wait(b.store.create_account(account)));
    targets.push_back({.account = account});
  }
  targets.push_back({.account = "alice", .flags = {flags::seen | flags::flagged, {"$Junk", "bad name"}}, .internal_date = 12345});
  targets.push_back({.account = "alice", .mailbox = "Lists/dev", .create_mailbox = true});
  targets.push_back({.account = "alice", .mailbox = "Missing"});
  targets.push_back({.account = "alice", .mailbox = "Missing", .fall_back_to_inbox = false});
  targets.push_back({.account = "alice", .mailbox = "a//b", .fall_back_to_inbox = false});
  targets.push_back({.account = "nobody"});
  const std::string message = "Subject: x\r\n\r\nbody\r\n";
  auto done = sync_wait(b.store.deliver({message, "the summary"}, targets, {}));
  REQUIRE(done);
  REQUIRE(done->size() == targets.size());
  for (int i = 0; i < 53; ++i) CHECK((*done)[static_cast<std::size_t>(i)]);
  CHECK((*done)[53].error() == errc::no_such_mailbox);
  CHECK((*done)[54].error() == errc::bad_mailbox_name);
  CHECK((*done)[55].error() == errc::no_such_account);
  for (int i = 0; i < 50; ++i) {
    const std::string account = "user" + std::to_string(i);
    const auto seen = b.look(b.id("INBOX", account), account);
    REQUIRE(seen->count() == 1);
    CHECK(sync_wait(b.store.read(seen->at(0).blob))->view() == message);
  }
  const auto inbox = b.look("INBOX");
  REQUIRE(inbox->count() == 2);
  const message_entry& first = inbox->at(0);
  CHECK(first.uid == 1);
  CHECK(first.size == message.size());
  CHECK(first.internal_date == 12345);
  CHECK(first.save_date == 1'700'000'000);
  CHECK((first.flags & flags::system_mask) == (flags::seen | flags::flagged));
  CHECK(keywords_of(*inbox, first) == list_of_names{"$Junk"});
  CHECK(inbox->at(1).internal_date == 1'700'000'000);
  CHECK(inbox->at(1).email_id == first.email_id);
  CHECK(inbox->first_unseen() == 1u);
  CHECK(b.look("Lists/dev")->count() == 1);
  CHECK((*done)[50]->uid_validity == inbox->uid_validity);

  // APPEND is all or nothing.
  CHECK(sync_wait(b.store.append({{"1", ""}, {"2", ""}},
                                 {{.account = "alice"}, {.account = "alice", .mailbox = "no", .fall_back_to_inbox = false}}))
            .error() == errc::no_such_mailbox);
  CHECK(b.look("INBOX")->count() == 2);
  auto three = sync_wait(b.store.append({{"1", ""}, {"2", ""}, {"", ""}}, {{.account = "alice"}, {.account = "alice"}, {.account = "alice"}}));
  REQUIRE(three);
  CHECK((*three)[0].uid == 3);
  CHECK((*three)[2].uid == 5);
  CHECK(sync_wait(b.store.read(b.look("INBOX")->at(4).blob))->view().empty());
  const auto status = sync_wait(b.store.status("alice", b.id("INBOX")));
  REQUIRE(status);
  CHECK(status->messages == 5);
  CHECK(status->unseen == 4);
  CHECK(status->uid_next == 6);
}

void conforms_in_quota(const mailbox_factory& make) {
  bench b(make);
  REQUIRE(sync_wait(b.store.set_quota("alice", {100, 4})));
  const std::string forty(40, 'x');
  b.put(forty);
  b.put(forty);
  auto refused = sync_wait(b.store.deliver({forty, ""}, {{.account = "alice"}}, {}));
  REQUIRE(refused);
  CHECK(refused->front().error() == errc::over_quota);
  CHECK(sync_wait(b.store.append({{forty, ""}}, {{.account = "alice"}})).error() == errc::over_quota);
  b.put(std::string(20, 'y'));  // to the very limit
  auto usage = sync_wait(b.store.usage("alice"));
  REQUIRE(usage);
  CHECK(usage->used_octets == 100);
  CHECK(usage->used_messages == 3);
  CHECK(usage->limits.octets == 100);
  b.put("", {.account = "alice"});
  CHECK(sync_wait(b.store.append({{"", ""}}, {{.account = "alice"}})).error() == errc::over_quota);  // messages
  b.put("reason enough", {.account = "alice", .ignore_quota = true});
  const auto inbox = b.id("INBOX"), trash = b.id("Trash");
  CHECK(sync_wait(b.store.copy("alice", inbox, {{1, 1}}, trash)).error() == errc::over_quota);
  REQUIRE(sync_wait(b.store.move("alice", inbox, {{1, 2}}, trash)));  // takes no room
  b.set(trash, {{1, 2}}, flag_change::add, {flags::deleted, {}});
  REQUIRE(sync_wait(b.store.expunge("alice", trash, std::nullopt)));
  usage = sync_wait(b.store.usage("alice"));
  CHECK(usage->used_octets == 33);
  CHECK(usage->used_messages == 3);
  b.put(std::string(67, 'z'));
  REQUIRE(sync_wait(b.store.set_quota("alice", {})));
  b.put(forty);
}

void conforms_in_annotations(const mailbox_factory& make) {
  bench b(make);
  const auto inbox = b.id("INBOX");
  const auto noted = [&](mailbox_id box, const char* user = "alice") {
    const auto all = sync_wait(b.store.annotations("alice", box, user));
    REQUIRE(all);
    std::string out;
    for (const auto& one : *all) out += one.entry + "=" + one.value + ";";
    return out;
  };
  const auto note = [&](mailbox_id box, std::vector<annotation_change> changes, const char* user = "alice") {
    return sync_wait(b.store.annotate("alice", box, user, std::move(changes)));
  };
  const auto used = [&] { return sync_wait(b.store.usage("alice"))->used_octets; };
  CHECK(noted(inbox).empty());
  REQUIRE(note(inbox, {{"/shared/comment", "all"}, {"/private/comment", std::string("m\0y", 3)}}));
  REQUIRE(note(inbox, {{"/private/comment", "his"}}, "bob"));
  REQUIRE(note(0, {{"/private/vendor/v/a", "own"}}));
  CHECK(noted(inbox) == std::string("/private/comment=m\0y;/shared/comment=all;", 41));
  CHECK(noted(inbox, "bob") == "/private/comment=his;/shared/comment=all;");
  CHECK(noted(0) == "/private/vendor/v/a=own;");
  CHECK(noted(0, "bob").empty());
  CHECK(noted(b.id("Trash")).empty());
  CHECK(used() == 12);

  // All or none, within limits.
  const std::string too_big(base::limits::store_annotation_value + 1, 'x');
  CHECK(note(inbox, {{"/private/a", "1"}, {"/private/b", too_big}}).error() == errc::annotation_too_big);
  std::vector<annotation_change> many;
  for (std::size_t i = 0; i + 3 < base::limits::store_annotations; ++i) many.push_back({"/private/n" + std::to_string(i), ""});
  REQUIRE(note(inbox, many));
  CHECK(note(inbox, {{"/private/comment", "?"}, {"/private/one-more", ""}}).error() == errc::too_many_annotations);
  CHECK(noted(inbox).starts_with(std::string("/private/comment=m\0y;", 21)));
  for (auto& one : many) one.value.reset();
  REQUIRE(note(inbox, many));
  REQUIRE(sync_wait(b.store.set_quota("alice", {14, 0})));
  CHECK(note(inbox, {{"/private/a", "123"}}).error() == errc::over_quota);
  REQUIRE(note(inbox, {{"/private/a", "12"}}));
  REQUIRE(note(inbox, {{"/private/a", std::nullopt}, {"/private/never", std::nullopt}}));
  REQUIRE(sync_wait(b.store.set_quota("alice", {})));
  CHECK(used() == 12);
  CHECK(note(99, {{"/private/a", "1"}}).error() == errc::no_such_mailbox);

  // They follow a mailbox, stay at INBOX, and go with a mailbox (RFC 5464 §4.1).
  REQUIRE(sync_wait(b.store.rename("alice", "INBOX", "old")));
  CHECK(noted(b.id("old"), "bob") == noted(b.id("INBOX"), "bob"));
  CHECK(noted(b.id("old"), "bob") == "/private/comment=his;/shared/comment=all;");
  CHECK(used() == 21);
  REQUIRE(sync_wait(b.store.rename("alice", "old", "older")));
  CHECK(noted(b.id("older"), "bob") == "/private/comment=his;/shared/comment=all;");
  REQUIRE(sync_wait(b.store.remove("alice", "older")));
  CHECK(used() == 12);
  REQUIRE(sync_wait(b.store.create("alice", "older", std::nullopt)));
  CHECK(noted(b.id("older")).empty());
}

void conforms_in_flags(const mailbox_factory& make) {
  bench b(make);
  const auto inbox = b.id("INBOX");
  for (int i = 0; i < 300; ++i) b.put("m" + std::to_string(i));
  const auto before = b.look(inbox);
  const auto one = b.set(inbox, {{5, 5}}, flag_change::add, {flags::seen, {}});
  CHECK(one.changed == std::vector<std::uint32_t>{5});
  CHECK(one.after->find(5)->flags == flags::seen);
  CHECK(one.after->find(5)->modseq == one.after->highest_modseq);
  CHECK(one.after->highest_modseq > before->highest_modseq);
  CHECK(one.after->unseen == 299);
  CHECK(before->find(5)->flags == 0);  // snapshots do not change
  CHECK(before->unseen == 300);
  CHECK(one.after->pages()[1] == before->pages()[1]);  // and share what did not

  // Nothing changes: no new modseq.
  CHECK(b.set(inbox, {{5, 5}}, flag_change::add, {flags::seen, {}}).after->highest_modseq == one.after->highest_modseq);
  CHECK(b.set(inbox, {{900, 1000}}, flag_change::add, {flags::seen, {}}).changed.empty());
  CHECK(b.set(inbox, {}, flag_change::add, {flags::seen, {}}).changed.empty());

  const auto all = b.set(inbox, {{1, UINT32_MAX}}, flag_change::add, {flags::flagged, {}});
  CHECK(all.changed.size() == 300);
  CHECK(all.after->find(5)->flags == (flags::seen | flags::flagged));
  CHECK(all.after->find(300)->flags == flags::flagged);
  const auto some = b.set(inbox, {{1, 1}, {127, 129}, {256, 256}, {299, 500}}, flag_change::replace, {flags::draft, {}});
  CHECK(some.changed == std::vector<std::uint32_t>{1, 127, 128, 129, 256, 299, 300});
  CHECK(some.after->find(256)->flags == flags::draft);
  CHECK(some.after->find(257)->flags == flags::flagged);
  CHECK(b.set(inbox, {{1, 3}}, flag_change::remove, {flags::flagged, {}}).after->find(2)->flags == 0);
  // Only system flags are taken from `system`.
  CHECK(b.set(inbox, {{2, 2}}, flag_change::replace, {flags::recent | mail::keyword_bit(3) | flags::seen, {}}).after->find(2)->flags ==
        flags::seen);

  // RFC 7162 §3.1.3: UNCHANGEDSINCE.
  const auto now = b.look(inbox);
  b.set(inbox, {{10, 10}}, flag_change::add, {flags::seen, {}});
  auto conditional = sync_wait(b.store.change_flags("alice", inbox, {{9, 11}}, flag_change::add, {flags::answered, {}},
                                                    now->highest_modseq));
  REQUIRE(conditional);
  CHECK(conditional->changed == std::vector<std::uint32_t>{9, 11});
  CHECK(conditional->modified == std::vector<std::uint32_t>{10});
  CHECK(conditional->after->find(10)->flags == (flags::seen | flags::flagged));
  CHECK(sync_wait(b.store.change_flags("alice", 999, {{1, 1}}, flag_change::add, {}, std::nullopt)).error() ==
        errc::no_such_mailbox);
}

void conforms_in_keywords(const mailbox_factory& make) {
  bench b(make);
  const auto inbox = b.id("INBOX");
  for (int i = 0; i < 130; ++i) b.put("m");
  auto seen = b.set(inbox, {{1, 2}}, flag_change::add, {0, {"Work", "$Forwarded"}}).after;
  CHECK(keywords_of(*seen, *seen->find(1)) == list_of_names{"Work", "$Forwarded"});
  seen = b.set(inbox, {{1, 1}}, flag_change::remove, {0, {"WORK", "unknown"}}).after;  // RFC 9051 §2.3.2: no case
  CHECK(keywords_of(*seen, *seen->find(1)) == list_of_names{"$Forwarded"});
  CHECK(seen->keywords.size() == 2);
  CHECK(sync_wait(b.store.change_flags("alice", inbox, {{1, 1}}, flag_change::add, {0, {"two words"}}, std::nullopt)).error() ==
        base::errc::malformed);

  std::vector<std::string> many;
  for (std::size_t i = seen->keywords.size(); i < base::limits::imap_keywords; ++i) many.push_back("k" + std::to_string(i));
  seen = b.set(inbox, {{129, 129}}, flag_change::add, {0, many}).after;
  CHECK(seen->keywords.size() == base::limits::imap_keywords);
  CHECK(sync_wait(b.store.change_flags("alice", inbox, {{3, 3}}, flag_change::add, {0, {"one-more"}}, std::nullopt)).error() ==
        errc::too_many_keywords);
  b.put("full", {.account = "alice", .flags = {flags::seen, {"one-more", "k5"}}});  // what does not fit is left out
  seen = b.look(inbox);
  CHECK(keywords_of(*seen, *seen->find(131)) == list_of_names{"k5"});
  // Slots that no message uses any more are given to others.
  const auto older = b.set(inbox, {{129, 129}}, flag_change::remove, {0, {"k7", "k9"}}).after;
  seen = b.set(inbox, {{3, 3}}, flag_change::add, {0, {"one-more", "and-another"}}).after;
  const auto got = keywords_of(*seen, *seen->find(3));
  CHECK(std::set<std::string>(got.begin(), got.end()) == std::set<std::string>{"one-more", "and-another"});
  CHECK(std::ranges::count(keywords_of(*seen, *seen->find(129)), "k8") == 1);
  CHECK(std::ranges::count(older->keywords, "k7") == 1);
  CHECK(sync_wait(b.store.change_flags("alice", inbox, {{3, 3}}, flag_change::add, {0, {"third"}}, std::nullopt)).error() ==
        errc::too_many_keywords);
}

void conforms_in_copying_and_moving(const mailbox_factory& make) {
  bench b(make);
  const auto inbox = b.id("INBOX"), archive = b.id("Archive");
  for (int i = 1; i <= 400; ++i)
    b.put("m" + std::to_string(i), {.account = "alice", .flags = {i % 2 == 0 ? flags::seen : 0, {"tag"}}, .internal_date = i});
  b.put("first there", {.account = "alice", .mailbox = "Archive", .flags = {0, {"other"}}});
  b.time.advance(std::chrono::seconds(60));
  auto copied = sync_wait(b.store.copy("alice", inbox, {{2, 3}, {120, 140}, {999, 1000}}, archive));
  REQUIRE(copied);
  REQUIRE(copied->from.size() == 23);
  CHECK(copied->from.front() == 2);
  CHECK(copied->to.front() == 2);
  CHECK(copied->to.back() == 24);
  const auto source = b.look(inbox);
  auto there = b.look(archive);
  CHECK(copied->uid_validity == there->uid_validity);
  CHECK(there->count() == 24);
  const message_entry &from = *source->find(120), &to = *there->find(copied->to[2]);
  CHECK(to.blob == from.blob);
  CHECK(to.email_id == from.email_id);
  CHECK(to.internal_date == 120);
  CHECK(to.save_date == from.save_date + 60);
  CHECK((to.flags & flags::system_mask) == flags::seen);
  CHECK(keywords_of(*there, to) == list_of_names{"tag"});
  CHECK(there->keywords == list_of_names{"other", "tag"});
  CHECK(source->count() == 400);

  auto moved = sync_wait(b.store.move("alice", inbox, {{1, 300}}, archive));
  REQUIRE(moved);
  CHECK(moved->from.size() == 300);
  CHECK(b.look(inbox)->count() == 100);
  CHECK(b.look(inbox)->at(0).uid == 301);
  there = b.look(archive);
  CHECK(there->count() == 324);
  CHECK(there->at(323).internal_date == 300);
  auto kept = sync_wait(b.store.summaries("alice", archive, moved->to[299], moved->to[299], 1));
  REQUIRE(kept);
  REQUIRE(kept->rows.size() == 1);
  CHECK(kept->rows[0].summary == "summary of m300");
  CHECK(sync_wait(b.store.summaries("alice", inbox, 1, 300, 1000))->rows.empty());

  auto within = sync_wait(b.store.move("alice", inbox, {{301, 302}}, inbox));  // to the end of the same mailbox
  REQUIRE(within);
  CHECK(within->to == std::vector<std::uint32_t>{401, 402});
  CHECK(b.look(inbox)->count() == 100);
  auto doubled = sync_wait(b.store.copy("alice", inbox, {{401, 402}}, inbox));
  REQUIRE(doubled);
  CHECK(doubled->to == std::vector<std::uint32_t>{403, 404});
  CHECK(b.look(inbox)->count() == 102);
  CHECK(sync_wait(b.store.copy("alice", inbox, {{1, 3}}, archive))->from.empty());
  CHECK(sync_wait(b.store.copy("alice", inbox, {{401, 401}}, 12345)).error() == errc::no_such_mailbox);
  CHECK(sync_wait(b.store.move("alice", 12345, {{401, 401}}, inbox)).error() == errc::no_such_mailbox);
}

void conforms_in_expunging(const mailbox_factory& make) {
  bench b(make);
  const auto inbox = b.id("INBOX");
  for (int i = 1; i <= 300; ++i) b.put("m");
  const auto start = b.look(inbox);
  CHECK(sync_wait(b.store.expunge("alice", inbox, std::nullopt))->empty());
  CHECK(b.look(inbox)->highest_modseq == start->highest_modseq);
  b.set(inbox, {{1, 128}, {256, 256}, {300, 300}}, flag_change::add, {flags::deleted, {}});
  const auto marked = b.look(inbox);
  auto some = sync_wait(b.store.expunge("alice", inbox, uids{{100, 257}}));  // RFC 4315: UID EXPUNGE
  REQUIRE(some);
  CHECK(some->size() == 30);
  CHECK(some->back() == 256);
  CHECK(b.look(inbox)->count() == 270);
  auto rest = sync_wait(b.store.expunge("alice", inbox, std::nullopt));
  REQUIRE(rest);
  CHECK(rest->size() == 100);
  const auto after = b.look(inbox);
  CHECK(after->count() == 170);
  CHECK(after->deleted == 0);
  CHECK(after->at(0).uid == 129);
  CHECK(after->uid_next == 301);
  CHECK(start->count() == 300);  // the old picture is whole
  CHECK(sync_wait(b.store.summaries("alice", inbox, 1, 128, 10))->rows.empty());
  CHECK(b.put("next") == 301);

  auto gone = sync_wait(b.store.expunged_since("alice", inbox, start->highest_modseq));
  REQUIRE(gone);
  REQUIRE(*gone);
  CHECK((*gone)->to_string() == "1:128,256,300");
  gone = sync_wait(b.store.expunged_since("alice", inbox, after->highest_modseq));
  REQUIRE(gone);
  REQUIRE(*gone);
  CHECK((*gone)->empty());
  const auto all = uids_of(*b.look(inbox));
  b.set(inbox, {{1, 1000}}, flag_change::add, {flags::deleted, {}});
  CHECK(*sync_wait(b.store.expunge("alice", inbox, std::nullopt)) == all);
  CHECK(b.look(inbox)->count() == 0);
  CHECK(b.look(inbox)->uid_next == 302);
  CHECK(sync_wait(b.store.usage("alice"))->used_messages == 0);
}

void conforms_in_summaries(const mailbox_factory& make) {
  bench b(make);
  const auto inbox = b.id("INBOX");
  for (int i = 1; i <= 20; ++i) b.put(std::to_string(i));
  b.set(inbox, {{5, 6}}, flag_change::add, {flags::deleted, {}});
  REQUIRE(sync_wait(b.store.expunge("alice", inbox, std::nullopt)));
  auto rows = sync_wait(b.store.summaries("alice", inbox, 4, 8, 100));
  REQUIRE(rows);
  REQUIRE(rows->rows.size() == 3);
  CHECK(rows->rows[0].uid == 4);
  CHECK(rows->rows[1].uid == 7);
  CHECK(rows->rows[1].summary == "summary of 7");
  CHECK(!rows->more);
  rows = sync_wait(b.store.summaries("alice", inbox, 1, UINT32_MAX, 4));
  REQUIRE(rows);
  CHECK(rows->rows.size() == 4);
  CHECK(rows->more);
  rows = sync_wait(b.store.summaries("alice", inbox, rows->rows.back().uid + 1, UINT32_MAX, 100));
  CHECK(rows->rows.size() == 14);
  CHECK(sync_wait(b.store.summaries("alice", inbox, 9, 8, 4))->rows.empty());
  CHECK(sync_wait(b.store.summaries("alice", 999, 1, 8, 4)).error() == errc::no_such_mailbox);
}

void conforms_in_mailbox_watching(const mailbox_factory& make) {
  bench b(make);
  std::mutex mutex;
  std::condition_variable arrived;
  std::multiset<mailbox_id> calls;
  const auto wait = [&](mailbox_id id) {
    std::unique_lock lock(mutex);
    const bool came = arrived.wait_for(lock, std::chrono::seconds(20), [&] { return calls.contains(id); });
    calls.clear();
    return came;
  };
  const auto note = [&](mailbox_id id) {
    std::lock_guard lock(mutex);
    calls.insert(id);
    arrived.notify_all();
  };
  const auto inbox = b.id("INBOX"), trash = b.id("Trash");
  {
    const subscription first = b.store.watch("alice", note);
    const subscription second = b.store.watch("alice", [](mailbox_id) {});
    b.put("one");
    CHECK(wait(inbox));
    b.set(inbox, {{1, 1}}, flag_change::add, {flags::seen, {}});
    CHECK(wait(inbox));
    REQUIRE(sync_wait(b.store.move("alice", inbox, {{1, 1}}, trash)));
    CHECK(wait(trash));
    REQUIRE(sync_wait(b.store.create("alice", "new", std::nullopt)));
    CHECK(wait(0));
    REQUIRE(sync_wait(b.store.subscribe("alice", "new", true)));
    CHECK(wait(0));
  }
  {
    std::lock_guard lock(mutex);
    calls.clear();
  }
  b.put("two");
  std::lock_guard lock(mutex);
  CHECK(calls.empty());
}

}  // namespace briefwerk::store::testing
