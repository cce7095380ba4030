#pragma once

// What a session sends: small octets in one growing buffer, and references to large ones (message octets) that are kept
// alive and never copied. Shown as pieces in order, for a gathering write.

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace briefwerk::protocol::imap {

class output_chain {
 public:
  // Octets below this are copied rather than referred to: a piece of its own costs more.
  static constexpr std::size_t copy_below = 512;

  output_chain() = default;
  output_chain(output_chain&&) noexcept = default;
  output_chain& operator=(output_chain&&) noexcept = default;

  // Room for `count` octets more; write there, then advance(). Invalidates earlier pointers.
  char* reserve(std::size_t count) {
    if (capacity_ - size_ < count) grow(count);
    return data_.get() + size_;
  }
  // About so many octets will come: they are given room in one piece, with the first of them.
  void expect(std::size_t octets) noexcept {
    if (octets <= capacity_) return;
    expected_ = octets;
    if (size_ == 0) data_.reset(), capacity_ = 0;
  }
  void advance(char* end) noexcept { size_ = static_cast<std::size_t>(end - data_.get()); }

  void append(std::string_view text) {
    char* at = reserve(text.size());
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    size_ += text.size();
  }
  void append(char c) {
    *reserve(1) = c;
    ++size_;
  }
  // `octets` stay valid as long as `keep` is held.
  void append(std::string_view octets, std::shared_ptr<const void> keep) {
    if (octets.size() < copy_below) return append(octets);
    references_.push_back({size_, octets, std::move(keep)});
    referred_ += octets.size();
  }

  std::size_t size() const noexcept { return size_ + referred_; }
  bool empty() const noexcept { return size() == 0; }

  // Everything in order. The views point into this object and what it keeps.
  std::span<const std::string_view> pieces();

  void clear() noexcept {
    size_ = referred_ = 0;
    references_.clear();
    pieces_.clear();
  }
  // Gives the memory back as well.
  void release() noexcept { *this = output_chain{}; }
  friend void swap(output_chain& a, output_chain& b) noexcept {
    std::swap(a.data_, b.data_);
    std::swap(a.size_, b.size_);
    std::swap(a.capacity_, b.capacity_);
    std::swap(a.referred_, b.referred_);
    std::swap(a.expected_, b.expected_);
    a.references_.swap(b.references_);
    a.pieces_.swap(b.pieces_);
  }

 private:
  struct reference {
    std::size_t at;  // stands before the small octet with this offset
    std::string_view octets;
    std::shared_ptr<const void> keep;
  };

  void grow(std::size_t count);

  std::unique_ptr<char[]> data_;
  std::size_t size_ = 0, capacity_ = 0, referred_ = 0, expected_ = 0;
  std::vector<reference> references_;
  std::vector<std::string_view> pieces_;
};

}  // namespace briefwerk::protocol::imap
