#include "store/mailbox_conformance.hpp"

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox_bench.hpp"

namespace briefwerk::store::testing {

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
  const auto modseq = [&] { return sync_wait(b.store.status("alice", inbox))->highest_modseq; };
  CHECK(noted(inbox).empty());
  const auto before = modseq();
  REQUIRE(note(inbox, {{"/shared/comment", "all"}, {"/private/comment", std::string("m\0y", 3)}}));
  REQUIRE(note(inbox, {{"/private/comment", "his"}}, "bob"));
  REQUIRE(note(0, {{"/private/vendor/v/a", "own"}}));
  CHECK(noted(inbox) == std::string("/private/comment=m\0y;/shared/comment=all;", 41));
  CHECK(noted(inbox, "bob") == "/private/comment=his;/shared/comment=all;");
  CHECK(noted(0) == "/private/vendor/v/a=own;");
  CHECK(noted(0, "bob").empty());
  CHECK(noted(b.id("Trash")).empty());
  CHECK(used() == 12);
  CHECK_MESSAGE(modseq() == before + 2, "RFC 7162 §3.2: what is noted at a mailbox is one of its changes");
  CHECK(sync_wait(b.store.snapshot("alice", inbox)).value()->highest_modseq == before + 2);

  // All or none, within limits.
  const std::string too_big(base::limits::store_annotation_value + 1, 'x');
  CHECK(note(inbox, {{"/private/a", "1"}, {"/private/b", too_big}}).error() == errc::annotation_too_big);
  std::vector<annotation_change> many;
  for (std::size_t i = 0; i + 3 < base::limits::store_annotations; ++i) many.push_back({"/private/n" + std::to_string(i), ""});
  REQUIRE(note(inbox, many));
  const auto full = modseq();
  CHECK(note(inbox, {{"/private/comment", "?"}, {"/private/one-more", ""}}).error() == errc::too_many_annotations);
  CHECK(modseq() == full);
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

}  // namespace briefwerk::store::testing
