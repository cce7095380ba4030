#include "store/queue/engine_queue_store.hpp"

#include "store/mailbox/account_reader.hpp"
#include "store/mailbox/delivery.hpp"
#include "store/queue/queue_records.hpp"

namespace briefwerk::store {
namespace {

constexpr page_limit scan_limit{.rows = 1000, .octets = 1u << 20};
constexpr std::size_t most_damaged = 10000;  // keys remembered

}  // namespace

// One damaged item must not hold up all others. The queue is looked at every second, so each is reported once.
void engine_queue_store::report_damaged(std::string_view key) {
  std::lock_guard lock(mutex_);
  if (damaged_.size() >= most_damaged || !damaged_.emplace(key).second) return;
  (void)core_.report.corrupt(keys::queue_partition, key);
}

base::task<base::result<std::vector<queue_item>>> engine_queue_store::due(std::int64_t until, std::size_t most) {
  auto now = core_.where.read(keys::queue_partition);
  if (!now) co_return base::fail(now.error());
  std::vector<queue_item> items;
  key_range range = key_range::prefix(std::string(1, queue_keys::due));
  while (items.size() < most) {
    auto rows = (*now)->scan(range, {.rows = std::min(most - items.size(), scan_limit.rows), .octets = scan_limit.octets});
    if (!rows) co_return base::fail(rows.error());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      const std::string_view key = (*rows)[i].key;
      const auto entry = queue_keys::parse_due(key);
      if (!entry) {
        report_damaged(key);
        continue;
      }
      if (entry->next_attempt > until) co_return items;
      auto item = read_queue_item(**now, entry->id);
      if (!item && item.error() != base::errc::corrupt) co_return base::fail(item.error());
      if (item && *item) items.push_back(std::move(**item));
      else report_damaged(key);
    }
    if (!rows->more()) break;
    range = range.after(rows->back().key);
  }
  co_return items;
}

base::task<base::result<std::int64_t>> engine_queue_store::next_due() {
  auto now = core_.where.read(keys::queue_partition);
  if (!now) co_return base::fail(now.error());
  auto rows = (*now)->scan(key_range::prefix(std::string(1, queue_keys::due)), {.rows = 1});
  if (!rows) co_return base::fail(rows.error());
  if (rows->empty()) co_return std::int64_t{0};
  const auto entry = queue_keys::parse_due((*rows)[0].key);
  if (!entry) co_return core_.report.corrupt(keys::queue_partition, (*rows)[0].key);
  co_return entry->next_attempt;
}

base::task<base::result<std::vector<queue_item>>> engine_queue_store::list(std::string after_id, std::size_t most) {
  auto now = core_.where.read(keys::queue_partition);
  if (!now) co_return base::fail(now.error());
  std::vector<queue_item> items;
  key_range range = key_range::prefix(std::string(1, queue_keys::item));
  if (!after_id.empty()) range = range.after(queue_keys::of_item(after_id));
  while (items.size() < most) {
    auto rows = (*now)->scan(range, {.rows = std::min(most - items.size(), scan_limit.rows), .octets = scan_limit.octets});
    if (!rows) co_return base::fail(rows.error());
    for (std::size_t i = 0; i < rows->size(); ++i) {
      const page::row row = (*rows)[i];
      auto item = decode_queue_item(row.value, row.key.substr(1));
      if (item) items.push_back(std::move(*item));
      else report_damaged(row.key);
    }
    if (!rows->more()) break;
    range = range.after(rows->back().key);
  }
  co_return items;
}

base::task<base::result<queue_item>> engine_queue_store::find(std::string id) {
  auto now = core_.where.read(keys::queue_partition);
  if (!now) co_return base::fail(now.error());
  auto item = read_queue_item(**now, core_.report, id);
  if (!item) co_return base::fail(item.error());
  if (!*item) co_return base::fail(base::errc::not_found);
  co_return std::move(**item);
}

base::task<base::status> engine_queue_store::update(queue_item item) {
  co_return co_await core_.commit(std::string(keys::queue_partition),
                                  [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
                                    queue_writer queue(now, core_.report, out);
                                    if (auto done = queue.replace(item); !done) return done;
                                    return queue.finish();
                                  },
                                  true);
}

base::task<base::status> engine_queue_store::reschedule(std::string id, std::int64_t next_attempt) {
  co_return co_await core_.commit(std::string(keys::queue_partition),
                                  [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
                                    auto item = read_queue_item(now, core_.report, id);
                                    if (!item) return base::fail(item.error());
                                    if (!*item) return base::fail(base::errc::not_found);
                                    (*item)->next_attempt = next_attempt;
                                    queue_writer queue(now, core_.report, out);
                                    if (auto done = queue.replace(**item); !done) return done;
                                    return queue.finish();
                                  },
                                  true);
}

base::task<base::status> engine_queue_store::remove(std::string id) {
  co_return co_await core_.commit(std::string(keys::queue_partition),
                                  [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
                                    queue_writer queue(now, core_.report, out);
                                    if (auto done = queue.remove(id); !done) return done;
                                    return queue.finish();
                                  },
                                  true);
}

base::task<base::status> engine_queue_store::finish(queue_item item, bool done, message_source report,
                                                    std::vector<local_target> report_targets,
                                                    std::vector<queue_item> report_queue) {
  transaction work;
  work.brief = report_targets.size() + report_queue.size() <= 8;
  // A report that a mailbox refuses must not keep the item in the queue for ever: only that target is left out.
  delivery notice(core_, report, std::move(report_targets), std::move(report_queue), delivery::refusal::target_alone);
  work.write(std::string(keys::queue_partition),
             [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
               queue_writer queue(now, core_.report, out);
               const auto changed = done ? queue.remove(item.id) : queue.replace(item);
               return changed ? queue.finish() : changed;
             });
  notice.add_to(work);
  auto committed = co_await core_.writer.commit(std::move(work));
  if (!committed) co_return base::fail(committed.error());
  co_return base::status();
}

base::task<base::result<message_octets>> engine_queue_store::read(blob_ref message) {
  co_return co_await core_.read_blob(message);
}

base::task<base::result<std::size_t>> engine_queue_store::size() {
  auto now = core_.where.read(keys::queue_partition);
  if (!now) co_return base::fail(now.error());
  auto count = read_queue_count(**now, core_.report);
  if (!count) co_return base::fail(count.error());
  co_return static_cast<std::size_t>(*count);
}

subscription engine_queue_store::watch(std::function<void()> changed) {
  return core_.where.watch(keys::queue_partition, [changed = std::move(changed)](const commit_notice&) { changed(); });
}

base::status mark_queue(const view& now, const faults& report, const std::function<void(const blob_ref&)>& mark) {
  const account_reader read(now, keys::queue_partition, report);
  return read.rows(key_range::prefix(std::string(1, queue_keys::item)),
                   [&](std::string_view key, std::string_view value) -> base::status {
                     auto item = decode_queue_item(value, key.substr(1));
                     if (!item) return read.corrupt(key);
                     mark(item->message);
                     return {};
                   });
}

}  // namespace briefwerk::store
