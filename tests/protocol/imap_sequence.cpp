#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "briefwerk/protocol/imap/sequence_view.hpp"
#include "imap_describe.hpp"

namespace imap = briefwerk::protocol::imap;
namespace mail = briefwerk::mail;

namespace {

struct entry {
  std::uint32_t uid = 0;
  std::uint64_t modseq = 1, flags = 0;
};
using page = std::vector<entry>;

// The shape of a store's snapshot, with pages of any size.
class picture {
 public:
  std::vector<std::string> keywords;

  picture() = default;
  explicit picture(std::vector<std::shared_ptr<const page>> pages) : pages_(std::move(pages)) {
    for (const auto& p : pages_) {
      starts_.push_back(count_);
      count_ += p->size();
    }
  }
  std::size_t count() const { return count_; }
  std::span<const std::shared_ptr<const page>> pages() const { return pages_; }
  std::size_t page_start(std::size_t i) const { return starts_[i]; }
  const entry& at(std::size_t index) const {
    std::size_t p = 0;
    while (index >= starts_[p] + pages_[p]->size()) ++p;
    return (*pages_[p])[index - starts_[p]];
  }
  std::size_t lower_bound(std::uint32_t uid) const {
    std::size_t index = 0;
    while (index < count_ && at(index).uid < uid) ++index;
    return index;
  }

 private:
  std::vector<std::shared_ptr<const page>> pages_;
  std::vector<std::size_t> starts_;
  std::size_t count_ = 0;
};
static_assert(imap::snapshot<picture>);

std::shared_ptr<const page> make_page(std::initializer_list<std::uint32_t> uids) {
  page p;
  for (const auto uid : uids) p.push_back({uid});
  return std::make_shared<const page>(std::move(p));
}

std::string text_of(std::span<const imap::index_range> ranges) {
  std::string out;
  for (const auto& range : ranges) out += std::to_string(range.first) + "-" + std::to_string(range.last) + " ";
  return out;
}

}  // namespace

TEST_CASE("imap sequence: sets on a snapshot") {
  const picture box({make_page({10, 11, 15}), make_page({20}), make_page({21, 30})});
  const picture empty;
  struct row {
    const char* why;
    std::string_view set;
    bool by_uid;
    std::string_view out, out_empty;
  };
  const row rows[] = {
      {"one", "2", false, "1-2 ", "BAD"},
      {"RFC 9051 §9 seq-range: either direction", "4:2", false, "1-4 ", "BAD"},
      {"star is the largest", "*", false, "5-6 ", "BAD"},
      {"all", "1:*", false, "0-6 ", "BAD"},
      {"order and overlap do not matter", "6,1:2,2:3", false, "0-3 5-6 ", "BAD"},
      {"RFC 9051 §9 seq-number: past the end is BAD", "7", false, "BAD", "BAD"},
      {"past the end in a range", "2:7", false, "BAD", "BAD"},
      {"UIDs that are gone are left out (RFC 9051 §6.4.9)", "12:19", true, "2-3 ", ""},
      {"none of them", "1:9,16", true, "", ""},
      {"star", "*", true, "5-6 ", ""},
      {"RFC 9051 §9: n:* holds the last though n is larger", "999:*", true, "5-6 ", ""},
      {"all", "1:*", true, "0-6 ", ""},
      {"the largest number", "4294967295", true, "", ""},
      {"up to the largest number", "20:4294967295", true, "3-6 ", ""},
      {"the saved result", "$", true, "1-2 4-5 ", ""},
      {"the saved result as sequence numbers (RFC 5182 §2.1)", "$", false, "1-2 4-5 ", ""},
  };
  const mail::uid_set saved{{11, 11}, {21, 21}, {77, 77}};
  for (const auto& row : rows) {
    CAPTURE(row.why);
    imap::arena memory;
    imap::command_head head;
    const auto line = "a FETCH " + std::string(row.set) + " FLAGS";
    REQUIRE(imap::parse_head(line, head));
    const auto parsed = imap::parse_command(line, head, {}, memory);
    REQUIRE(parsed);
    const auto& set = std::get<imap::fetch_command>(*parsed).messages;
    const auto on = [&](const picture& p) {
      const auto ranges = imap::resolve(p, set, row.by_uid, saved);
      return ranges ? text_of(*ranges) : std::string("BAD");
    };
    CHECK(on(box) == row.out);
    CHECK(on(empty) == row.out_empty);
  }
  const imap::index_range some[] = {{0, 1}, {2, 5}};
  std::string seen;
  imap::for_each_message(box, some, [&](std::uint32_t sequence, const entry& e) {
    seen += std::to_string(sequence) + "=" + std::to_string(e.uid) + " ";
  });
  CHECK(seen == "1=10 3=15 4=20 5=21 ");
  CHECK(imap::uids_of(box, some) == mail::uid_set{{10, 10}, {15, 15}, {20, 21}});
  CHECK(imap::count_of(some) == 4);
}

