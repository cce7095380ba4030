#pragma once

// What mailbox store, directory and queue share.

#include <string>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/engine.hpp"
#include "briefwerk/store/local_store.hpp"
#include "store/mailbox/faults.hpp"
#include "store/mailbox/workers.hpp"
#include "store/queue/queue_records.hpp"

namespace briefwerk::store {

struct store_core {
  store_core(engine& bottom, const base::crypto& with, const base::clock& clock, const local_store_options& settings)
      : where(bottom),
        crypto(with),
        time(clock),
        options(settings),
        report(settings.log, settings.figures),
        threads(settings.readers),
        writer(bottom, commit_options(settings)) {}

  std::int64_t seconds() const { return std::chrono::floor<std::chrono::seconds>(time.now()).time_since_epoch().count(); }

  // One step, one partition; `brief` as in transaction.
  base::task<base::status> commit(std::string partition, change_function apply, bool brief = false) {
    transaction work;
    work.brief = brief;
    work.write(std::move(partition), std::move(apply));
    auto done = co_await writer.commit(std::move(work));
    if (!done) co_return base::fail(done.error());
    co_return base::status();
  }

  base::task<base::result<octets>> read_blob(blob_ref ref) {
    if (options.read_inline) co_return where.read_blob(ref);
    co_return co_await threads.ask<base::result<octets>>([&] { return where.read_blob(ref); });
  }

  base::task<base::result<octets>> read_blob_beginning(blob_ref ref, std::uint64_t most) {
    if (options.read_inline) co_return where.read_blob_beginning(ref, most);
    co_return co_await threads.ask<base::result<octets>>([&] { return where.read_blob_beginning(ref, most); });
  }

  static committer::options commit_options(const local_store_options& settings) {
    committer::options o = settings.commit;
    if (o.figures == nullptr) o.figures = settings.figures;
    return o;
  }

  engine& where;
  const base::crypto& crypto;
  const base::clock& time;
  const local_store_options options;
  faults report;
  queue_ids new_queue_ids;
  workers threads;
  committer writer;  // ends first: what is pending is committed, and its answers may still use the rest
};

}  // namespace briefwerk::store
