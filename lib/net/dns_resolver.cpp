#include "briefwerk/net/dns_resolver.hpp"

#include <ares.h>

#include <algorithm>

#include "net/dns_channel.hpp"
#include "net/dns_message.hpp"

namespace briefwerk::net {
namespace {

// c-ares counts the calls; on this system it needs one and nothing is to be undone.
int start_library() {
  static const int started = ares_library_init(ARES_LIB_INIT_ALL);
  return started;
}

}  // namespace

struct dns_resolver::impl {
  std::vector<std::shared_ptr<dns_channel>> channels;  // by thread; fixed once made

  const std::shared_ptr<dns_channel>& for_chain_on(base::executor* executor) const {
    const auto own = std::find_if(channels.begin(), channels.end(),
                                  [executor](const auto& each) { return &each->thread() == executor; });
    return own != channels.end() ? *own : channels.front();
  }

  static explained<std::shared_ptr<impl>> make(std::vector<io_thread*> threads, const dns_resolver_options& options) {
    int started = start_library();
    if (started != ARES_SUCCESS)
      return std::unexpected(explained_error{make_error_code(base::errc::unavailable),
                                             std::string("cannot start the DNS resolver: ") + ares_strerror(started)});
    auto made = std::make_shared<impl>();
    for (io_thread* thread : threads) {
      auto channel = std::make_shared<dns_channel>(*thread, options);
      const std::string error = channel->open();
      if (!error.empty())
        return std::unexpected(
            explained_error{make_error_code(base::errc::unavailable), "cannot start the DNS resolver: " + error});
      made->channels.push_back(std::move(channel));
    }
    return made;
  }
};

dns_resolver::dns_resolver(std::shared_ptr<impl> made) noexcept : impl_(std::move(made)) {}

dns_resolver::~dns_resolver() {
  for (std::shared_ptr<dns_channel>& each : impl_->channels) {
    io_thread& thread = each->thread();
    thread.post([channel = std::move(each)] { channel->close(); });
  }
}

explained<std::unique_ptr<dns_resolver>> dns_resolver::create(io_threads& threads, dns_resolver_options options) {
  std::vector<io_thread*> all;
  for (unsigned i = 0; i < threads.size(); ++i) all.push_back(&threads[i]);
  auto made = impl::make(std::move(all), options);
  if (!made) return std::unexpected(std::move(made.error()));
  return std::unique_ptr<dns_resolver>(new dns_resolver(std::move(*made)));
}

explained<std::unique_ptr<dns_resolver>> dns_resolver::create(io_thread& thread, dns_resolver_options options) {
  auto made = impl::make({&thread}, options);
  if (!made) return std::unexpected(std::move(made.error()));
  return std::unique_ptr<dns_resolver>(new dns_resolver(std::move(*made)));
}

base::task<base::dns_answer> dns_resolver::query(std::string name, base::dns_type type) {
  base::dns_answer nothing;  // failed
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    co_return nothing;
  const result<std::string> wire = to_wire_name(name);
  if (!wire) {
    nothing.status = base::dns_status::no_name;  // no such name can exist (RFC 1035 §2.3.4)
    co_return nothing;
  }
  base::executor* const here = co_await base::this_executor();
  const std::shared_ptr<dns_channel> channel = impl_->for_chain_on(here);
  result<base::dns_answer> answer =
      co_await base::wait_for<result<base::dns_answer>>([&](dns_channel::answer_completion done) {
        if (channel->thread().is_current()) return channel->ask(*wire, type, std::move(done));
        channel->thread().post([channel, name = *wire, type, done = std::move(done)]() mutable {
          channel->ask(name, type, std::move(done));
        });
      });
  if (!answer) co_return nothing;
  co_return std::move(*answer);
}

}  // namespace briefwerk::net
