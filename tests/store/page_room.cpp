// Memory for pages that are made together: they outlive their making, and what does not fit lies elsewhere.

#include <doctest/doctest.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "store/mailbox/page_room.hpp"

namespace {

using namespace briefwerk::store;

constexpr std::size_t full = mailbox_snapshot::page_size;

mailbox_snapshot::page numbered(std::uint32_t first, std::pmr::memory_resource* where) {
  mailbox_snapshot::page entries(full, where);
  for (std::uint32_t i = 0; i < full; ++i) entries[i].uid = first + i;
  return entries;
}

TEST_CASE("page room: a small mailbox needs none") {
  const auto room = page_room::of(1000);
  CHECK(room == nullptr);
  CHECK(resource_of(room) == std::pmr::get_default_resource());
  const auto page = share(numbered(7, resource_of(room)), room);
  CHECK(page->back().uid == 7 + full - 1);
}

TEST_CASE("page room: pages lie side by side, keep it, and may be more than it was made for") {
  constexpr std::size_t entries = 30'000, pages = 2 * entries / full;
  auto room = page_room::of(entries);
  REQUIRE(room);
  std::vector<std::shared_ptr<const mailbox_snapshot::page>> all;
  for (std::uint32_t i = 0; i < pages; ++i)
    all.push_back(share(numbered(i * full + 1, resource_of(room)), room));
  CHECK(reinterpret_cast<const std::byte*>(all[1]->data()) ==
        reinterpret_cast<const std::byte*>(all[0]->data()) + full * sizeof(message_entry));
  room.reset();
  for (std::uint32_t i = 0; i < pages; ++i)
    for (std::uint32_t k = 0; k < full; ++k) REQUIRE((*all[i])[k].uid == i * full + 1 + k);

  // A copy is its own; the last page takes the room with it, on whichever thread.
  const mailbox_snapshot::page copy = *all.front();
  CHECK(copy.get_allocator().resource() == std::pmr::get_default_resource());
  std::thread([last = std::move(all)] {}).join();
  CHECK(copy[3].uid == 4);
}

}  // namespace
