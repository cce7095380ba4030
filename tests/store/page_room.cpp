// Memory for pages that are made together: they outlive their making, and what does not fit lies elsewhere.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "store/mailbox/page_room.hpp"

namespace {

using namespace briefwerk::store;
namespace mail = briefwerk::mail;

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

TEST_CASE("snapshot: pages that took the place of others, wherever they stand, and what is shared with the one before") {
  constexpr std::size_t pages = 100;
  std::vector<std::shared_ptr<const mailbox_snapshot::page>> all;
  for (std::uint32_t i = 0; i < pages; ++i) all.push_back(share(numbered(i * full + 1, std::pmr::get_default_resource())));
  auto before = std::make_unique<mailbox_snapshot>();
  before->set_pages(all);
  const std::vector<std::size_t> places[] = {{0}, {99}, {31, 32}, {0, 1, 31, 64, 96, 99}, {}};
  for (const auto& replaced : places) {
    CAPTURE(replaced.size());
    std::vector<mailbox_snapshot::replacement> others;
    for (const auto place : replaced) {
      auto entries = *all[place];
      for (auto& entry : entries) entry.flags = 1;
      others.emplace_back(place, share(std::move(entries)));
    }
    mailbox_snapshot after;
    after.set_pages(*before, others);
    REQUIRE(after.pages().size() == pages);
    CHECK(after.count() == pages * full);
    for (std::size_t i = 0; i < pages; ++i) {
      const bool other = std::ranges::find(replaced, i) != replaced.end();
      CHECK(after.page_start(i) == i * full);
      CHECK((after.pages()[i] == before->pages()[i]) == !other);
      CHECK(after.shared_page(i).get() == after.pages()[i]);
      CHECK(after.at(i * full + 5).flags == (other ? 1 : 0));
      CHECK(after.find(static_cast<std::uint32_t>(i * full + 6)) == &after.at(i * full + 5));
      CHECK(before->at(i * full + 5).flags == 0);
    }
  }
  // Pages live as long as anything that shows them.
  mailbox_snapshot last;
  last.set_pages(*before, {});
  const std::weak_ptr<const mailbox_snapshot::page> one = all[70];
  all.clear();
  before.reset();
  CHECK(last.at(70 * full).uid == 70 * full + 1);
  CHECK_FALSE(one.expired());
  last = {};
  CHECK(one.expired());
  CHECK(last.count() == 0);
}

TEST_CASE("snapshot: the first message without \\Seen, whatever changed since it was looked for") {
  constexpr std::size_t pages = 70;
  std::vector<std::shared_ptr<const mailbox_snapshot::page>> all;
  for (std::uint32_t i = 0; i < pages; ++i) all.push_back(share(numbered(i * full + 1, std::pmr::get_default_resource())));
  auto now = std::make_unique<mailbox_snapshot>();
  now->set_pages(all);
  std::vector<bool> unseen(pages, false);
  const auto change = [&](std::vector<std::pair<std::size_t, bool>> which) {
    std::vector<mailbox_snapshot::replacement> others;
    for (const auto& [place, seen] : which) {
      auto entries = *now->shared_page(place);
      for (auto& entry : entries) entry.flags = mail::flags::seen;
      if (!seen) entries[7].flags = 0;
      unseen[place] = !seen;
      others.emplace_back(place, share(std::move(entries)));
    }
    auto after = std::make_unique<mailbox_snapshot>();
    after->set_pages(*now, others);
    after->unseen = static_cast<std::uint32_t>(std::ranges::count(unseen, true));
    now = std::move(after);
  };
  const auto check = [&] {
    const auto first = std::ranges::find(unseen, true);
    std::optional<std::size_t> expected;
    if (first != unseen.end()) expected = static_cast<std::size_t>(first - unseen.begin()) * full + 7;
    CHECK(now->first_unseen() == expected);
    CHECK(now->first_unseen() == expected);  // when it is known
    const mailbox_snapshot copy = *now;
    CHECK(copy.first_unseen() == expected);
  };
  std::vector<std::pair<std::size_t, bool>> everything;
  for (std::size_t i = 0; i < pages; ++i) everything.emplace_back(i, i < 60);
  change(everything);
  check();
  change({{60, true}, {69, true}});
  check();
  change({{2, false}});  // before the one that was known
  check();
  change({{65, false}});
  check();
  change({{2, true}});
  check();
  std::mt19937 random(9);
  for (int i = 0; i < 300; ++i) {
    const std::size_t place = random() % pages;
    change({{place, random() % 4 != 0}});
    if (i % 3 != 0) check();
  }
  now->set_pages(all);  // other messages
  now->unseen = static_cast<std::uint32_t>(now->count());
  CHECK(now->first_unseen() == 0u);
}

}  // namespace
