#pragma once

// The index: what stands in RocksDB (FORMAT.md, "Index"), and views of it.

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/store/engine.hpp"
#include "store/engine/journal.hpp"

namespace briefwerk::store {

std::error_code index_error(const rocksdb::Status& status);

// A row of a partition is kept under: partition, NUL, key.
void add_row(rocksdb::WriteBatch& writes, std::string_view partition, std::string_view key,
             const std::optional<std::string_view>& value);

// How far the journal is applied; written with every group, so that what is flushed says how far it goes.
void add_position(rocksdb::WriteBatch& writes, const journal_position& position);
base::result<journal_position> read_position(rocksdb::DB& db);  // of a new index: before everything

// The row under a whole key (partition, NUL, key); without a snapshot as it is now.
base::result<std::optional<octets>> read_row(rocksdb::DB& db, const rocksdb::Snapshot* as_of, std::string_view whole);

class index_snapshot {
 public:
  explicit index_snapshot(rocksdb::DB& db) : db_(db), held_(db.GetSnapshot()) {}
  index_snapshot(const index_snapshot&) = delete;
  ~index_snapshot() { db_.ReleaseSnapshot(held_); }
  rocksdb::DB& db() const noexcept { return db_; }
  const rocksdb::Snapshot* get() const noexcept { return held_; }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* const held_;
};

class index_view final : public view {
 public:
  index_view(std::shared_ptr<index_snapshot> snapshot, std::string_view partition, version_number version)
      : snapshot_(std::move(snapshot)), prefix_(std::string(partition) + '\0'), version_(version) {}
  version_number version() const noexcept override { return version_; }
  base::result<std::optional<octets>> get(std::string_view key) const override;
  base::result<page> scan(const key_range& range, page_limit limit) const override;
  base::status walk(const key_range& range, const row_function& f, caching how) const override;

 private:
  std::string end_of(const key_range& range) const;
  rocksdb::ReadOptions reading(const rocksdb::Slice& end) const;  // `end` must outlive the reading

  const std::shared_ptr<index_snapshot> snapshot_;
  const std::string prefix_;
  const version_number version_;
};

class index_moment final : public moment {
 public:
  index_moment(std::shared_ptr<index_snapshot> snapshot, version_number version)
      : snapshot_(std::move(snapshot)), version_(version) {}
  base::result<std::unique_ptr<view>> read(std::string_view partition) const override;

 private:
  const std::shared_ptr<index_snapshot> snapshot_;
  const version_number version_;
};

}  // namespace briefwerk::store
