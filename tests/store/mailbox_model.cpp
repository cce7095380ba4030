// The conformance suite's random walks: against a model, and with many threads.

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "store/mailbox_bench.hpp"

namespace briefwerk::store::testing {
namespace {

// One mailbox as a plain map, and the same operations on it.
struct model {
  std::map<std::uint32_t, mail::flag_set> messages;
  std::uint32_t uid_next = 1;
};

void compare(const model& expected, const mailbox_snapshot& s) {
  check_snapshot(s);
  CHECK(s.uid_next == expected.uid_next);
  REQUIRE(s.count() == expected.messages.size());
  std::size_t i = 0;
  bool same = true;
  for (const auto& [uid, set] : expected.messages) {
    same = same && s.at(i).uid == uid && s.at(i).flags == set;
    ++i;
  }
  CHECK(same);
}

class random_walk {
 public:
  random_walk(const mailbox_factory& make, unsigned seed) : bench_(make), random_(seed) {
    box_ = bench_.id("INBOX");
    other_ = bench_.id("Archive");
  }

  void step() {
    switch (number(8)) {
      case 0:
      case 1: append(number(number(10) == 0 ? 200 : 4) + 1); break;
      case 2:
      case 3: change(some_uids()); break;
      case 4: expunge(); break;
      case 5: move(false); break;
      case 6: move(true); break;
      default: keep(); break;
    }
    if (number(3) == 0) compare(here_, *bench_.look(box_));
    if (number(5) == 0) compare(there_, *bench_.look(other_));
  }
  void finish() {
    compare(here_, *bench_.look(box_));
    compare(there_, *bench_.look(other_));
    for (const auto& [expected, snapshot] : kept_) compare(expected, *snapshot);
  }

 private:
  unsigned number(unsigned below) { return std::uniform_int_distribution<unsigned>(0, below - 1)(random_); }
  uids some_uids() {
    uids set;
    for (unsigned n = number(4); n-- > 0;) {
      const std::uint32_t first = number(here_.uid_next + 2) + 1;
      set.insert(first, first + (number(2) == 0 ? 0 : number(300)));
    }
    return set;
  }
  void append(unsigned count) {
    std::vector<message_source> pieces(count, {"octets", "summary"});
    std::vector<local_target> targets(count, {.account = "alice"});
    REQUIRE(sync_wait(bench_.store.append(pieces, targets)));
    while (count-- > 0) here_.messages[here_.uid_next++] = 0;
  }
  void change(const uids& set) {
    const auto how = static_cast<flag_change>(number(3));
    const mail::flag_set bits = number(32) & flags::system_mask;
    bench_.set(box_, set, how, {bits, {}});
    for (auto& [uid, before] : here_.messages) {
      if (!set.contains(uid)) continue;
      if (how == flag_change::replace) before = bits;
      if (how == flag_change::add) before |= bits;
      if (how == flag_change::remove) before &= ~bits;
    }
  }
  void expunge() {
    std::optional<uids> set;
    if (number(2) == 0) set = some_uids();
    auto gone = sync_wait(bench_.store.expunge("alice", box_, set));
    REQUIRE(gone);
    std::vector<std::uint32_t> expected;
    for (const auto& [uid, flags_of] : here_.messages)
      if ((flags_of & flags::deleted) != 0 && (!set || set->contains(uid))) expected.push_back(uid);
    CHECK(*gone == expected);
    for (const auto uid : expected) here_.messages.erase(uid);
  }
  void move(bool moves) {
    const uids set = some_uids();
    auto done = moves ? sync_wait(bench_.store.move("alice", box_, set, other_))
                      : sync_wait(bench_.store.copy("alice", box_, set, other_));
    REQUIRE(done);
    std::vector<std::uint32_t> expected;
    for (const auto& [uid, flags_of] : here_.messages)
      if (set.contains(uid)) expected.push_back(uid);
    CHECK(done->from == expected);
    for (const auto uid : expected) {
      there_.messages[there_.uid_next++] = here_.messages[uid];
      if (moves) here_.messages.erase(uid);
    }
  }
  void keep() {
    if (kept_.size() < 20) kept_.emplace_back(here_, bench_.look(box_));
  }

  bench bench_;
  std::mt19937 random_;
  mailbox_id box_ = 0, other_ = 0;
  model here_, there_;
  std::vector<std::pair<model, snapshot_ptr>> kept_;
};

}  // namespace

void conforms_to_a_mailbox_model(const mailbox_factory& make, unsigned seed, int steps) {
  CAPTURE(seed);
  random_walk walk(make, seed);
  for (int i = 0; i < steps; ++i) walk.step();
  walk.finish();
}

// Every thread appends, flags what it appended, reads, and removes a part of it; in the end exactly the rest is there.
void conforms_with_mailbox_threads(const mailbox_factory& make, int rounds) {
  bench b(make);
  const auto inbox = b.id("INBOX");
  std::mutex mutex;
  std::set<std::uint32_t> expected;
  std::atomic<int> failures{0};
  const auto work = [&](unsigned thread) {
    std::mt19937 random(thread);
    std::vector<std::uint32_t> mine;
    std::uint64_t last_modseq = 0;
    for (int i = 0; i < rounds; ++i) {
      auto added = sync_wait(b.store.deliver({"octets", "summary"}, {{.account = "alice"}}, {}));
      if (!added || !added->front()) {
        ++failures;
        continue;
      }
      mine.push_back(added->front()->uid);
      const std::uint32_t chosen = mine[random() % mine.size()];
      const auto bits = random() % 3 == 0 ? flags::deleted : flags::seen;
      auto changed = sync_wait(b.store.change_flags("alice", inbox, {{chosen, chosen}}, flag_change::add, {bits, {}}, std::nullopt));
      // Read your own writes; never go back.
      if (!changed || changed->changed.size() != 1 || (changed->after->find(chosen)->flags & bits) == 0) ++failures;
      if (changed && changed->after->highest_modseq < last_modseq) ++failures;
      if (changed) last_modseq = changed->after->highest_modseq;
      if (random() % 4 != 0) continue;
      uids own;
      for (const auto uid : mine) own.insert(uid);
      auto gone = sync_wait(b.store.expunge("alice", inbox, own));
      if (!gone) ++failures;
      if (gone)
        for (const auto uid : *gone) std::erase(mine, uid);
    }
    std::lock_guard lock(mutex);
    expected.insert(mine.begin(), mine.end());
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned t = 1; t <= 8; ++t) threads.emplace_back(work, t);
  }
  CHECK(failures == 0);
  const auto seen = b.look(inbox);
  const auto there = uids_of(*seen);
  CHECK(std::set<std::uint32_t>(there.begin(), there.end()) == expected);
  CHECK(seen->uid_next == static_cast<std::uint32_t>(8 * rounds + 1));
  CHECK(sync_wait(b.store.usage("alice"))->used_messages == expected.size());
}

}  // namespace briefwerk::store::testing
