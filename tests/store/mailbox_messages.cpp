#include "store/mailbox_conformance.hpp"

#include <algorithm>
#include <set>

#include "briefwerk/base/limits/store.hpp"
#include "store/mailbox_bench.hpp"

namespace briefwerk::store::testing {

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

}  // namespace briefwerk::store::testing
