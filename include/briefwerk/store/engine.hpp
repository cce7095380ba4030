#pragma once

// The bottom of the store: an ordered map of keys to values, split in partitions, and blobs beside it.
//
// A partition is named by a short string: "a/<account id>", "q" (queue), "d" (directory). Inside one partition a
// commit is atomic and conditional; across partitions it is so only where group_is_atomic() says it. Nothing is
// asked here that a distributed object store could not give: conditional commit inside one partition, forward scans
// of about a thousand keys a call, no process-local state that is the only truth.
//
// Writers do not use engines directly but a committer (committer.hpp), which merges what many sessions write.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/store/blob.hpp"

namespace briefwerk::store {

// Grows with each commit to a partition; nothing follows from the distance of two. A partition never written has a
// version too (perhaps 0). After a reopen a version may have grown without a commit, it never shrinks.
using version_number = std::uint64_t;

// Keys from `first` (included) to `last` (excluded; empty: to the end of the partition).
struct key_range {
  std::string first;
  std::string last;

  static key_range all() { return {}; }
  static key_range prefix(std::string_view prefix) { return {std::string(prefix), end_of_prefix(prefix)}; }
  // The least key behind all keys that start with `prefix`; empty when there is none.
  static std::string end_of_prefix(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && end.back() == '\xff') end.pop_back();
    if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return end;
  }
  // What is left after `key` was seen.
  key_range after(std::string_view key) const { return {std::string(key) + '\0', last}; }
};

// Bounds of one scan. A page holds at least one row when there is one, whatever its size.
struct page_limit {
  std::size_t rows = 1000;
  std::size_t octets = 1u << 20;  // keys and values together
};

// Rows of a scan in key order, all in one buffer. Views live as long as the page stays where it is.
class page {
 public:
  struct row {
    std::string_view key;
    std::string_view value;
  };
  std::size_t size() const noexcept { return rows_.size(); }
  bool empty() const noexcept { return rows_.empty(); }
  row operator[](std::size_t i) const noexcept {
    const place& p = rows_[i];
    const std::string_view all = buffer_;
    return {all.substr(p.offset, p.key), all.substr(p.offset + p.key, p.value)};
  }
  row back() const noexcept { return (*this)[size() - 1]; }
  bool more() const noexcept { return more_; }  // the range may hold rows behind the last one
  // False when the page is full under `limit`; then the row is not added and more() is true.
  bool add(std::string_view key, std::string_view value, const page_limit& limit) {
    const bool full = rows_.size() >= limit.rows || buffer_.size() + key.size() + value.size() > limit.octets;
    if (full && !rows_.empty()) {
      more_ = true;
      return false;
    }
    rows_.push_back({buffer_.size(), key.size(), value.size()});
    buffer_.append(key).append(value);
    return true;
  }

 private:
  struct place {
    std::size_t offset, key, value;
  };
  std::string buffer_;
  std::vector<place> rows_;
  bool more_ = false;
};

// A consistent view of one partition: nothing committed later is seen. Calls may block on the disk or the network.
// One thread at a time; the engine must outlive it. Holding one for long keeps old data alive: minutes, not days.
class view {
 public:
  virtual ~view() = default;
  virtual version_number version() const noexcept = 0;
  // nullopt: no such key. Errors: corrupt, unavailable.
  virtual base::result<std::optional<octets>> get(std::string_view key) const = 0;
  // The rows of the range from its beginning, up to the limit; go on with range.after(page.back().key).
  virtual base::result<page> scan(const key_range& range, page_limit limit = {}) const = 0;
  // All rows of the range in key order, as they lie in the engine. What `f` is given lives until it returns; it may read
  // from this view; its error ends the walk and is the walk's own. What is much and read once need not be kept in the
  // engine's caches.
  using row_function = std::function<base::status(std::string_view key, std::string_view value)>;
  enum class caching { none, kept };
  virtual base::status walk(const key_range& range, const row_function& f, caching = caching::none) const {
    for (key_range rest = range;;) {
      auto rows = scan(rest);
      if (!rows) return base::fail(rows.error());
      for (std::size_t i = 0; i < rows->size(); ++i)
        if (auto done = f((*rows)[i].key, (*rows)[i].value); !done) return done;
      if (!rows->more()) return {};
      rest = rest.after(rows->back().key);
    }
  }
};

// Writes to one partition, applied together: a key is put or erased; the last word on a key counts.
class batch {
 public:
  using map_type = std::map<std::string, std::optional<std::string>, std::less<>>;
  void put(std::string_view key, std::string value) { set(key, std::move(value)); }
  void erase(std::string_view key) { set(key, std::nullopt); }
  bool empty() const noexcept { return writes_.empty(); }
  std::size_t size() const noexcept { return writes_.size(); }
  const map_type& writes() const noexcept { return writes_; }  // nullopt: erased
  map_type& writes() noexcept { return writes_; }

 private:
  void set(std::string_view key, std::optional<std::string> value) {
    if (auto at = writes_.find(key); at != writes_.end())
      at->second = std::move(value);
    else
      writes_.emplace(key, std::move(value));
  }
  map_type writes_;
};

// One partition's part of a commit.
struct change {
  std::string_view partition;
  version_number expected = 0;  // of the view that the writes were made from
  const batch* writes = nullptr;
  // Answers:
  std::error_code outcome;       // none: durable and visible. conflict: another writer was first, nothing was written
  version_number committed = 0;  // the partition's version after the commit
};

