#pragma once

// Group commit: what all sessions want to write is merged, written and synced once; each waiter is answered after
// that sync. The price of durability is shared by everyone in flight.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

// Decides what to write to one partition: reads `now` (the partition with everything that was committed or comes
// earlier in the same group, not what this call puts into `out`), puts writes into `out`. `refs` names the
// transaction's blobs, in their order. Runs on the commit thread (or the asking one), one at a time, so it must be quick
// and must not wait for anything but reads of `now`. It may run again after a conflict with another writer: what it leaves in captured variables
// must be set anew by each run. An error fails its transaction alone. Must not throw.
using change_function = std::move_only_function<base::status(const view& now, std::span<const blob_ref> refs, batch& out)>;

// All or nothing (where the engine's groups are atomic; else each partition for itself, should another process write
// at the same time). Steps run in order; two steps may name the same partition.
struct transaction {
  struct step {
    std::string partition;
    change_function apply;
  };
  std::vector<blob_parts> blobs;  // their octets must live until the answer
  std::vector<step> steps;
  // Reads and writes a few rows only: commit() may do it on the asking thread when nobody else writes.
  bool brief = false;
  // Called, on the thread of the steps and after them, while the disk writes, when the transaction is alone in its group: the
  // version that it makes is then the one before and these steps, and what follows from that can be prepared. What it prepared
  // counts only when the commit succeeds. Like the steps it may run again, and must be quick and not throw; it may not use the
  // engine.
  std::function<void()> meanwhile;

  transaction& write(std::string partition, change_function apply) {
    steps.push_back({std::move(partition), std::move(apply)});
    return *this;
  }
  transaction& blob(std::string_view octets) {
    blobs.push_back({octets});
    return *this;
  }
};

struct receipt {
  std::vector<version_number> versions;  // of the steps' partitions after the commit, in the steps' order
};

class committer {
 public:
  struct options {
    std::size_t group_transactions = 512;          // at most, in one group
    std::uint64_t group_octets = 8u << 20;         // blobs of one group, unless one alone is larger
    std::size_t pending_transactions = 16384;      // waiting or in work; more are refused with limit_exceeded
    std::uint64_t pending_octets = 1ull << 30;     // blobs waiting or in work; more are refused with limit_exceeded
    std::size_t encoders = 1;                      // threads that compress large blobs before their commit
    // A brief transaction that comes alone is committed on the asking thread, which saves two hand-overs, while commits
    // take less than this (measured as they go): where a sync takes long, no thread that serves sessions waits for it.
    // Zero: never.
    std::chrono::microseconds longest_on_asking_thread{2000};
    base::metrics* figures = nullptr;              // store.commit.*; must outlive the committer
  };
  using answer = std::move_only_function<void(base::result<receipt>)>;

  // One committer for an engine in a process is enough and fastest; the engine must outlive it.
  explicit committer(engine& where);
  committer(engine& where, options settings);
  committer(const committer&) = delete;
  ~committer();  // commits what is pending, then ends

  // Durable and visible when it answers; resumes on the caller's executor, or does not suspend. Errors: what a step returned;
  // limit_exceeded (too much pending: try later), no_space, conflict (other processes were first again and again),
  // and the engine's failures, after which the outcome is unknown until it is reopened.
  base::task<base::result<receipt>> commit(transaction what);

  // The same with a callback, which is called on the commit thread (or inside submit() when refused): it must be
  // cheap and not throw.
  void submit(transaction what, answer done);

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace briefwerk::store
