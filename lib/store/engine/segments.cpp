#include "store/engine/segments.hpp"

#include <algorithm>
#include <utility>

namespace briefwerk::store {

std::shared_ptr<segment> segment_table::add(std::string path, const journal_format::segment_header& header,
                                            std::uint64_t end) {
  auto made = std::make_shared<segment>();
  made->path = std::move(path);
  made->header = header;
  made->end = end;
  std::lock_guard lock(mutex_);
  all_[header.number] = made;
  return made;
}

void segment_table::remove(std::uint32_t number) {
  std::lock_guard lock(mutex_);
  const auto at = all_.find(number);
  if (at == all_.end()) return;
  {
    std::lock_guard of(at->second->mutex);
    if (at->second->mapped) --mapped_;  // readers may hold it longer
  }
  all_.erase(at);
}

std::shared_ptr<segment> segment_table::find(std::uint32_t number) const {
  std::shared_lock lock(mutex_);
  const auto at = all_.find(number);
  return at == all_.end() ? nullptr : at->second;
}

std::vector<std::shared_ptr<segment>> segment_table::all() const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<segment>> out;
  for (const auto& entry : all_) out.push_back(entry.second);
  return out;
}

base::result<segment_view> segment_table::view(segment& of) {
  of.last_used.store(uses_.fetch_add(1, std::memory_order_relaxed), std::memory_order_relaxed);
  const std::uint64_t end = of.end.load(std::memory_order_acquire);
  bool fresh = false;
  segment_view out;
  {
    std::lock_guard lock(of.mutex);
    if (!of.mapped || of.mapped_size < end) {
      auto file = disk_.open(of.path, false);
      if (!file) return base::fail(file.error());
      // Room for what is still to come, so that a segment in use is mapped once.
      const std::uint64_t size = std::max(end, segment_octets_);
      auto mapped = (*file)->map(size);
      if (!mapped) return base::fail(mapped.error());
      fresh = !of.mapped;
      of.mapped = std::move(*mapped);
      of.mapped_size = size;
    }
    out = {of.mapped, of.header.salt, end};
  }
  if (fresh && ++mapped_ > most_mapped_) unmap_oldest();
  return out;
}

void segment_table::unmap_oldest() {
  std::shared_ptr<segment> oldest;
  for (auto& s : all()) {
    std::lock_guard lock(s->mutex);
    if (s->mapped && (!oldest || s->last_used < oldest->last_used)) oldest = s;
  }
  if (!oldest) return;
  std::lock_guard lock(oldest->mutex);
  if (std::exchange(oldest->mapped, nullptr)) --mapped_;
}

}  // namespace briefwerk::store
