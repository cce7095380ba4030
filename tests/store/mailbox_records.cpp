// Encodings of an account's partition: whole, cut at every octet, with each octet changed, and as a store meets them.

#include "store/mailbox/records.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <memory>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "store/mailbox/keys.hpp"
#include "store/mailbox/mailbox_editor.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;

message_entry sample(std::uint32_t uid) {
  message_entry e;
  e.uid = uid;
  e.size = 4096 + uid;
  e.modseq = 1000 + uid;
  e.flags = mail::flags::seen | mail::keyword_bit(47);
  e.internal_date = -5;
  e.save_date = 1'700'000'000;
  e.blob.octets.fill(static_cast<char>(uid));
  e.email_id.fill(static_cast<std::uint8_t>(uid * 3));
  return e;
}

bool same(const message_entry& a, const message_entry& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

// Decodes every cut of the value, from blocks of exactly its size; none may be taken for whole.
template <class Decode>
void refuses_cuts(const std::string& whole, Decode decode) {
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto block = std::make_unique<char[]>(size);
    std::memcpy(block.get(), whole.data(), size);
    CHECK_FALSE(decode(std::string_view(block.get(), size)));
  }
  CHECK_FALSE(decode(whole + '\0'));
  std::string other_version = whole;
  other_version[0] = 3;
  CHECK_FALSE(decode(other_version));
}

TEST_CASE("pages") {
  mailbox_snapshot::page entries;
  for (std::uint32_t uid = 128; uid < 256; uid += 3) entries.push_back(sample(uid));
  const std::string value = encode_page(entries);
  CHECK(value.size() == 4 + entries.size() * 72);
  const auto back = decode_page(value, 1);
  REQUIRE(back);
  REQUIRE(back->size() == entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) CHECK(same((*back)[i], entries[i]));
  refuses_cuts(value, [](std::string_view v) { return decode_page(v, 1).has_value(); });

  struct row {
    const char* why;
    std::vector<std::uint32_t> uids;
    std::uint32_t page;
    bool ok;
  };
  const row rows[] = {
      {"one message", {200}, 1, true},
      {"first and last of the page", {128, 255}, 1, true},
      {"no message", {}, 1, false},
      {"uid below the page", {127, 128}, 1, false},
      {"uid above the page", {255, 256}, 1, false},
      {"twice the same uid", {130, 130}, 1, false},
      {"descending", {131, 130}, 1, false},
      {"uid 0", {0, 1}, 0, false},
      {"the first page begins with uid 1", {1, 127}, 0, true},
      {"the last page of all", {UINT32_MAX - 1}, page_of(UINT32_MAX), true},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    mailbox_snapshot::page of;
    for (const auto uid : row.uids) of.push_back(sample(uid));
    CHECK(decode_page(encode_page(of), row.page).has_value() == row.ok);
  }
  // The stored layout is little-endian, whatever the machine.
  CHECK(value.substr(0, 8) == std::string("\x01\x48\x2b\x00\x80\x00\x00\x00", 8));
}

TEST_CASE("flags of a page's messages") {
  const auto state = [](std::uint32_t uid, std::uint64_t modseq, mail::flag_set flags) {
    return message_state{uid, modseq, flags};
  };
  const page_states samples[] = {
      {state(128, 7, 0)},
      {state(128, 7, 1), state(129, 7, 1), state(191, 7, 1), state(192, 7, 1), state(255, 7, 1)},
      {state(130, 7, 1), state(140, 8, 1), state(150, 8, 0), state(160, UINT64_MAX, UINT64_MAX)},
  };
  for (const auto& states : samples) {
    const std::string value = encode_states(states);
    const auto back = decode_states(value, 1);
    REQUIRE(back);
    CHECK(*back == states);
    refuses_cuts(value, [](std::string_view v) { return decode_states(v, 1).has_value(); });
  }
  page_states full;
  for (std::uint32_t uid = 256; uid < 384; ++uid) full.push_back(state(uid, 5, uid % 2));
  CHECK(*decode_states(encode_states(full), 2) == full);
  for (auto& s : full) s.flags = 1;
  CHECK(encode_states(full).size() == 17 + 17);  // messages that are alike cost nothing

  const std::string one = encode_states(samples[0]);
  CHECK_FALSE(decode_states(one, 0));  // uid 0
  CHECK(decode_states(one, 2)->front().uid == 256);
  struct row {
    const char* why;
    std::size_t at;
    char octet;
  };
  const row rows[] = {
      {"no message", 1, 0},
      {"more messages than runs", 1, 3},
      {"an empty run", 17, 0},
      {"a run longer than the page", 17, 2},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    std::string bad = one;
    bad[row.at] = row.octet;
    CHECK_FALSE(decode_states(bad, 1));
  }
  std::string two_runs = encode_states({{state(128, 7, 1), state(129, 7, 2)}});
  CHECK(decode_states(two_runs, 1));
  two_runs[two_runs.size() - 8] = 1;  // alike, but in two runs
  CHECK_FALSE(decode_states(two_runs, 1));

  mailbox_snapshot::page entries{sample(128), sample(130)};
  CHECK(states_of(entries) == page_states{state(128, 1128, entries[0].flags), state(130, 1130, entries[1].flags)});
  CHECK(apply_states(page_states{state(128, 9, 4), state(130, 8, 3)}, entries));
  CHECK(entries[1].modseq == 8);
  CHECK(entries[0].flags == 4);
  CHECK(entries[0].size == sample(128).size);
  CHECK_FALSE(apply_states(page_states{state(128, 9, 4)}, entries));
  CHECK_FALSE(apply_states(page_states{state(128, 9, 4), state(131, 8, 3)}, entries));
}

