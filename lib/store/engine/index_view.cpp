#include "store/engine/index_view.hpp"

#include "store/engine/names.hpp"

namespace briefwerk::store {
namespace {

// No partition has an empty name, so nothing else begins with NUL.
const rocksdb::Slice position_key("\0position", 9);

rocksdb::Slice slice(std::string_view s) { return {s.data(), s.size()}; }
std::string_view text(const rocksdb::Slice& s) { return {s.data(), s.size()}; }

}  // namespace

std::error_code index_error(const rocksdb::Status& status) {
  if (status.IsCorruption()) return make_error_code(base::errc::corrupt);
  if (status.IsNoSpace()) return make_error_code(base::errc::no_space);
  if (status.IsIOError()) return std::make_error_code(std::errc::io_error);
  return make_error_code(base::errc::unavailable);
}

void add_row(rocksdb::WriteBatch& writes, std::string_view partition, std::string_view key,
             const std::optional<std::string_view>& value) {
  const rocksdb::Slice parts[] = {slice(partition), rocksdb::Slice("\0", 1), slice(key)};
  const rocksdb::SliceParts whole(parts, 3);
  if (value) {
    const rocksdb::Slice one = slice(*value);
    writes.Put(whole, rocksdb::SliceParts(&one, 1));
  } else {
    writes.Delete(whole);
  }
}

// Segment, offset, group: 64 bits each, little-endian.
void add_position(rocksdb::WriteBatch& writes, const journal_position& position) {
  std::string value;
  for (const std::uint64_t n : {std::uint64_t{position.segment}, position.offset, position.group})
    for (int shift = 0; shift < 64; shift += 8) value.push_back(static_cast<char>(n >> shift));
  writes.Put(position_key, value);
}

base::result<journal_position> read_position(rocksdb::DB& db) {
  std::string value;
  const rocksdb::Status status = db.Get(rocksdb::ReadOptions(), position_key, &value);
  if (status.IsNotFound()) return journal_position{};
  if (!status.ok()) return base::fail(index_error(status));
  if (value.size() != 24) return base::fail(base::errc::corrupt);
  std::uint64_t numbers[3] = {};
  for (std::size_t i = 0; i < value.size(); ++i)
    numbers[i / 8] |= std::uint64_t{static_cast<unsigned char>(value[i])} << (8 * (i % 8));
  return journal_position{static_cast<std::uint32_t>(numbers[0]), numbers[1], numbers[2]};
}

base::result<std::optional<octets>> read_row(rocksdb::DB& db, const rocksdb::Snapshot* as_of, std::string_view whole) {
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  auto value = std::make_shared<rocksdb::PinnableSlice>();
  const rocksdb::Status status = db.Get(options, db.DefaultColumnFamily(), slice(whole), value.get());
  if (status.IsNotFound()) return std::optional<octets>();
  if (!status.ok()) return base::fail(index_error(status));
  const std::string_view found = text(*value);
  return octets(std::move(value), found);
}

base::result<std::optional<octets>> index_view::get(std::string_view key) const {
  return read_row(snapshot_->db(), snapshot_->get(), std::string(prefix_).append(key));
}

std::string index_view::end_of(const key_range& range) const {
  std::string end = prefix_ + range.last;
  if (range.last.empty()) end.back() = '\1';  // behind all of partition, NUL, …
  return end;
}

rocksdb::ReadOptions index_view::reading(const rocksdb::Slice& end) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_->get();
  options.iterate_upper_bound = &end;
  return options;
}

base::result<page> index_view::scan(const key_range& range, page_limit limit) const {
  const std::string end = end_of(range);
  const rocksdb::Slice end_slice(end);
  const std::unique_ptr<rocksdb::Iterator> at(snapshot_->db().NewIterator(reading(end_slice)));
  page out;
  for (at->Seek(prefix_ + range.first); at->Valid(); at->Next())
    if (!out.add(text(at->key()).substr(prefix_.size()), text(at->value()), limit)) break;
  if (!at->status().ok()) return base::fail(index_error(at->status()));
  return out;
}

base::status index_view::walk(const key_range& range, const row_function& f, caching how) const {
  const std::string end = end_of(range);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions options = reading(end_slice);
  options.fill_cache = how == caching::kept;
  const std::unique_ptr<rocksdb::Iterator> at(snapshot_->db().NewIterator(options));
  for (at->Seek(prefix_ + range.first); at->Valid(); at->Next())
    if (auto done = f(text(at->key()).substr(prefix_.size()), text(at->value())); !done) return done;
  if (!at->status().ok()) return base::fail(index_error(at->status()));
  return {};
}

base::result<std::unique_ptr<view>> index_moment::read(std::string_view partition) const {
  if (!good_partition(partition)) return base::fail(base::errc::malformed);
  return std::make_unique<index_view>(snapshot_, partition, version_);
}

}  // namespace briefwerk::store
