#include <algorithm>
#include <string>
#include <utility>

#include "server/scan/asking_threads.hpp"
#include "server/scan/clamd_reply.hpp"

namespace briefwerk::server {
namespace {

using filter::scan_answer;
using net::blocking_socket;

constexpr std::size_t chunk_size = 1u << 20;

std::string chunk_head(std::size_t size) {
  std::string made;
  for (int shift = 24; shift >= 0; shift -= 8) made += static_cast<char>(size >> shift & 0xff);
  return made;
}

class clamd_client final : public asking_threads {
 public:
  explicit clamd_client(scanner_options options) : asking_threads(std::move(options)) { start(); }
  ~clamd_client() override { stop(); }

 private:
  base::result<scan_answer> ask(std::string_view message, deadline until) override {
    auto connection = options().tcp ? blocking_socket::connect(*options().tcp, until)
                                    : blocking_socket::connect(options().socket, blocking_socket::kind::octets, until);
    if (!connection) return base::fail(connection.error());
    // One that finds the stream too large says so and hangs up before its end.
    const auto sent = send(*connection, message, until);
    auto said = receive(*connection, until);
    if (!said && !sent) return base::fail(sent.error());
    return said;
  }

  static base::status send(blocking_socket& to, std::string_view message, deadline until) {
    constexpr std::string_view command("zINSTREAM\0", 10);
    const std::string start =
        std::string(command) + chunk_head(filter::scan_preface.size()) + std::string(filter::scan_preface);
    if (auto sent = to.send(start, until); !sent) return sent;
    while (!message.empty()) {
      const std::string_view chunk = message.substr(0, chunk_size);
      if (auto sent = to.send(chunk_head(chunk.size()), until); !sent) return sent;
      if (auto sent = to.send(chunk, until); !sent) return sent;
      message.remove_prefix(chunk.size());
    }
    return to.send(chunk_head(0), until);
  }

  static base::result<scan_answer> receive(blocking_socket& from, deadline until) {
    std::string reply;
    char piece[512];
    while (reply.size() <= clamd_reply_size) {
      const auto size = from.receive(piece, until);
      if (!size) return base::fail(size.error());
      reply.append(piece, *size);
      if (auto said = parse_clamd_reply(reply)) return std::move(*said);
      if (reply.find('\0') != reply.npos) break;
    }
    return base::fail(base::errc::malformed);
  }
};

}  // namespace

std::unique_ptr<filter::scanner> make_clamd_client(scanner_options options) {
  return std::make_unique<clamd_client>(std::move(options));
}

}  // namespace briefwerk::server
