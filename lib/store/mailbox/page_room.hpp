#pragma once

// Memory for the pages of one snapshot that are made together. A kernel that clears fresh memory 4 KiB at a time takes
// longer for a large mailbox than reading and decoding it: here it is asked for in one piece of huge pages.

#include <cstddef>
#include <memory>
#include <memory_resource>

#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::store {

// One thread allocates. Giving back does nothing, on any thread: the piece goes with its last page.
class page_room final : public std::pmr::memory_resource {
 public:
  // For about so many entries. Null where a piece of its own is not worth it.
  static std::shared_ptr<page_room> of(std::size_t entries);
  page_room(const page_room&) = delete;
  ~page_room() override;

 private:
  page_room(void* begin, std::size_t size) noexcept;
  void* do_allocate(std::size_t octets, std::size_t alignment) override;
  void do_deallocate(void* p, std::size_t octets, std::size_t alignment) override;
  bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::byte* const begin_;
  const std::size_t size_;
  std::size_t used_ = 0;
};

// The resource that pages are to be made in.
inline std::pmr::memory_resource* resource_of(const std::shared_ptr<page_room>& room) noexcept {
  return room ? room.get() : std::pmr::get_default_resource();
}

// A page to be shared, which keeps its room.
std::shared_ptr<const mailbox_snapshot::page> share(mailbox_snapshot::page entries,
                                                    const std::shared_ptr<page_room>& room = nullptr);

}  // namespace briefwerk::store
