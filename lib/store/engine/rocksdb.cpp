// The engine of journal and RocksDB: the journal makes a group durable, RocksDB (without a log of its own) shows it.

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <algorithm>
#include <atomic>
#include <mutex>

#include "store/engine/blob_codec.hpp"
#include "store/engine/folder.hpp"
#include "store/engine/index_view.hpp"
#include "store/engine/journal.hpp"
#include "store/engine/names.hpp"
#include "store/engine/partitions.hpp"
#include "store/engine/rocksdb_parts.hpp"
#include "store/engine/watchers.hpp"

namespace briefwerk::store {
namespace {

constexpr std::size_t known_octets = 8u << 20;  // of rows that were asked for one by one

rocksdb::WriteOptions without_log() {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return options;
}

// Where the memtable begins to look for a row's place: beside the last one of the same partition whose key begins with the same
// octet, its kind (keys.hpp). New messages, and new versions of a row, come just there.
class row_neighbours final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "briefwerk.row_neighbours"; }
  rocksdb::Slice Transform(const rocksdb::Slice& row) const override {
    const std::string_view name(row.data(), row.size());
    return {row.data(), std::min(name.find('\0'), name.size() - 2) + 2};
  }
  bool InDomain(const rocksdb::Slice& row) const override { return row.size() >= 2; }
};

// RocksDB tells of failed flushes and compactions on its own threads.
class background_errors final : public rocksdb::EventListener {
 public:
  explicit background_errors(base::log_sink& log) : log_(log) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* why) override {
    seen = true;
    log_.log(base::log_level::error, "store.index.background_error", {{"reason", why->ToString()}});
  }
  std::atomic<bool> seen{false};

 private:
  base::log_sink& log_;
};

