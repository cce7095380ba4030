#include "store/mailbox/page_room.hpp"

#include <sys/mman.h>

#include <functional>
#include <utility>

namespace briefwerk::store {
namespace {

constexpr std::size_t huge = std::size_t{2} << 20;

}  // namespace

std::shared_ptr<page_room> page_room::of(std::size_t entries) {
  const std::size_t wanted = entries * sizeof(message_entry);
  if (wanted < huge) return nullptr;
  const std::size_t size = (wanted + huge - 1) / huge * huge;
  // One more, of which nothing is touched, so that a whole number of huge pages fits.
  void* const found = ::mmap(nullptr, size + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (found == MAP_FAILED) return nullptr;
  std::shared_ptr<page_room> room(new page_room(found, size + huge));
  void* aligned = found;
  std::size_t space = size + huge;
  if (std::align(huge, size, aligned, space) != nullptr) {
    room->used_ = static_cast<std::size_t>(static_cast<std::byte*>(aligned) - room->begin_);
    static_cast<void>(::madvise(aligned, size, MADV_HUGEPAGE));  // a wish
  }
  return room;
}

page_room::page_room(void* begin, std::size_t size) noexcept : begin_(static_cast<std::byte*>(begin)), size_(size) {}

page_room::~page_room() { ::munmap(begin_, size_); }

void* page_room::do_allocate(std::size_t octets, std::size_t alignment) {
  const std::size_t at = (used_ + alignment - 1) / alignment * alignment;
  if (at > size_ || octets > size_ - at) return std::pmr::get_default_resource()->allocate(octets, alignment);
  used_ = at + octets;
  return begin_ + at;
}

void page_room::do_deallocate(void* p, std::size_t octets, std::size_t alignment) {
  const std::less<const void*> before;
  if (before(p, begin_) || !before(p, begin_ + size_))
    std::pmr::get_default_resource()->deallocate(p, octets, alignment);
}

std::shared_ptr<const mailbox_snapshot::page> share(mailbox_snapshot::page entries,
                                                    const std::shared_ptr<page_room>& room) {
  using entry_page = mailbox_snapshot::page;
  if (!room) return std::make_shared<const entry_page>(std::move(entries));
  return {new entry_page(std::move(entries)), [room](const entry_page* p) { delete p; }};
}

}  // namespace briefwerk::store
