#pragma once

// A connection for a thread that may wait: to services of this machine that are asked now and then, where what is sent
// may be a file. What serves sessions uses streams. Not thread-safe. Failed system calls come as generic codes, a
// passed deadline as base::errc::timed_out, the peer's end as base::errc::end_of_stream.

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/net/error.hpp"

namespace briefwerk::net {

class blocking_socket {
 public:
  using deadline = std::chrono::steady_clock::time_point;
  enum class kind : bool { octets, packets };

  static result<blocking_socket> connect(const std::string& unix_path, kind what, deadline until);
  static result<blocking_socket> connect(const base::endpoint& peer, deadline until);
  ~blocking_socket();
  blocking_socket(blocking_socket&& other) noexcept;
  blocking_socket& operator=(blocking_socket&& other) noexcept;

  // All of it.
  status send(std::string_view octets, deadline until);
  // One packet with an open file, which stays the caller's.
  status send_with_file(std::string_view packet, int file, deadline until);
  // At least one octet; of packets, one packet, cut off where the buffer ends.
  result<std::size_t> receive(std::span<char> into, deadline until);

 private:
  explicit blocking_socket(int fd) noexcept : fd_(fd) {}
  status wait(short events, deadline until) const;
  int fd_ = -1;
};

}  // namespace briefwerk::net
