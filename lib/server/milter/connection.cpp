#include "server/milter/connection.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace briefwerk::server {
namespace {

namespace milter = protocol::milter;
using base::fail;

// What gathers of events that nobody answers, before it is sent.
constexpr std::size_t enough_to_send = 65536;

base::task<base::result<net::stream>> connect(net::io_thread& thread, const milter_address& to, std::chrono::milliseconds limit) {
  if (!to.path.empty()) {
    auto local = co_await net::connect_unix(thread, to.path);
    co_return local;
  }
  net::connect_options options;
  options.deadline = limit;
  auto tcp = co_await net::connect(thread, to.tcp, options);
  co_return tcp;
}

}  // namespace

base::task<base::result<std::unique_ptr<milter_connection>>> milter_connection::open(net::io_thread& thread,
                                                                                     const milter_options& how, deadline until) {
  const auto limit = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
  auto stream = co_await connect(thread, how.address, std::max(limit, std::chrono::milliseconds(1)));
  if (!stream) co_return fail(stream.error());
  std::unique_ptr<milter_connection> made(new milter_connection(std::move(*stream), {.body_size = how.body_size}));
  made->set_deadline(until);
  const bool waits = made->session_.negotiate(made->out_);
  const auto agreed = co_await made->hear(waits);
  if (!agreed) co_return fail(agreed.error());
  co_return made;
}

milter_connection::~milter_connection() {
  if (!stream_.is_open()) return;
  std::string last;
  session_.quit(last);
  (void)::send(stream_.native_handle(), last.data(), last.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::chrono::milliseconds milter_connection::left() const {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds(1));
}

base::task<base::status> milter_connection::send() {
  if (out_.empty()) co_return base::status();
  stream_.set_deadline(left());
  const auto sent = co_await stream_.write(out_);
  out_.clear();
  co_return sent;
}

base::task<base::status> milter_connection::receive() {
  char octets[4096];
  stream_.set_deadline(left());
  const auto size = co_await stream_.read_some(octets);
  if (!size) co_return fail(size.error());
  if (std::chrono::steady_clock::now() >= until_) co_return fail(base::errc::timed_out);
  session_.feed({octets, *size});
  co_return base::status();
}

base::task<base::result<milter::answer>> milter_connection::hear(bool waits) {
  if (!waits && out_.size() < enough_to_send) co_return milter::answer{};
  if (const auto sent = co_await send(); !sent) co_return fail(sent.error());
  if (!waits) co_return milter::answer{};
  for (;;) {
    auto said = session_.next();
    if (!said) co_return fail(said.error());
    if (*said) co_return std::move(**said);
    if (const auto received = co_await receive(); !received) co_return fail(received.error());
  }
}

}  // namespace briefwerk::server