TEST_CASE("imap sequence: differences") {
  const auto shared = make_page({1, 2, 3});
  const auto changed = std::make_shared<const page>(page{{4, 9, mail::flags::seen}, {5}});
  struct row {
    const char* why;
    picture before, after;
    std::string_view out;
  };
  const row rows[] = {
      {"nothing", picture({shared}), picture({shared}), ""},
      {"RFC 9051 §7.5.1: each number counts what went before", picture({make_page({1, 2, 3, 4, 5})}), picture({make_page({2, 5})}),
       "* 1 EXPUNGE\r\n* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n"},
      {"arrived", picture({shared}), picture({shared, make_page({4})}), "* 4 EXISTS\r\n"},
      {"all gone", picture({shared}), picture(), "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n"},
      {"from nothing", picture(), picture({shared}), "* 3 EXISTS\r\n"},
      {"flags, in new numbers", picture({shared, make_page({4, 5})}), picture({make_page({2, 3}), changed}),
       "* 1 EXPUNGE\r\n* 3 FETCH (UID 4 FLAGS (\\Seen))\r\n"},
      {"pages cut otherwise", picture({make_page({1}), make_page({2, 3, 6})}), picture({make_page({1, 2}), make_page({3, 6, 7})}),
       "* 5 EXISTS\r\n"},
      {"gone and arrived", picture({make_page({1, 2})}), picture({make_page({2, 3})}), "* 1 EXPUNGE\r\n* 2 EXISTS\r\n"},
      {"everything replaced", picture({make_page({1, 2})}), picture({make_page({3, 4})}), "* 1 EXPUNGE\r\n* 1 EXPUNGE\r\n* 2 EXISTS\r\n"},
  };
  const auto write = [](const picture& before, const picture& after, imap::change_style style) {
    imap::response_writer out;
    imap::write_changes(out, after, imap::compare(before, after), style);
    std::string text;
    for (const auto piece : out.pieces()) text += piece;
    return text;
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(write(row.before, row.after, {.uid = true}) == row.out);
    CHECK(imap::compare(row.before, row.after).empty() == row.out.empty());
  }
  // RFC 7162 §3.2.10, §3.2.
  CHECK(write(picture({shared}), picture({make_page({2})}), {.vanished = true}) == "* VANISHED 1,3\r\n");
  CHECK(write(picture({make_page({4, 5})}), picture({changed}), {.modseq = true}) == "* 1 FETCH (FLAGS (\\Seen) MODSEQ (9))\r\n");
  // What the client was told already is not repeated, unless it changed again.
  const picture before({make_page({4, 5})}), after({changed});
  CHECK(imap::compare(before, after, {{4, 4}}, 9).empty());
  CHECK(!imap::compare(before, after, {{4, 4}}, 8).empty());
  CHECK(!imap::compare(before, after, {{5, 5}}, 9).empty());
  picture named({shared});
  named.keywords = {"x"};
  CHECK(write(picture({shared}), named, {}) == "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft x)\r\n");
}

TEST_CASE("imap sequence: a client that applies the differences has the mailbox") {
  std::mt19937 random(7);
  const auto below = [&](unsigned limit) { return static_cast<std::uint32_t>(random() % limit); };
  std::vector<entry> now;
  picture before;
  std::uint32_t next_uid = 1;
  std::uint64_t modseq = 1;
  std::vector<entry> client;
  for (int round = 0; round < 300; ++round) {
    auto pages = std::vector<std::shared_ptr<const page>>(before.pages().begin(), before.pages().end());
    for (auto& p : pages) {
      if (below(3) != 0) continue;
      page copy = *p;
      std::erase_if(copy, [&](const entry&) { return below(4) == 0; });
      for (auto& e : copy) {
        if (below(4) == 0) e.modseq = ++modseq, e.flags = below(32);
      }
      p = std::make_shared<const page>(std::move(copy));
    }
    std::erase_if(pages, [](const auto& p) { return p->empty(); });
    page fresh;
    for (auto i = below(5); i != 0; --i) fresh.push_back({next_uid++, ++modseq, below(32)});
    if (!fresh.empty()) pages.push_back(std::make_shared<const page>(std::move(fresh)));
    const picture after(std::move(pages));

    const auto changes = imap::compare(before, after);
    for (const auto sequence : changes.expunged) {
      REQUIRE(sequence >= 1);
      REQUIRE(sequence <= client.size());
      client.erase(client.begin() + (sequence - 1));
    }
    while (client.size() < changes.exists) client.push_back(after.at(client.size()));
    for (const auto index : changes.changed) client[index] = after.at(index);
    REQUIRE(client.size() == after.count());
    for (std::size_t i = 0; i < client.size(); ++i) {
      const bool same = client[i].uid == after.at(i).uid && client[i].flags == after.at(i).flags;
      if (!same) CHECK(same);
    }
    before = after;
  }
}