TEST_CASE("entries of the unfinished page") {
  const auto entry = sample(77);
  const std::string value = encode_entry(entry);
  REQUIRE(decode_entry(value, 77));
  CHECK(same(*decode_entry(value, 77), entry));
  CHECK_FALSE(decode_entry(value, 78));
  refuses_cuts(value, [](std::string_view v) { return decode_entry(v, 77).has_value(); });
}

TEST_CASE("heads") {
  head_record head;
  head.uid_validity = 5;
  head.uid_next = 10;
  head.highest_modseq = 1ull << 40;
  head.changes = 3;
  head.history_floor = 2;
  head.history_rows = 1;
  head.messages = 4;
  head.unseen = 3;
  head.deleted = 2;
  head.total_size = 123456789012;
  for (std::size_t i = 0; i < base::limits::imap_keywords; ++i) head.keywords.push_back("keyword" + std::to_string(i));
  const std::string value = encode(head);
  const auto back = decode_head(value);
  REQUIRE(back);
  CHECK(encode(*back) == value);
  CHECK(back->keywords == head.keywords);
  CHECK(back->total_size == head.total_size);
  refuses_cuts(value, [](std::string_view v) { return decode_head(v).has_value(); });
  std::string earlier = value;
  earlier[0] = 1;
  REQUIRE(decode_head(earlier));
  CHECK(encode(*decode_head(earlier)) == value);
  for (auto wrong : {&head_record::unseen, &head_record::deleted, &head_record::messages}) {
    head_record bad = head;
    bad.*wrong = 11;
    CHECK_FALSE(decode_head(encode(bad)));
  }
}

TEST_CASE("small records") {
  const account_record account{7, 8, 9};
  CHECK(decode_account(encode(account))->last_uid_validity == 8);
  refuses_cuts(encode(account), [](std::string_view v) { return decode_account(v).has_value(); });
  const quota_usage usage{1, 2, {3, 4}};
  CHECK(decode_usage(encode(usage))->limits.messages == 4);
  refuses_cuts(encode(usage), [](std::string_view v) { return decode_usage(v).has_value(); });
  const name_record name{3, mail::special_use::junk, 4};
  CHECK(decode_name(encode(name))->use == mail::special_use::junk);
  refuses_cuts(encode(name), [](std::string_view v) { return decode_name(v).has_value(); });
  const std::string noted = encode_annotation("blue");
  CHECK(decode_annotation(noted) == "blue");
  CHECK_FALSE(decode_annotation(""));
  CHECK_FALSE(decode_annotation("\2blue"));
  const change_record change{300, {{0, 3}, {5, 5}}};
  CHECK(decode_change(encode(change))->pages == change.pages);
  refuses_cuts(encode(change), [](std::string_view v) { return decode_change(v).has_value(); });
  CHECK_FALSE(decode_change(encode(change_record{1, {{5, 5}, {3, 4}}})));
  CHECK_FALSE(decode_change(encode(change_record{1, {{5, 4}}})));
  change_record wide{1, {}};
  for (std::uint32_t i = 0; i <= change_record::most_intervals; ++i) wide.pages.push_back({i * 2, i * 2});
  CHECK(decode_change(encode(wide))->pages == std::vector<page_interval>{{0, page_of(UINT32_MAX)}});
  const mail::uid_set gone{{1, 3}, {7, 7}, {UINT32_MAX, UINT32_MAX}};
  CHECK(*decode_expunged(encode_expunged(gone)) == gone);
  CHECK_FALSE(decode_expunged(encode_expunged({})));
  const std::string value = encode_expunged(gone);
  for (std::size_t size = 0; size < value.size(); ++size)
    CHECK(decode_expunged(value.substr(0, size)).has_value() == (size > 1 && size % 8 == 1));
}

TEST_CASE("pages that a set of uids is in") {
  struct row {
    const char* why;
    mail::uid_set uids;
    std::uint32_t last;
    std::vector<page_interval> pages;
  };
  const row rows[] = {
      {"nothing", {}, 9, {}},
      {"one", {{1, 1}}, 9, {{0, 0}}},
      {"neighbours are joined", {{1, 1}, {128, 128}, {300, 300}}, 9, {{0, 2}}},
      {"apart", {{1, 1}, {256, 256}}, 9, {{0, 0}, {2, 2}}},
      {"twice in one page", {{1, 1}, {9, 9}}, 9, {{0, 0}}},
      {"up to the last page", {{1, UINT32_MAX}}, 9, {{0, 9}}},
      {"behind the last page", {{1280, UINT32_MAX}}, 9, {}},
      {"the last page of all", {{UINT32_MAX, UINT32_MAX}}, page_of(UINT32_MAX), {{page_of(UINT32_MAX), page_of(UINT32_MAX)}}},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(pages_of(row.uids, row.last) == row.pages);
  }
}

