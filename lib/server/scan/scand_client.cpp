#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "briefwerk/filter/scan_wire.hpp"
#include "server/scan/asking_threads.hpp"

namespace briefwerk::server {
namespace {

using filter::scan_answer;
using net::blocking_socket;

// The message as a file that nobody can change any more.
class sealed_file {
 public:
  explicit sealed_file(std::string_view message) : fd_(::memfd_create("message", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    if (fd_ < 0 || (write(filter::scan_preface) && write(message) && seal())) return;
    ::close(fd_);
    fd_ = -1;
  }
  ~sealed_file() {
    if (fd_ >= 0) ::close(fd_);
  }
  sealed_file(const sealed_file&) = delete;
  sealed_file& operator=(const sealed_file&) = delete;
  int get() const noexcept { return fd_; }

 private:
  bool write(std::string_view octets) const {
    while (!octets.empty()) {
      const ssize_t done = ::write(fd_, octets.data(), octets.size());
      if (done <= 0 && !(done < 0 && errno == EINTR)) return false;
      if (done > 0) octets.remove_prefix(static_cast<std::size_t>(done));
    }
    return true;
  }
  bool seal() const { return ::fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0; }
  int fd_;
};

class scand_client final : public asking_threads {
 public:
  explicit scand_client(scanner_options options) : asking_threads(std::move(options)) { start(); }
  ~scand_client() override { stop(); }

 private:
  base::result<scan_answer> ask(std::string_view message, deadline until) override {
    const sealed_file file(message);
    if (file.get() < 0) return base::fail(std::make_error_code(std::errc::not_enough_memory));
    const std::string request = filter::encode(filter::scan_request{filter::scan_preface.size() + message.size()});
    const auto half = std::chrono::steady_clock::now() + (until - std::chrono::steady_clock::now()) / 2;
    base::result<scan_answer> said = ask_once(request, file.get(), until);
    // Its worker died; maybe not of this message. What took long so far will do so again.
    if (!said && broke_off(said.error()) && std::chrono::steady_clock::now() < half) {
      said = ask_once(request, file.get(), until);
    }
    return said;
  }

  base::result<scan_answer> ask_once(std::string_view request, int file, deadline until) {
    auto connection = blocking_socket::connect(options().socket, blocking_socket::kind::packets, until);
    if (!connection) return base::fail(connection.error());
    if (auto sent = connection->send_with_file(request, file, until); !sent) return base::fail(sent.error());
    char packet[filter::scan_answer_head + filter::scan_text_size + 1];
    const auto size = connection->receive(packet, until);
    if (!size) return base::fail(size.error());
    auto said = filter::decode_scan_answer({packet, *size});
    if (!said) return base::fail(base::errc::malformed);
    return std::move(*said);
  }
};

}  // namespace

std::unique_ptr<filter::scanner> make_scand_client(scanner_options options) {
  return std::make_unique<scand_client>(std::move(options));
}

}  // namespace briefwerk::server
