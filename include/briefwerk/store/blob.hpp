#pragma once

// Blobs: the immutable octets of messages. The engine names each one by a blob_ref, which the index keeps.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace briefwerk::store {

// Names a blob of one engine. Opaque: only the engine that gave it understands it. Stored in index entries as its
// 16 octets, and never shown to a client (checksums in it are secrets of the engine). All zero is no blob.
struct blob_ref {
  static constexpr std::size_t size = 16;
  std::array<char, size> octets{};

  explicit operator bool() const noexcept { return *this != blob_ref{}; }
  std::string_view view() const noexcept { return {octets.data(), size}; }
  // Takes the first 16 octets of `stored`, which must have as many.
  static blob_ref from(std::string_view stored) noexcept {
    blob_ref ref;
    std::memcpy(ref.octets.data(), stored.data(), size);
    return ref;
  }
  friend auto operator<=>(const blob_ref&, const blob_ref&) = default;
};

// Octets read from an engine, without a copy where that is possible: the owner keeps the view alive (a mapped
// segment, a pinned block of the cache, or a buffer). Cheap to copy; may be read from any thread.
class octets {
 public:
  octets() = default;
  octets(std::shared_ptr<const void> owner, std::string_view view) noexcept : owner_(std::move(owner)), view_(view) {}
  static octets copy(std::string_view bytes) {
    auto owned = std::make_shared<const std::string>(bytes);
    std::string_view view = *owned;
    return {std::move(owned), view};
  }
  std::string_view view() const noexcept { return view_; }
  std::size_t size() const noexcept { return view_.size(); }
  std::string str() const { return std::string(view_); }
  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }  // for who goes on to use the view

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

// A blob to be written, as consecutive pieces (for instance new header fields, then the message as received).
// The octets belong to the caller.
using blob_parts = std::vector<std::string_view>;

enum class blob_encoding : std::uint8_t { raw = 0, zstd = 1 };

// A blob as an engine stores it: perhaps compressed. `parts` points into the caller's octets, or into `owned`.
struct encoded_blob {
  blob_encoding encoding = blob_encoding::raw;
  std::uint64_t raw_size = 0;     // octets of the message
  std::uint64_t stored_size = 0;  // octets of all parts
  blob_parts parts;
  std::unique_ptr<std::string> owned;
};

}  // namespace briefwerk::store

template <>
struct std::hash<briefwerk::store::blob_ref> {
  std::size_t operator()(const briefwerk::store::blob_ref& ref) const noexcept {
    return std::hash<std::string_view>{}(ref.view());
  }
};