rocksdb::Options index_options(const rocksdb_options& settings, const rocksdb_parts& parts,
                               const std::shared_ptr<background_errors>& listener) {
  rocksdb::Options options;
  options.create_if_missing = true;
  if (parts.index != nullptr) options.env = parts.index;
  options.listeners.push_back(listener);
  options.write_buffer_size = settings.memtable_octets;
  options.max_write_buffer_number = 3;
  options.max_background_jobs = 2;
  options.allow_concurrent_memtable_write = false;  // one thread writes
  options.memtable_insert_with_hint_prefix_extractor = std::make_shared<row_neighbours>();
  options.max_open_files = settings.open_files;
  options.avoid_flush_during_shutdown = !parts.flush_on_close;
  options.compression = rocksdb::kLZ4Compression;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1u << 20;
  options.stats_dump_period_sec = 0;     // no thread wakes while nothing happens
  options.stats_persist_period_sec = 0;
  options.level_compaction_dynamic_level_bytes = true;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(settings.cache_octets);
  table.cache_index_and_filter_blocks = true;  // or memory would grow with the store
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.block_size = 16u << 10;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

class rocksdb_engine final : public engine {
 public:
  rocksdb_engine(const rocksdb_options& settings, const rocksdb_parts& parts)
      : settings_(settings),
        log_(settings.log != nullptr ? *settings.log : base::null_log()),
        time_(settings.time != nullptr ? *settings.time : base::system_clock()),
        own_disk_(parts.disk == nullptr ? make_system_io() : nullptr),
        disk_(parts.disk != nullptr ? *parts.disk : *own_disk_),
        parts_(parts),
        codec_(settings.compression_level),
        errors_(std::make_shared<background_errors>(log_)) {
    if (settings.figures == nullptr) return;
    octets_ = &settings.figures->get_counter("store.journal.octets");
    sync_time_ = &settings.figures->get_histogram("store.journal.write_and_sync");
  }
  rocksdb_engine(const rocksdb_engine&) = delete;

  // Flushed at an orderly end, so that the next opening replays nothing.
  ~rocksdb_engine() override {
    if (!db_) return;
    if (parts_.flush_on_close) static_cast<void>(db_->Flush(rocksdb::FlushOptions()));
    static_cast<void>(db_->Close());
  }

  base::status open(const std::string& folder, std::string& why) {
    base::status done = disk_.make_folder(folder);
    if (!done) return done;
    auto lock = folder_lock::take(folder + "/LOCK");
    if (!lock) {
      if (lock.error() == base::errc::unavailable) why = folder + " is in use by another process";
      return base::fail(lock.error());
    }
    lock_ = std::move(*lock);
    done = settle_format(disk_, folder, why);
    if (done) done = open_index(folder + "/index", why);
    if (done) done = open_journal(folder + "/journal", why);
    if (done) done = disk_.sync_folder(folder);  // the first time, the journal's name stands there since
    return done;
  }

  base::result<std::unique_ptr<view>> read(std::string_view partition) const override {
    if (!good_partition(partition)) return base::fail(base::errc::malformed);
    // The version first: a view may then show more than its version says, never less.
    const version_number version = partitions_.version(partition);
    return std::make_unique<index_view>(std::make_shared<index_snapshot>(*db_), partition, version);
  }

  base::result<version_number> version(std::string_view partition) const override {
    if (!good_partition(partition)) return base::fail(base::errc::malformed);
    return partitions_.version(partition);
  }

  base::result<std::optional<octets>> get(std::string_view partition, std::string_view key) const override {
    if (!good_partition(partition)) return base::fail(base::errc::malformed);
    auto [version, known] = partitions_.find(partition, key);
    if (known) return std::move(*known);
    auto row = read_row(*db_, nullptr, std::string(partition).append(1, '\0').append(key));
    if (row) partitions_.remember(partition, version, key, *row);
    return row;
  }

  base::result<octets> read_blob(const blob_ref& ref) const override { return journal_->read(ref); }
  base::result<octets> read_blob_beginning(const blob_ref& ref, std::uint64_t most) const override {
    return journal_->read(ref, most);
  }

  subscription watch(std::string_view partition, watch_function changed) override {
    return watchers_.add(partition, std::move(changed));
  }

  base::result<encoded_blob> encode(const blob_parts& parts) const override { return codec_.encode(parts); }

  base::result<std::unique_ptr<group>> begin(std::uint64_t octets) override {
    std::unique_lock lock(commit_mutex_);
    base::status ready = recover();
    if (ready) ready = journal_->begin(octets);
    if (!ready) return base::fail(ready.error());
    return std::make_unique<open_group>(*this, std::move(lock));
  }

  bool group_is_atomic() const noexcept override { return true; }

  base::result<collect_report> collect(const mark_blobs& mark, std::chrono::milliseconds grace) override;

 private:
  class open_group final : public group {
   public:
    open_group(rocksdb_engine& in, std::unique_lock<std::mutex> lock) : in_(in), lock_(std::move(lock)) {}
    open_group(const open_group&) = delete;
    ~open_group() override { in_.journal_->drop(); }
    base::result<blob_ref> place(const encoded_blob& blob) override { return in_.journal_->place(blob); }
    void commit(std::span<change> changes, const std::function<void()>& meanwhile) override {
      if (!changes.empty() && in_.check(changes)) in_.commit(changes, meanwhile);
    }

   private:
    rocksdb_engine& in_;
    std::unique_lock<std::mutex> lock_;
  };

  // A group that is in the journal and not yet in the index.
  struct unapplied_group {
    explicit unapplied_group(std::size_t octets) : writes(octets) {}  // about so many; it grows

    rocksdb::WriteBatch writes;
    version_number version;
    std::vector<std::string> partitions;
  };

  base::status open_index(const std::string& path, std::string& why);
  base::status open_journal(const std::string& path, std::string& why);
  bool check(std::span<change> changes) const;
  void commit(std::span<change> changes, const std::function<void()>& meanwhile);
  // `changes`: what the group was made of; empty where nobody knows any more.
  base::status apply(unapplied_group& g, std::span<const change> changes);
  base::status recover();
  void flush_when_due();

  const rocksdb_options settings_;
  base::log_sink& log_;
  const base::clock& time_;
  const std::unique_ptr<io> own_disk_;
  io& disk_;
  const rocksdb_parts parts_;
  mutable blob_codec codec_;
  const std::shared_ptr<background_errors> errors_;
  base::counter* octets_ = nullptr;
  base::histogram* sync_time_ = nullptr;

  folder_lock lock_;
  std::unique_ptr<rocksdb::DB> db_;
  std::unique_ptr<journal> journal_;

  std::mutex commit_mutex_;  // held by the open group
  std::uint64_t since_flush_ = 0;
  std::unique_ptr<unapplied_group> unapplied_;

  // A partition's version is the number of the group that changed it last; of those that no group since the opening
  // has changed, the number of the last group before.
  mutable partitions partitions_{known_octets};

  std::mutex collect_mutex_;
  dead_ledger dead_;
  watchers watchers_;
};

base::status rocksdb_engine::open_index(const std::string& path, std::string& why) {
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(index_options(settings_, parts_, errors_), path, &opened);
  db_.reset(opened);
  if (!status.ok()) why = path + ": " + status.ToString();
  return status.ok() ? base::status() : base::fail(index_error(status));
}

base::status rocksdb_engine::open_journal(const std::string& path, std::string& why) {
  auto from = read_position(*db_);
  if (!from) {
    why = "the index's journal position is damaged";
    return base::fail(from.error());
  }
  std::uint64_t replayed = 0;
  const auto replay = [&](std::string_view payload, const journal_position& end) -> base::status {
    rocksdb::WriteBatch writes;
    const base::status read = journal_format::read_batch(payload, [&](auto partition, auto key, auto value) {
      add_row(writes, partition, key, value);
    });
    if (!read) {
      why = "journal: the batch of group " + std::to_string(end.group - 1) + " follows no grammar";
      return base::fail(base::errc::corrupt);
    }
    add_position(writes, end);
    ++replayed;
    const rocksdb::Status written = db_->Write(without_log(), &writes);
    if (!written.ok()) why = "index: " + written.ToString();
    return written.ok() ? base::status() : base::fail(index_error(written));
  };
  const journal_options options{settings_.segment_octets, settings_.zero_ahead_octets};
  auto opened = journal::open(disk_, path, options, *from, replay, why);
  if (!opened) return base::fail(opened.error());
  journal_ = std::move(*opened);
  partitions_.begin(journal_->next().group - 1);
  log_.log(base::log_level::info, "store.opened", {{"replayed_groups", replayed}, {"segment", journal_->next().segment}});
  return {};
}

bool rocksdb_engine::check(std::span<change> changes) const {
  bool good = true;
  for (change& c : changes) {
    c.outcome = {};
    if (!good_change(c))
      c.outcome = base::errc::malformed;
    else if (partitions_.version(c.partition) != c.expected)
      c.outcome = base::errc::conflict;
    good = good && !c.outcome;
  }
  if (good) return true;
  for (change& c : changes)
    if (!c.outcome) c.outcome = base::errc::conflict;
  return false;
}

void rocksdb_engine::commit(std::span<change> changes, const std::function<void()>& meanwhile) {
  const auto fail_all = [&](std::error_code why) {
    for (change& c : changes) c.outcome = why;
  };
  const std::string payload = journal_format::write_batch(changes);
  // In RocksDB's batch each row has the name of its partition, and the position is one more.
  auto g = std::make_unique<unapplied_group>(payload.size() + payload.size() / 4 + 128);
  g->version = journal_->next().group;
  const std::uint64_t octets = journal_->pending() + payload.size();
  const auto begin = std::chrono::steady_clock::now();
  const base::status durable = journal_->commit(payload, [&] {
    for (const change& c : changes) {
      g->partitions.emplace_back(c.partition);
      for (const auto& [key, value] : c.writes->writes()) add_row(g->writes, c.partition, key, value);
    }
    if (meanwhile) meanwhile();
  });
  if (!durable) {
    log_.log(base::log_level::error, "store.journal.failed",
             {{"reason", durable.error().message()}, {"reopen", journal_->failed()}});
    return fail_all(durable.error());
  }
  if (sync_time_ != nullptr) sync_time_->record(std::chrono::steady_clock::now() - begin);
  if (octets_ != nullptr) octets_->add(static_cast<std::int64_t>(octets));
  since_flush_ += octets;
  add_position(g->writes, journal_->next());
  const base::status applied = apply(*g, changes);
  if (!applied) {
    // Durable, but not visible: the next commit must build on it, so it comes first.
    unapplied_ = std::move(g);
    return fail_all(make_error_code(base::errc::unavailable));
  }
  for (change& c : changes) c.committed = g->version;
  flush_when_due();
}

base::status rocksdb_engine::apply(unapplied_group& g, std::span<const change> changes) {
  const rocksdb::Status written = db_->Write(without_log(), &g.writes);
  if (!written.ok()) {
    log_.log(base::log_level::error, "store.index.failed", {{"reason", written.ToString()}});
    return base::fail(index_error(written));
  }
  for (const change& c : changes) partitions_.committed(c.partition, g.version, c.writes);
  for (const change& c : changes)
    watchers_.publish(c.partition, {.version = g.version, .writes = c.writes, .before = c.expected});
  if (!changes.empty()) return {};
  for (const auto& partition : g.partitions) partitions_.committed(partition, g.version, nullptr);
  for (const auto& partition : g.partitions) watchers_.publish(partition, {.version = g.version});
  return {};
}

// After a full disk: RocksDB must be able to flush again, and what it missed is applied.
base::status rocksdb_engine::recover() {
  if (errors_->seen.exchange(false)) {  // before, or an error that follows at once would be forgotten
    const rocksdb::Status resumed = db_->Resume();
    if (!resumed.ok()) {
      errors_->seen = true;
      log_.log(base::log_level::error, "store.index.not_resumed", {{"reason", resumed.ToString()}});
      return base::fail(resumed.IsNoSpace() ? base::errc::no_space : base::errc::unavailable);
    }
    log_.log(base::log_level::info, "store.index.resumed", {});
  }
  if (!unapplied_) return {};
  const base::status applied = apply(*unapplied_, {});
  if (!applied) return base::fail(base::errc::unavailable);
  unapplied_.reset();
  return {};
}

void rocksdb_engine::flush_when_due() {
  if (since_flush_ < settings_.replay_octets) return;
  since_flush_ = 0;
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;  // else the call itself waits
  static_cast<void>(db_->Flush(options));
}

base::result<collect_report> rocksdb_engine::collect(const mark_blobs& mark, std::chrono::milliseconds grace) {
  std::lock_guard alone(collect_mutex_);
  journal_position until;
  std::shared_ptr<index_snapshot> snapshot;
  {
    std::lock_guard lock(commit_mutex_);
    const base::status ready = recover();
    if (!ready) return base::fail(ready.error());
    until = journal_->next();
    snapshot = std::make_shared<index_snapshot>(*db_);
  }
  const rocksdb::Status flushed = db_->Flush(rocksdb::FlushOptions());
  if (!flushed.ok()) return base::fail(index_error(flushed));

  std::vector<blob_ref> live;
  const index_moment all(snapshot, until.group - 1);
  const base::status marked = mark(all, [&](const blob_ref& ref) { live.push_back(ref); });
  if (!marked) return base::fail(marked.error());
  std::sort(live.begin(), live.end());
  live.erase(std::unique(live.begin(), live.end()), live.end());

  dead_.begin(time_.steady());
  auto report = journal_->collect(until, live, dead_, grace);
  dead_.end();
  if (report)
    log_.log(base::log_level::info, "store.collected",
             {{"live", report->live}, {"dead", report->dead}, {"freed", report->freed}, {"octets", report->freed_octets}});
  return report;
}

}  // namespace

base::result<std::unique_ptr<engine>> open_rocksdb_engine(const std::string& folder, const rocksdb_options& settings,
                                                          const rocksdb_parts& parts, std::string* why) {
  std::string reason;
  auto made = std::make_unique<rocksdb_engine>(settings, parts);
  const base::status opened = made->open(folder, reason);
  if (opened) return made;
  if (reason.empty()) reason = folder + ": " + opened.error().message();
  if (why != nullptr) *why = reason;
  if (settings.log != nullptr) settings.log->log(base::log_level::error, "store.open_failed", {{"reason", reason}});
  return base::fail(opened.error());
}

base::result<std::unique_ptr<engine>> open_rocksdb_engine(const std::string& folder, const rocksdb_options& settings,
                                                          std::string* why) {
  return open_rocksdb_engine(folder, settings, {}, why);
}

}  // namespace briefwerk::store