// What a watcher is told of a partition.
struct commit_notice {
  version_number version = 0;     // not older than the one committed; versions may be skipped
  // All that was written since `before`, in the one commit that led from there to `version`. Null where that is not
  // known: another process committed, or several commits are told at once. Lives until the call ends.
  const batch* writes = nullptr;
  version_number before = 0;
};
using watch_function = std::move_only_function<void(const commit_notice&)>;

// A commit in the making. Belongs to one thread; the engine must outlive it.
class group {
 public:
  virtual ~group() = default;  // what was not committed is never seen
  // Names a blob which becomes durable, at the latest, with commit(). The blob's octets must live until then.
  virtual base::result<blob_ref> place(const encoded_blob& blob) = 0;
  // Makes the blobs placed and the changes durable with one sync, publishes the new versions to watchers, and fills
  // in each change's answers. After conflicts it may be called again, with new changes made from new views.
  // `meanwhile`, when given, is called once while the disk writes (or before): for what is to be done in any case and needs no
  // answer. It must be quick, not throw, and not call the engine.
  //   no_space: nothing was written, and it may be tried again when there is space.
  //   conflict: as above.
  //   any other error: unknown whether the change survives; the engine refuses commits until it is reopened
  //   (a disk that failed a sync may have dropped the data, so no later success can be believed).
  virtual void commit(std::span<change> changes, const std::function<void()>& meanwhile = {}) = 0;
};

// While it lives, the callback is called. After the destructor has returned it neither runs nor will run.
class subscription {
 public:
  subscription() = default;
  explicit subscription(std::move_only_function<void()> stop) : stop_(std::move(stop)) {}
  subscription(subscription&& other) noexcept : stop_(std::exchange(other.stop_, nullptr)) {}
  subscription& operator=(subscription&& other) noexcept {
    std::swap(stop_, other.stop_);
    return *this;
  }
  ~subscription() {
    if (stop_) stop_();
  }

 private:
  std::move_only_function<void()> stop_;
};

// All partitions as of one moment. The engine must outlive it; one thread at a time.
class moment {
 public:
  virtual ~moment() = default;
  virtual base::result<std::unique_ptr<view>> read(std::string_view partition) const = 0;
};

struct collect_report {
  std::uint64_t live = 0;          // blobs that are referenced, or too young to judge
  std::uint64_t dead = 0;          // blobs that nobody references, waiting for the end of their grace
  std::uint64_t freed = 0;         // blobs given back now
  std::uint64_t freed_octets = 0;  // of the disk, by estimate
};

// Calls mark(ref) for every blob that any partition references at that moment. An error ends the collection, and
// nothing is freed.
using mark_blobs = std::function<base::status(const moment& all, const std::function<void(const blob_ref&)>& mark)>;

// Thread-safe, but for the objects that it hands out. Partition names: 1 to limits::store_partition octets without
// NUL; keys: 1 to limits::store_key octets; values: up to limits::store_value; else errc::malformed.
class engine {
 public:
  virtual ~engine() = default;

  virtual base::result<std::unique_ptr<view>> read(std::string_view partition) const = 0;

  // What read(partition) would answer for its version, and for one row: for callers to whom a view costs too much.
  virtual base::result<version_number> version(std::string_view partition) const {
    auto now = read(partition);
    if (!now) return base::fail(now.error());
    return (*now)->version();
  }
  virtual base::result<std::optional<octets>> get(std::string_view partition, std::string_view key) const {
    auto now = read(partition);
    if (!now) return base::fail(now.error());
    return (*now)->get(key);
  }

  // The blob's octets, their checksum verified by this call. May block on the disk. not_found: no such blob (any
  // more); corrupt: the stored octets are damaged.
  virtual base::result<octets> read_blob(const blob_ref& ref) const = 0;
  // The first `most` octets of the blob at least, or all where it has no more; otherwise as read_blob(). For who needs
  // little of what may be large and compressed.
  virtual base::result<octets> read_blob_beginning(const blob_ref& ref, std::uint64_t most) const {
    static_cast<void>(most);
    return read_blob(ref);
  }

  // Called on a thread of the engine, after views show what was committed. The callback must be cheap (post to an
  // executor), not throw, and not call the engine.
  virtual subscription watch(std::string_view partition, watch_function changed) = 0;

  // Compresses when that pays. Thread-safe, takes time for large blobs: not for a thread that serves sessions when
  // parts exceed limits::store_encode_inline. `parts` must outlive the answer.
  virtual base::result<encoded_blob> encode(const blob_parts& parts) const = 0;

  // Begins a commit. `octets` estimates the blobs' stored size. May block while another group is open.
  virtual base::result<std::unique_ptr<group>> begin(std::uint64_t octets) = 0;

  // Whether the changes of one group().commit() stand or fall together across partitions.
  virtual bool group_is_atomic() const noexcept = 0;

  // Frees blobs that were found unreferenced by this collection and by one at least `grace` ago (zero: by this one
  // alone, for tests). The grace must exceed the longest time that anybody holds a blob_ref outside the engine, or
  // octets of a blob. Takes long; call it on a thread of its own, one at a time.
  virtual base::result<collect_report> collect(const mark_blobs& mark, std::chrono::milliseconds grace) = 0;
};

}  // namespace briefwerk::store
