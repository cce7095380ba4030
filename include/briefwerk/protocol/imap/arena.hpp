#pragma once

// Memory of one command: lists, and the few strings that are not contiguous in what the client sent (escapes in quoted
// strings, mailbox names in modified UTF-7). The first two kilobytes are inline, so a typical command allocates nothing;
// afterwards blocks grow, bounded by the limits of the command that fills them. Everything dies together.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace briefwerk::protocol::imap {

class arena {
 public:
  arena() = default;
  arena(const arena&) = delete;
  arena& operator=(const arena&) = delete;

  // Storage for `count` values, uninitialised. T must need no destructor.
  template <class T>
  T* take(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= alignof(std::max_align_t));
    const auto octets = count * sizeof(T);
    const auto at = (used_ + alignof(T) - 1) & ~(alignof(T) - 1);
    if (at + octets > size_) return reinterpret_cast<T*>(grow(octets));
    used_ = at + octets;
    return reinterpret_cast<T*>(block_ + at);
  }

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    auto* to = take<char>(text.size());
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  // Everything given out before is gone.
  void clear() noexcept {
    more_.clear();
    block_ = first_;
    size_ = sizeof first_;
    used_ = 0;
  }

 private:
  std::byte* grow(std::size_t octets) {
    const auto size = std::max(octets, size_ * 2);
    more_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
    block_ = more_.back().get();
    size_ = size;
    used_ = octets;
    return block_;
  }

  alignas(std::max_align_t) std::byte first_[2048];
  std::byte* block_ = first_;
  std::size_t size_ = sizeof first_;
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<std::byte[]>> more_;
};

// A list under construction in an arena; doubles when it is full. T is copied octet by octet.
template <class T>
class arena_list {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  explicit arena_list(arena& memory) noexcept : memory_(memory) {}

  T& push_back(const T& value) {
    if (size_ == capacity_) {
      const auto capacity = capacity_ == 0 ? std::size_t{8} : capacity_ * 2;
      T* moved = memory_.take<T>(capacity);
      if (size_ != 0) std::memcpy(static_cast<void*>(moved), data_, size_ * sizeof(T));
      data_ = moved;
      capacity_ = capacity;
    }
    return *::new (static_cast<void*>(data_ + size_++)) T(value);
  }

  T& push_front(const T& value) {
    push_back(value);
    std::memmove(static_cast<void*>(data_ + 1), data_, (size_ - 1) * sizeof(T));
    return *::new (static_cast<void*>(data_)) T(value);
  }

  T& operator[](std::size_t i) noexcept { return data_[i]; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::span<const T> view() const noexcept { return {data_, size_}; }

 private:
  arena& memory_;
  T* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

}  // namespace briefwerk::protocol::imap
