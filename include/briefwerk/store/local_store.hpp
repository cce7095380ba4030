#pragma once

// The whole store in one object: mailboxes, directory and queue over one engine, with its committer and threads.
//
//   auto store = store::open_local_store("/var/lib/briefwerk/store", *crypto, base::system_clock(), {});
//   co_await (*store)->directory().put_domain({.name = "example.org"});

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/directory.hpp"
#include "briefwerk/store/engine.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "briefwerk/store/queue_store.hpp"
#include "briefwerk/store/rocksdb_engine.hpp"
#include "briefwerk/store/signing_keys.hpp"
#include "briefwerk/store/state_rows.hpp"

namespace briefwerk::store {

struct local_store_options {
  std::uint64_t snapshot_cache = 256ull << 20;  // octets of mailbox indexes kept in memory
  std::uint64_t directory_cache = 32ull << 20;  // octets of addresses looked up, kept while the directory is unchanged
  // Messages are read on the asking thread, since they mostly are in the page cache; false: on the reader threads.
  // (Large mailbox indexes that are not in memory are always read there.)
  bool read_inline = true;
  std::size_t readers = 2;                      // threads
  std::chrono::milliseconds state_every{1000};  // between two batches of state()
  base::log_sink* log = nullptr;                // store.value.corrupt …; these three must outlive the store
  base::metrics* figures = nullptr;             // store.*
  committer::options commit;                    // its `figures` is taken from above where it has none
};

// Thread-safe. The crypto and clock given must outlive it; subscriptions and octets read from it must end before it.
class local_store {
 public:
  virtual ~local_store() = default;
  virtual mailbox_store& mailboxes() noexcept = 0;
  virtual store::directory& directory() noexcept = 0;
  virtual queue_store& queue() noexcept = 0;
  virtual signing_key_store& signing_keys() noexcept = 0;
  virtual engine& bottom() noexcept = 0;
  // Rows of the part of that name: one object a name at a time, gone before the store is.
  virtual std::unique_ptr<state_rows> state(std::string_view name) = 0;

  // Gives back what no message, queue item or unfinished removal needs any more: ends removals that were cut short,
  // then frees blobs that have been without reference for `grace` (see engine::collect). Takes long; call it on a
  // thread of its own, one at a time.
  virtual base::result<collect_report> collect_garbage(std::chrono::milliseconds grace) = 0;
};

// Opens or creates the store in `folder` with the rocksdb engine; errors and `why` as of open_rocksdb_engine. The
// engine's clock, log and figures are taken from the other arguments where `settings` has none.
base::result<std::unique_ptr<local_store>> open_local_store(const std::string& folder, const base::crypto& crypto,
                                                            const base::clock& time, local_store_options options = {},
                                                            rocksdb_options settings = {}, std::string* why = nullptr);
// Over any engine; several may share one, as several processes do on a distributed engine.
std::unique_ptr<local_store> make_local_store(std::shared_ptr<engine> where, const base::crypto& crypto,
                                              const base::clock& time, local_store_options options = {});
// The reference: everything in memory, gone with the object.
std::unique_ptr<local_store> make_memory_store(const base::crypto& crypto, const base::clock& time,
                                               local_store_options options = {});

}  // namespace briefwerk::store
