// The reference engine. A partition is a persistent treap (path-copying balanced tree): a view is a pointer to its
// root, and a commit copies only the paths that it changes.

#include <mutex>
#include <unordered_map>

#include "briefwerk/store/memory_engine.hpp"
#include "store/engine/dead_ledger.hpp"
#include "store/engine/names.hpp"
#include "store/engine/watchers.hpp"

namespace briefwerk::store {
namespace {

struct node;
using tree = std::shared_ptr<const node>;

struct node {
  std::shared_ptr<const std::string> value;
  std::string key;
  std::size_t priority;
  tree left, right;
};

tree with(const node& n, tree left, tree right) {
  return std::make_shared<const node>(node{n.value, n.key, n.priority, std::move(left), std::move(right)});
}

tree join(const tree& a, const tree& b) {  // every key of a before every key of b
  if (!a) return b;
  if (!b) return a;
  if (a->priority > b->priority) return with(*a, a->left, join(a->right, b));
  return with(*b, join(a, b->left), b->right);
}

// Keys before `key`, keys after it; the key itself is dropped.
std::pair<tree, tree> split(const tree& t, std::string_view key) {
  if (!t) return {};
  if (t->key < key) {
    auto [low, high] = split(t->right, key);
    return {with(*t, t->left, std::move(low)), std::move(high)};
  }
  if (key < t->key) {
    auto [low, high] = split(t->left, key);
    return {std::move(low), with(*t, std::move(high), t->right)};
  }
  return {t->left, t->right};
}

tree write(const tree& t, const std::string& key, const std::optional<std::string>& value) {
  auto [low, high] = split(t, key);
  if (!value) return join(low, high);
  const std::size_t priority = std::hash<std::string_view>{}(key) * 0x9e3779b97f4a7c15u;
  auto middle = std::make_shared<const node>(
      node{std::make_shared<const std::string>(*value), key, priority, nullptr, nullptr});
  return join(join(low, middle), high);
}

// False when the page is full.
bool collect_rows(const node* t, const key_range& range, const page_limit& limit, page& out) {
  if (t == nullptr) return true;
  const bool after_first = t->key >= range.first;
  const bool before_last = range.last.empty() || t->key < range.last;
  if (after_first && !collect_rows(t->left.get(), range, limit, out)) return false;
  if (after_first && before_last && !out.add(t->key, *t->value, limit)) return false;
  return !before_last || collect_rows(t->right.get(), range, limit, out);
}

// False: `f` said so by its error, which is in `ended`.
bool walk_rows(const node* t, const key_range& range, const view::row_function& f, base::status& ended) {
  if (t == nullptr) return true;
  const bool after_first = t->key >= range.first;
  const bool before_last = range.last.empty() || t->key < range.last;
  if (after_first && !walk_rows(t->left.get(), range, f, ended)) return false;
  if (after_first && before_last && !(ended = f(t->key, *t->value))) return false;
  return !before_last || walk_rows(t->right.get(), range, f, ended);
}

struct partition_state {
  version_number version = 0;
  tree root;
};

class memory_view final : public view {
 public:
  explicit memory_view(partition_state of) : of_(std::move(of)) {}
  version_number version() const noexcept override { return of_.version; }
  base::result<std::optional<octets>> get(std::string_view key) const override {
    const node* t = of_.root.get();
    while (t != nullptr && t->key != key) t = (key < t->key ? t->left : t->right).get();
    if (t == nullptr) return std::optional<octets>();
    return octets(t->value, *t->value);
  }
  base::result<page> scan(const key_range& range, page_limit limit) const override {
    page out;
    collect_rows(of_.root.get(), range, limit, out);
    return out;
  }
  base::status walk(const key_range& range, const row_function& f, caching) const override {
    base::status ended;
    walk_rows(of_.root.get(), range, f, ended);
    return ended;
  }

 private:
  partition_state of_;
};

using partition_map = std::unordered_map<std::string, partition_state, text_hash, std::equal_to<>>;

base::result<std::unique_ptr<view>> view_of(const partition_map& all, std::string_view partition) {
  if (!good_partition(partition)) return base::fail(base::errc::malformed);
  const auto at = all.find(partition);
  return std::make_unique<memory_view>(at == all.end() ? partition_state{} : at->second);
}

class memory_moment final : public moment {
 public:
  explicit memory_moment(partition_map all) : all_(std::move(all)) {}
  base::result<std::unique_ptr<view>> read(std::string_view partition) const override {
    return view_of(all_, partition);
  }

 private:
  partition_map all_;
};

class memory_engine final : public engine {
 public:
  explicit memory_engine(const base::clock& time) : time_(time) {}

  base::result<std::unique_ptr<view>> read(std::string_view partition) const override {
    std::lock_guard lock(mutex_);
    return view_of(partitions_, partition);
  }

