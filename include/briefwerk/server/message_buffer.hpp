#pragma once

// An inbound message, received once into one buffer: memory up to a bound, past it a mapped temporary file that has no
// name. Room in front takes the trace fields, so that the message is not copied again for them.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/result.hpp"

namespace briefwerk::server {

// Used from one thread at a time. Views live until the next call that is not const.
class message_buffer {
 public:
  struct options {
    std::size_t in_memory = base::limits::message_in_memory;  // octets, before the file
    std::string directory = "/tmp";                           // for the file
  };

  message_buffer() noexcept = default;
  explicit message_buffer(options how) noexcept : options_(std::move(how)) {}
  // The content goes over; both go on with their options (a copy of them, for a new buffer).
  message_buffer(message_buffer&& other);
  message_buffer& operator=(message_buffer&& other) noexcept;
  ~message_buffer();

  // errc::no_space when neither memory nor disk takes it; the buffer then still holds what it held.
  base::status append(std::string_view octets);
  base::status prepend(std::string_view octets);
  // Takes octets out. What lies before them is moved, so it is cheap near the front.
  void erase(std::size_t offset, std::size_t length) noexcept;
  // For a message whose size was announced: one allocation instead of several. A hint only, itself bounded.
  void expect(std::uint64_t octets);

  std::string_view view() const noexcept { return {data_ + begin_, end_ - begin_}; }
  std::size_t size() const noexcept { return end_ - begin_; }
  const options& how() const noexcept { return options_; }
  // Empty again; memory up to `keep` octets stays for the next message.
  void clear(std::size_t keep = 0) noexcept;

 private:
  static constexpr std::size_t room_in_front = 2048;

  base::status grow(std::size_t front, std::size_t capacity);
  base::status grow_file(std::size_t capacity);
  std::size_t capacity_for(std::size_t needed) const noexcept;
  void release() noexcept;

  options options_;
  char* data_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0, end_ = 0;
  int file_ = -1;  // the mapping's file; -1: memory
};

}  // namespace briefwerk::server
