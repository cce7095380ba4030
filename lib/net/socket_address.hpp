#pragma once

// base::endpoint and the kernel's addresses.

#include <sys/socket.h>

#include <utility>

#include "briefwerk/base/ip.hpp"

namespace briefwerk::net {

struct socket_address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
};

socket_address to_socket_address(const base::endpoint& from) noexcept;
base::endpoint to_endpoint(const sockaddr_storage& from) noexcept;  // 0.0.0.0:0 for other families
base::endpoint peer_of(int socket) noexcept;
base::endpoint local_of(int socket) noexcept;

// A file descriptor that is closed unless released.
class descriptor {
 public:
  explicit descriptor(int fd = -1) noexcept : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor();
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

}  // namespace briefwerk::net