  base::result<octets> read_blob(const blob_ref& ref) const override {
    std::lock_guard lock(mutex_);
    const auto at = blobs_.find(ref);
    if (at == blobs_.end()) return base::fail(base::errc::not_found);
    return octets(at->second, *at->second);
  }

  base::result<octets> read_blob_beginning(const blob_ref& ref, std::uint64_t most) const override {
    auto all = read_blob(ref);
    if (!all) return base::fail(all.error());
    return octets(all->owner(), all->view().substr(0, most));
  }

  subscription watch(std::string_view partition, watch_function changed) override {
    return watchers_.add(partition, std::move(changed));
  }

  base::result<encoded_blob> encode(const blob_parts& parts) const override {
    encoded_blob blob;
    blob.parts = parts;
    for (const auto part : parts) blob.raw_size += part.size();
    if (blob.raw_size > base::limits::store_blob) return base::fail(base::errc::limit_exceeded);
    blob.stored_size = blob.raw_size;
    return blob;
  }

  base::result<std::unique_ptr<group>> begin(std::uint64_t) override {
    return std::make_unique<memory_group>(*this);
  }

  bool group_is_atomic() const noexcept override { return true; }

  base::result<collect_report> collect(const mark_blobs& mark, std::chrono::milliseconds grace) override {
    std::unique_lock lock(mutex_);
    std::unordered_map<blob_ref, bool> candidates;
    for (const auto& blob : blobs_)
      if (!placed_.contains(blob.first)) candidates.emplace(blob.first, true);
    const memory_moment all(partitions_);
    lock.unlock();
    auto marked = mark(all, [&](const blob_ref& ref) { candidates.erase(ref); });
    if (!marked) return base::fail(marked.error());

    lock.lock();
    collect_report report;
    report.live = blobs_.size() - candidates.size();
    dead_.begin(time_.steady());
    for (const auto& [ref, unused] : candidates) {
      if (dead_.ripe(ref, grace)) {
        const auto at = blobs_.find(ref);
        if (at == blobs_.end()) continue;
        ++report.freed;
        report.freed_octets += at->second->size();
        blobs_.erase(at);
      } else {
        ++report.dead;
      }
    }
    dead_.end();
    return report;
  }

 private:
  class memory_group final : public group {
   public:
    explicit memory_group(memory_engine& in) : in_(in) {}
    memory_group(const memory_group&) = delete;
    ~memory_group() override {
      std::lock_guard lock(in_.mutex_);
      for (const auto& ref : placed_) in_.placed_.erase(ref);
    }
    base::result<blob_ref> place(const encoded_blob& blob) override {
      auto all = std::make_shared<std::string>();
      all->reserve(blob.stored_size);
      for (const auto part : blob.parts) all->append(part);
      std::lock_guard lock(in_.mutex_);
      const std::uint64_t number = ++in_.last_blob_;
      blob_ref ref;
      std::memcpy(ref.octets.data(), &number, sizeof number);
      in_.blobs_.emplace(ref, std::move(all));
      in_.placed_.emplace(ref, true);
      placed_.push_back(ref);
      return ref;
    }
    void commit(std::span<change> changes, const std::function<void()>& meanwhile) override {
      if (meanwhile && !changes.empty()) meanwhile();
      in_.commit(changes);
    }

   private:
    memory_engine& in_;
    std::vector<blob_ref> placed_;
  };

  void commit(std::span<change> changes) {
    {
      std::lock_guard lock(mutex_);
      bool good = true;
      for (change& c : changes) {
        c.outcome = {};
        if (!good_change(c))
          c.outcome = base::errc::malformed;
        else if (const auto at = partitions_.find(c.partition);
                 (at == partitions_.end() ? 0 : at->second.version) != c.expected)
          c.outcome = base::errc::conflict;
        good = good && !c.outcome;
      }
      for (change& c : changes) {
        if (!good && !c.outcome) c.outcome = base::errc::conflict;
        if (!good) continue;
        partition_state& state = partitions_[std::string(c.partition)];
        for (const auto& [key, value] : c.writes->writes()) state.root = write(state.root, key, value);
        c.committed = ++state.version;
      }
    }
    for (const change& c : changes)
      if (!c.outcome) watchers_.publish(c.partition, {.version = c.committed, .writes = c.writes, .before = c.expected});
  }

  const base::clock& time_;
  mutable std::mutex mutex_;
  partition_map partitions_;
  std::unordered_map<blob_ref, std::shared_ptr<const std::string>> blobs_;
  std::unordered_map<blob_ref, bool> placed_;  // by groups still open: no view can show a reference yet
  std::uint64_t last_blob_ = 0;
  watchers watchers_;
  dead_ledger dead_;
};

}  // namespace

std::unique_ptr<engine> make_memory_engine(const base::clock* time) {
  return std::make_unique<memory_engine>(time != nullptr ? *time : base::system_clock());
}

}  // namespace briefwerk::store
