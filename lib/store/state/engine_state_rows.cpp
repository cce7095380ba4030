#include "store/state/engine_state_rows.hpp"

#include <future>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::store {
namespace {

constexpr std::size_t rows_of_a_commit = 4096;

}  // namespace

engine_state_rows::engine_state_rows(engine& where, committer& writer, std::string partition, base::metrics* figures,
                                     std::chrono::milliseconds every)
    : where_(where),
      writer_(writer),
      partition_(std::move(partition)),
      dropped_(figures ? &figures->get_counter("store.state.dropped") : nullptr),
      every_(every),
      thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

engine_state_rows::~engine_state_rows() {
  thread_.request_stop();
  thread_.join();
  (void)write();
}

base::status engine_state_rows::load(const std::function<void(std::string_view, std::string_view)>& each) {
  auto now = where_.read(partition_);
  if (!now) return base::fail(now.error());
  for (key_range range = key_range::all();;) {
    const auto rows = (*now)->scan(range);
    if (!rows) return base::fail(rows.error());
    for (std::size_t i = 0; i < rows->size(); ++i) each((*rows)[i].key, (*rows)[i].value);
    if (!rows->more()) return {};
    range = range.after(rows->back().key);
  }
}

void engine_state_rows::change(std::string key, std::optional<std::string> value) {
  std::lock_guard lock(mutex_);
  if (pending_.size() >= base::limits::state_pending && !pending_.contains(key)) {
    if (dropped_) dropped_->add();
    return;
  }
  pending_.insert_or_assign(std::move(key), std::move(value));
}

void engine_state_rows::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      waiting_.wait_for(lock, stop, every_, [] { return false; });
    }
    // What could not be written waits for the next round.
    (void)write();
  }
}

base::status engine_state_rows::flush() { return write(); }

base::status engine_state_rows::write() {
  std::lock_guard one(writing_);
  for (;;) {
    changes batch;
    {
      std::lock_guard lock(mutex_);
      while (!pending_.empty() && batch.size() < rows_of_a_commit) batch.insert(pending_.extract(pending_.begin()));
    }
    if (batch.empty()) return {};
    if (const auto done = commit(batch); !done) {
      std::lock_guard lock(mutex_);
      pending_.merge(batch);  // newer values stay
      return done;
    }
  }
}

base::status engine_state_rows::commit(const changes& batch) {
  transaction work;
  work.write(partition_, [&batch](const view&, std::span<const blob_ref>, store::batch& out) -> base::status {
    for (const auto& [key, value] : batch) {
      if (value) out.put(key, *value);
      else out.erase(key);
    }
    return {};
  });
  std::promise<base::status> done;
  writer_.submit(std::move(work), [&done](base::result<receipt> answer) {
    done.set_value(answer ? base::status() : base::fail(answer.error()));
  });
  return done.get_future().get();
}

}  // namespace briefwerk::store
