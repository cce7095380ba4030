#include "briefwerk/server/message_buffer.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace briefwerk::server {
namespace {

constexpr std::size_t first_capacity = 8192;
constexpr std::size_t largest_hint = 256 * 1024;

int open_nameless(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) return fd;
  // A file system without O_TMPFILE.
  std::string name = directory + "/briefwerk-XXXXXX";
  const int named = ::mkostemp(name.data(), O_CLOEXEC);
  if (named >= 0) ::unlink(name.c_str());
  return named;
}

// Not ftruncate: a full disk must be an error here, not a SIGBUS at the first touch.
bool reserve(int file, std::size_t size) {
  int error = EINTR;
  while (error == EINTR) error = ::posix_fallocate(file, 0, static_cast<off_t>(size));
  return error == 0;
}

}  // namespace

message_buffer::message_buffer(message_buffer&& other)
    : options_(other.options_),
      data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)),
      file_(std::exchange(other.file_, -1)) {}

message_buffer& message_buffer::operator=(message_buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(file_, other.file_);
  return *this;
}

message_buffer::~message_buffer() { release(); }

void message_buffer::release() noexcept {
  if (file_ >= 0) {
    if (data_) ::munmap(data_, capacity_);
    ::close(file_);
  } else {
    std::free(data_);
  }
  data_ = nullptr;
  capacity_ = begin_ = end_ = 0;
  file_ = -1;
}

void message_buffer::clear(std::size_t keep) noexcept {
  if (file_ >= 0 || capacity_ > keep) return release();
  begin_ = end_ = std::min(room_in_front, capacity_);
}

void message_buffer::expect(std::uint64_t octets) {
  const auto bounded = static_cast<std::size_t>(std::min<std::uint64_t>(octets, std::min(largest_hint, options_.in_memory)));
  if (file_ < 0 && end_ == begin_ && bounded + room_in_front > capacity_) {
    (void)grow(room_in_front, bounded + room_in_front);
  }
}

// Moves what is held to a place with `front` octets before it and `capacity` in total.
base::status message_buffer::grow(std::size_t front, std::size_t capacity) {
  const std::size_t held = size();
  char* place = nullptr;
  int file = -1;
  if (file_ < 0 && capacity <= options_.in_memory + room_in_front) {
    place = static_cast<char*>(std::malloc(capacity));
    if (!place) return base::fail(base::errc::no_space);
  } else {
    file = open_nameless(options_.directory);
    if (file < 0) return base::fail(base::errc::no_space);
    void* mapped = reserve(file, capacity) ? ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED) {
      ::close(file);
      return base::fail(base::errc::no_space);
    }
    place = static_cast<char*>(mapped);
  }
  if (held) std::memcpy(place + front, data_ + begin_, held);
  release();
  data_ = place;
  capacity_ = capacity;
  file_ = file;
  begin_ = front;
  end_ = front + held;
  return {};
}

// A file grows where it is: nothing is copied. After a failure it still holds what it held.
base::status message_buffer::grow_file(std::size_t capacity) {
  if (!reserve(file_, capacity)) return base::fail(base::errc::no_space);
  void* moved = ::mremap(data_, capacity_, capacity, MREMAP_MAYMOVE);
  if (moved == MAP_FAILED) return base::fail(base::errc::no_space);
  data_ = static_cast<char*>(moved);
  capacity_ = capacity;
  return {};
}

// Doubled, so that appending costs constant time; but memory is used up to its bound before a file is begun.
std::size_t message_buffer::capacity_for(std::size_t needed) const noexcept {
  const std::size_t wished = std::max({needed, capacity_ * 2, first_capacity});
  const std::size_t memory = options_.in_memory + room_in_front;
  return file_ < 0 && needed <= memory ? std::min(wished, memory) : wished;
}

base::status message_buffer::append(std::string_view octets) {
  if (octets.size() > capacity_ - end_) {
    const std::size_t front = std::max(begin_, room_in_front);
    const std::size_t needed = front + size() + octets.size();
    const auto grown = file_ >= 0 && front == begin_ ? grow_file(capacity_for(needed)) : grow(front, capacity_for(needed));
    if (!grown) return grown;
  }
  if (!octets.empty()) std::memcpy(data_ + end_, octets.data(), octets.size());
  end_ += octets.size();
  return {};
}

base::status message_buffer::prepend(std::string_view octets) {
  if (octets.size() > begin_) {
    const std::size_t front = octets.size() + room_in_front;
    if (auto grown = grow(front, front + size()); !grown) return grown;
  }
  begin_ -= octets.size();
  if (!octets.empty()) std::memcpy(data_ + begin_, octets.data(), octets.size());
  return {};
}

void message_buffer::erase(std::size_t offset, std::size_t length) noexcept {
  offset = std::min(offset, size());
  length = std::min(length, size() - offset);
  if (offset != 0) std::memmove(data_ + begin_ + length, data_ + begin_, offset);
  begin_ += length;
}

}  // namespace briefwerk::server
