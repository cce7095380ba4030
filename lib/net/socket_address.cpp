#include "net/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cstring>

namespace briefwerk::net {

socket_address to_socket_address(const base::endpoint& from) noexcept {
  socket_address out;
  const std::string_view octets = from.address.octets();
  if (from.address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(from.port);
    std::memcpy(&in.sin_addr, octets.data(), octets.size());
    std::memcpy(&out.storage, &in, sizeof in);
    out.length = sizeof in;
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(from.port);
    std::memcpy(&in.sin6_addr, octets.data(), octets.size());
    std::memcpy(&out.storage, &in, sizeof in);
    out.length = sizeof in;
  }
  return out;
}

base::endpoint to_endpoint(const sockaddr_storage& from) noexcept {
  base::endpoint out;
  if (from.ss_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &from, sizeof in);
    std::array<std::uint8_t, 4> octets;
    std::memcpy(octets.data(), &in.sin_addr, octets.size());
    out.address = base::ip_address::v4(octets);
    out.port = ntohs(in.sin_port);
  } else if (from.ss_family == AF_INET6) {
    sockaddr_in6 in;
    std::memcpy(&in, &from, sizeof in);
    std::array<std::uint8_t, 16> octets;
    std::memcpy(octets.data(), &in.sin6_addr, octets.size());
    out.address = base::ip_address::v6(octets);
    out.port = ntohs(in.sin6_port);
  }
  return out;
}

base::endpoint peer_of(int socket) noexcept {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return to_endpoint(storage);
}

base::endpoint local_of(int socket) noexcept {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return to_endpoint(storage);
}

descriptor::~descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace briefwerk::net
