#pragma once

// What a queue runner consists of: the loop (queue_runner.cpp), the attempt to send one item (queue_attempt.cpp), and
// what is done with its outcome (queue_settle.cpp).

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/delivery/queue_runner.hpp"
#include "briefwerk/delivery/report.hpp"
#include "delivery/outbound_connection.hpp"

namespace briefwerk::delivery {

// Something that happened, for one chain that waits.
class signal {
 public:
  void set() {
    happened_ = true;
    if (waiter_) std::exchange(waiter_, std::nullopt)->resume_here(base::status{});
  }
  base::task<void> wait() {
    if (!happened_) {
      (void)co_await base::wait_for<base::status>([this](base::completion<base::status> done) {
        waiter_.emplace(std::move(done));
      });
    }
    happened_ = false;
  }

 private:
  bool happened_ = false;
  std::optional<base::completion<base::status>> waiter_;
};

// The message as it goes over the wire, and what it needs of a server. Found by looking at it: what the client
// declared is often more than its message needs, and sometimes less.
struct wire_message {
  std::string_view octets;   // without Return-Path
  mail::body_kind body = mail::body_kind::seven_bit;
  bool utf8_header = false;  // octets above 127 in a header field (RFC 6532)
};
wire_message look_at(std::string_view stored) noexcept;

struct queue_runner::impl : std::enable_shared_from_this<queue_runner::impl> {
  using reply = protocol::smtp::reply;
  using indices = std::vector<std::size_t>;  // of recipients of an item

  impl(store::queue_store& q, store::directory& d, base::resolver& names, const base::crypto& c, const base::clock& t,
       queue_runner_options how)
      : queue(q), accounts(d), crypto(c), time(t), options(std::move(how)), routes(names, options.routing) {}

  std::int64_t now() const {
    return std::chrono::floor<std::chrono::seconds>(time.now()).time_since_epoch().count();
  }
  void count(std::string_view what) {
    if (options.metrics) options.metrics->get_counter("queue." + std::string(what)).add();
  }

  // queue_runner.cpp
  base::task<void> loop();
  std::size_t places() const;
  base::task<void> look_for_work(std::size_t room);
  base::task<void> bring_times_back();
  base::task<void> ticker();
  void close_idle(bool all);
  void retire(std::unique_ptr<outbound_connection> connection);

  // queue_attempt.cpp
  base::task<void> process(store::queue_item item);
  base::task<bool> send_all(store::queue_item& item, std::string_view stored);  // false: cut off by the end of the runner
  base::task<void> send_group(store::queue_item& item, std::string domain, indices who, const wire_message& message);
  base::task<std::optional<reply>> try_hops(const route& way, store::queue_item& item, const indices& who,
                                            const wire_message& message, std::string& host);
  base::task<std::optional<reply>> try_hops(const route& way, hop_tls tls, store::queue_item& item, const indices& who,
                                            const wire_message& message, std::string& host);
  // `left`: addresses that may still be tried, counted down.
  base::task<std::optional<reply>> send_to(const next_hop& hop, hop_tls tls, store::queue_item& item, const indices& who,
                                           const wire_message& message, std::size_t& left);
  base::task<std::optional<reply>> send_fresh(const next_hop& hop, hop_tls tls, base::ip_address address,
                                              store::queue_item& item, const indices& who, const wire_message& message);
  base::task<bool> send_on_kept(const next_hop& hop, hop_tls tls, store::queue_item& item, const indices& who,
                                const wire_message& message);
  outbound_connection::options connection_options(hop_tls tls) const;
  void keep(hop_tls tls, std::unique_ptr<outbound_connection> connection);
  void note(store::queue_item& item, const indices& who, const outbound_connection& connection);
  void set_all(store::queue_item& item, const indices& who, const reply& answer, std::string_view host);

  // queue_settle.cpp
  base::task<void> deliver_here(store::queue_item& item, indices who, std::string_view stored);
  base::task<reply> deliver_one_here(store::queue_item& item, std::size_t index, store::message_source message,
                                     std::set<std::string>& done);  // accounts, and addresses elsewhere
  base::task<bool> save_progress(const store::queue_item& item);  // false: the item is gone, or the runner ends
  base::task<void> settle(store::queue_item item, std::string_view stored);
  base::task<base::status> report(const store::queue_item& item, const store::queue_item& rest, bool done,
                                  const std::vector<reported_recipient>& about, std::string_view stored);
  base::task<bool> try_again(base::status saved, const std::string& id);

  store::queue_store& queue;
  store::directory& accounts;
  const base::crypto& crypto;
  const base::clock& time;
  queue_runner_options options;
  router routes;
  net::io_thread* thread = nullptr;
  store::subscription watching;
  std::atomic<bool> stopping{false};
  std::atomic<bool> posted{false};
  std::atomic<std::size_t> active{0};  // chains that run

  // On the thread only.
  signal changed;
  std::map<std::string, base::steady_time> busy;  // items under way, and since when
  using idle_key = std::pair<std::string, hop_tls>;
  std::multimap<idle_key, std::unique_ptr<outbound_connection>> idle;
  // Addresses that did not answer, and until when they are not asked. Behind that one message tries, alone.
  std::map<base::endpoint, base::steady_time> silent;
  std::int64_t next_look = 0;
  std::int64_t last_tick = 0;
  bool clock_went_back = true;  // or may have, while nobody ran the queue
};

// "host:port" of the connections that are kept.
std::string name_of(const next_hop& hop);

}  // namespace briefwerk::delivery
