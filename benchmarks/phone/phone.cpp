// What the server allocates for a phone that looks after its mail once a month: 100 new messages since it was here.
//   phone [FOLDER]      the store is made in FOLDER (default: the current one) and removed afterwards
// Counted is every malloc of all threads but the client's, libraries included, while a command is under way.

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "benchmarks/server/imap_house.hpp"

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void __libc_free(void*);
}

namespace {

struct counts {
  std::atomic<bool> on{false};
  std::atomic<long> blocks{0}, octets{0}, live{0}, peak{0};

  void begin() {
    blocks = octets = live = peak = 0;
    on = true;
  }
};
counts counted;
thread_local bool is_client = false;

void* add(void* block) noexcept {
  if (!block || is_client || !counted.on.load(std::memory_order_relaxed)) return block;
  const long size = static_cast<long>(::malloc_usable_size(block));
  counted.blocks.fetch_add(1, std::memory_order_relaxed);
  counted.octets.fetch_add(size, std::memory_order_relaxed);
  const long live = counted.live.fetch_add(size, std::memory_order_relaxed) + size;
  long peak = counted.peak.load(std::memory_order_relaxed);
  while (live > peak && !counted.peak.compare_exchange_weak(peak, live)) continue;
  return block;
}

void remove(void* block) noexcept {
  if (!block || is_client || !counted.on.load(std::memory_order_relaxed)) return;
  counted.live.fetch_sub(static_cast<long>(::malloc_usable_size(block)), std::memory_order_relaxed);
}

}  // namespace

extern "C" {
void* malloc(std::size_t size) { return add(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return add(__libc_calloc(count, size)); }
void* realloc(void* block, std::size_t size) {
  remove(block);
  return add(__libc_realloc(block, size));
}
void* memalign(std::size_t alignment, std::size_t size) { return add(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return add(__libc_memalign(alignment, size)); }
int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  *block = add(__libc_memalign(alignment, size));
  return *block ? 0 : 12;
}
void free(void* block) {
  remove(block);
  __libc_free(block);
}
}

int main(int argc, char** argv) {
  using namespace briefwerk;
  const std::string folder = std::string(argc > 1 ? argv[1] : ".") + "/phone-store";
  std::filesystem::remove_all(folder);
  {
    benchmarks::house host({.many = 20000, .bodies = 3000}, [&](const base::crypto& crypto) {
      auto opened = store::open_local_store(folder, crypto, base::system_clock(), {});
      if (!opened) {
        std::fprintf(stderr, "%s: %s\n", folder.c_str(), opened.error().message().c_str());
        std::exit(1);
      }
      return std::move(*opened);
    });
    is_client = true;
    const char* const commands[] = {
        "NOOP",
        "SELECT Bodies",
        "UID SEARCH UID 2901:*",
        "UID FETCH 2901:* (UID FLAGS)",
        "UID FETCH 2901:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
        "UID FETCH 2901:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (date subject from content-type to cc "
        "reply-to message-id references in-reply-to list-unsubscribe sender)])",
        "UID FETCH 2901:* (UID BODY.PEEK[HEADER])",
        "UID FETCH 2901:* (UID BODYSTRUCTURE)",
        "UID FETCH 2901:* (UID PREVIEW)",
        "UID FETCH 2901:3000 (UID BODY.PEEK[])",
    };
    std::printf("%-62s %9s %7s %10s %10s %7s\n", "command (first and second time)", "answer", "blocks", "octets", "peak", "of it");
    for (int round = 0; round < 2; ++round) {
      benchmarks::client phone(host);
      for (const char* command : commands) {
        counted.begin();
        const std::size_t answer = phone.command(command);
        counted.on = false;
        std::printf("%-62.62s %9zu %7ld %10ld %10ld %6.2fx\n", command, answer, counted.blocks.load(), counted.octets.load(),
                    counted.peak.load(), static_cast<double>(counted.peak.load()) / static_cast<double>(answer));
      }
    }
  }
  std::filesystem::remove_all(folder);
}
