#include "benchmarks/phone/counted.hpp"

#include <execinfo.h>
#include <link.h>
#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <mutex>
#include <string_view>

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace briefwerk::benchmarks {
namespace {

constexpr std::size_t frames_kept = 20, places = 1u << 14;
constexpr int own_frames = 2;  // remember() and what stands for malloc

struct block {
  void* address = nullptr;  // null: the place is free
  long size = 0;
  owner whose = owner::server;
  int depth = 0;
  void* frames[frames_kept];
};

struct range {
  std::uintptr_t first = 0, last = 0;
  bool holds(const void* address) const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    return first <= at && at < last;
  }
};

std::atomic<bool> counting{false};
std::mutex mutex;  // of all below
allocations counted;
long live = 0;
std::array<long, owners> live_of{};
block table[places], table_at_peak[places];
bool keeps_sites = false;
range program, libraries[owners];
std::uintptr_t program_base = 0;
thread_local bool is_outside = false;  // the client's thread, or this file at work

// Places of one block follow each other from where its address says; freeing closes the gap (linear probing).
std::size_t place_of(const void* address) noexcept {
  return (reinterpret_cast<std::uintptr_t>(address) >> 4) * 0x9e3779b97f4a7c15u >> 50;
}
static_assert(places == std::size_t{1} << (64 - 50));

owner owner_of(const block& one) noexcept {
  for (int i = 0; i < one.depth; ++i) {
    for (const owner each : {owner::engine, owner::tls})
      if (libraries[static_cast<std::size_t>(each)].holds(one.frames[i])) return each;
    if (i >= own_frames && program.holds(one.frames[i])) break;
  }
  return owner::server;
}

[[gnu::noinline]] void remember(void* address) noexcept {
  block one;
  one.address = address;
  one.size = static_cast<long>(::malloc_usable_size(address));
  one.depth = ::backtrace(one.frames, frames_kept);
  one.whose = owner_of(one);
  const auto whose = static_cast<std::size_t>(one.whose);
  const std::lock_guard lock(mutex);
  if (!counting) return;
  ++counted.blocks;
  counted.octets += one.size;
  live += one.size;
  live_of[whose] += one.size;
  std::size_t at = place_of(address);
  while (table[at].address != nullptr) at = (at + 1) % places;
  table[at] = one;
  if (live > counted.peak) {
    counted.peak = live;
    counted.at_peak = live_of;
  }
  if (const long here = live - live_of[static_cast<std::size_t>(owner::tls)]; here > counted.peak_without_tls) {
    counted.peak_without_tls = here;
    if (keeps_sites) std::memcpy(static_cast<void*>(table_at_peak), table, sizeof table);
  }
}

void forget(void* address) noexcept {
  const std::lock_guard lock(mutex);
  std::size_t at = place_of(address);
  for (; table[at].address != address; at = (at + 1) % places)
    if (table[at].address == nullptr) return;  // from before
  live -= table[at].size;
  live_of[static_cast<std::size_t>(table[at].whose)] -= table[at].size;
  table[at].address = nullptr;
  for (std::size_t next = (at + 1) % places; table[next].address != nullptr; next = (next + 1) % places) {
    const std::size_t home = place_of(table[next].address);
    const bool stays = at <= next ? at < home && home <= next : at < home || home <= next;
    if (stays) continue;
    table[at] = table[next];
    table[next].address = nullptr;
    at = next;
  }
}

struct outside {
  outside() noexcept { is_outside = true; }
  ~outside() { is_outside = false; }
};

[[gnu::always_inline]] inline void* add(void* address) noexcept {
  if (address == nullptr || is_outside || !counting.load(std::memory_order_relaxed)) return address;
  const outside here;
  remember(address);
  return address;
}

void remove(void* address) noexcept {
  if (address == nullptr || is_outside || !counting.load(std::memory_order_relaxed)) return;
  const outside here;
  forget(address);
}

int note_library(dl_phdr_info* info, std::size_t, void*) {
  range all;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_X) == 0) continue;
    all = {info->dlpi_addr + part.p_vaddr, info->dlpi_addr + part.p_vaddr + part.p_memsz};
  }
  const std::string_view name = info->dlpi_name;
  const auto set = [&](owner whose) {
    auto& known = libraries[static_cast<std::size_t>(whose)];
    known = known.last == 0 ? all : range{std::min(known.first, all.first), std::max(known.last, all.last)};
  };
  if (name.empty()) program = all, program_base = info->dlpi_addr;
  if (name.find("librocksdb") != name.npos) set(owner::engine);
  if (name.find("libssl") != name.npos) set(owner::tls);
  if (name.find("libcrypto") != name.npos && libraries[2].last == 0) set(owner::tls);
  return 0;
}

}  // namespace

void find_libraries() {
  void* ignored[4];
  ::backtrace(ignored, 4);  // loads what it needs
  ::dl_iterate_phdr(note_library, nullptr);
}

void count_without_this_thread() noexcept { is_outside = true; }

void begin_counting(bool keep_sites) noexcept {
  const std::lock_guard lock(mutex);
  counted = {};
  live = 0;
  live_of = {};
  for (auto& one : table) one.address = nullptr;
  for (auto& one : table_at_peak) one.address = nullptr;
  keeps_sites = keep_sites;
  counting = true;
}

allocations end_counting() noexcept {
  const std::lock_guard lock(mutex);
  counting = false;
  return counted;
}

std::vector<site> sites_at_peak() {
  std::map<std::vector<std::uintptr_t>, site> by_frames;
  for (const auto& one : table_at_peak) {
    if (one.address == nullptr || one.whose == owner::tls) continue;
    std::vector<std::uintptr_t> frames;
    for (int i = own_frames; i < one.depth && frames.size() < 14; ++i)
      if (program.holds(one.frames[i])) frames.push_back(reinterpret_cast<std::uintptr_t>(one.frames[i]) - program_base - 1);
    auto& into = by_frames[frames];
    into.octets += one.size;
    ++into.blocks;
    into.frames = frames;
    into.whose = one.whose;
  }
  std::vector<site> out;
  for (auto& [frames, one] : by_frames) out.push_back(std::move(one));
  std::ranges::sort(out, std::ranges::greater{}, &site::octets);
  return out;
}

}  // namespace briefwerk::benchmarks

using briefwerk::benchmarks::add;
using briefwerk::benchmarks::remove;

extern "C" {
void* malloc(std::size_t size) { return add(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return add(__libc_calloc(count, size)); }
void* realloc(void* address, std::size_t size) {
  remove(address);
  return add(__libc_realloc(address, size));
}
void* memalign(std::size_t alignment, std::size_t size) { return add(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return add(__libc_memalign(alignment, size)); }
int posix_memalign(void** address, std::size_t alignment, std::size_t size) {
  *address = add(__libc_memalign(alignment, size));
  return *address ? 0 : 12;
}
void free(void* address) {
  remove(address);
  __libc_free(address);
}
}