template <class T>
std::error_code error_of(const base::result<T>& r) {
  return r ? std::error_code() : r.error();
}

// Every row of an account damaged in turn: operations answer, at worst with errc::corrupt, and say where.
TEST_CASE("damaged rows are refused by name") {
  const auto crypto = crypto::make_boringssl();
  const base::manual_clock time{base::wall_time(std::chrono::milliseconds(1'700'000'000'000))};
  base::metrics figures;
  const std::shared_ptr<engine> shared = make_memory_engine(&time);
  const auto store = make_local_store(shared, *crypto, time, {.snapshot_cache = 0, .figures = &figures});
  auto& mail = store->mailboxes();
  REQUIRE(base::sync_wait(mail.create_account("a")));
  const auto inbox = base::sync_wait(mail.find("a", "INBOX"))->id;
  for (int i = 0; i < 150; ++i) REQUIRE(base::sync_wait(mail.deliver({"m", "s"}, {{.account = "a"}}, {})));
  REQUIRE(base::sync_wait(mail.change_flags("a", inbox, {{1, 2}}, flag_change::add, {mail::flags::deleted, {}}, {})));
  REQUIRE(base::sync_wait(mail.expunge("a", inbox, mail::uid_set{{1, 1}})));

  committer writer(*shared);
  const auto put = [&](std::string key, std::string value) {
    transaction work;
    work.write("a/a", [&](const view&, std::span<const blob_ref>, batch& out) {
      out.put(key, value);
      return base::status();
    });
    REQUIRE(base::sync_wait(writer.commit(std::move(work))));
  };
  const auto all = (*shared->read("a/a"))->scan(key_range::all(), {.rows = 1000, .octets = 1u << 24});
  REQUIRE(all);
  int refused = 0;
  for (std::size_t i = 0; i < all->size(); ++i) {
    const std::string key((*all)[i].key), value((*all)[i].value);
    if (key[0] == keys::summary || key[0] == keys::subscribed || value.empty()) continue;  // any octets are good there
    put(key, value.substr(0, value.size() - 1));
    const auto before = figures.get_counter("store.corrupt_values").value();
    const std::error_code answers[] = {
        error_of(base::sync_wait(mail.snapshot("a", inbox))),
        error_of(base::sync_wait(mail.snapshot("a", key[0] == keys::head ? static_cast<mailbox_id>(key[4]) : inbox))),
        error_of(base::sync_wait(mail.list("a"))),
        error_of(base::sync_wait(mail.usage("a"))),
        error_of(base::sync_wait(mail.create("a", "n" + std::to_string(i), {}))),
        error_of(base::sync_wait(mail.expunged_since("a", inbox, 1))),
    };
    bool corrupt = false;
    for (const auto& e : answers) {
      corrupt = corrupt || e == base::errc::corrupt;
      CHECK((!e || e == base::errc::corrupt));
    }
    CAPTURE(key[0]);
    // A change record is read only by who has an older snapshot.
    CHECK((corrupt || key[0] == keys::change));
    if (corrupt) {
      ++refused;
      CHECK(figures.get_counter("store.corrupt_values").value() > before);
    }
    put(key, value);
  }
  CHECK(refused > 20);

  // Flags of other messages than the page's.
  const std::string flags = keys::of_mailbox(keys::states, inbox, 0u);
  const std::string right = (*(*shared->read("a/a"))->get(flags))->str();
  put(flags, encode_states(page_states{{2, 1, 0}}));
  CHECK(base::sync_wait(mail.snapshot("a", inbox)).error() == base::errc::corrupt);
  put(flags, right);
  put(keys::of_mailbox(keys::states, inbox, 7u), encode_states(page_states{{900, 1, 0}}));
  CHECK(base::sync_wait(mail.change_flags("a", inbox, {{1, 2}}, flag_change::add, {mail::flags::seen, {}}, {})));
  CHECK(base::sync_wait(mail.snapshot("a", inbox)));  // behind the unfinished page nothing is read

  // A damaged mailbox does not keep a message from its other recipients.
  REQUIRE(base::sync_wait(mail.create_account("b")));
  const std::string head = keys::of_mailbox(keys::head, inbox);
  const std::string good = (*(*shared->read("a/a"))->get(head))->str();
  put(head, "?");
  const auto both = base::sync_wait(mail.deliver({"m", "s"}, {{.account = "a"}, {.account = "b"}}, {}));
  REQUIRE(both);
  CHECK((*both)[0].error() == base::errc::corrupt);
  CHECK((*both)[1]);
  put(head, good);
  CHECK(base::sync_wait(mail.snapshot("a", inbox)));
}

}  // namespace
