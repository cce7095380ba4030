#include "net/dns_channel.hpp"

#include <openssl/rand.h>
#include <sys/time.h>

#include <algorithm>
#include <cstring>

#include "net/dns_message.hpp"

namespace briefwerk::net {
namespace {

constexpr std::uint16_t udp_size = 1232;        // fits every path without fragments (DNS flag day 2020)
constexpr std::chrono::seconds failure_ttl{5};  // RFC 9520 §3.2: failures are kept, one second at least

std::string servers_csv(const std::vector<base::endpoint>& servers) {
  std::string out;
  for (const base::endpoint& each : servers) {
    if (!out.empty()) out += ',';
    out += each.address.is_v6() ? "[" + each.address.to_string() + "]" : each.address.to_string();
    if (each.port != 0) out += ":" + std::to_string(each.port);
  }
  return out;
}

}  // namespace

dns_channel::dns_channel(io_thread& thread, const dns_resolver_options& options)
    : thread_(thread),
      loop_(thread.internals()),
      options_(options),
      timer_(loop_.context),
      cache_(options.cache_entries) {}

dns_channel::~dns_channel() { close(); }

std::string dns_channel::open() {
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS;
  options.timeout = static_cast<int>(options_.timeout.count());
  options.tries = options_.tries;
  options.ednspsz = udp_size;
  options.sock_state_cb = &dns_channel::on_socket_state;
  options.sock_state_cb_data = this;
  char lookups[] = "b";  // DNS alone, never /etc/hosts
  options.lookups = lookups;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB |
                   ARES_OPT_LOOKUPS;
  int made = ares_init_options(&channel_, &options, mask);
  if (made == ARES_SUCCESS && !options_.servers.empty())
    made = ares_set_servers_ports_csv(channel_, servers_csv(options_.servers).c_str());
  return made == ARES_SUCCESS ? std::string() : ares_strerror(made);
}

void dns_channel::ask(const std::string& wire_name, base::dns_type type, answer_completion done) {
  if (channel_ == nullptr) return done(base::dns_answer());
  std::string key = wire_name;
  key += static_cast<char>(static_cast<std::uint16_t>(type));
  if (std::optional<base::dns_answer> known = cache_.find(key, std::chrono::steady_clock::now()))
    return done(std::move(*known));
  if (const auto same = asked_.find(key); same != asked_.end()) {
    same->second->waiting.push_back(std::move(done));
    return;
  }
  auto made = std::make_unique<question>(question{this, key, wire_name, type, {}});
  made->waiting.push_back(std::move(done));
  question* const raw = made.get();
  asked_.emplace(std::move(key), std::move(made));
  std::uint16_t id = 0;
  RAND_bytes(reinterpret_cast<std::uint8_t*>(&id), sizeof id);
  const std::string query = encode_dns_query(id, wire_name, type, udp_size);
  ares_send(channel_, reinterpret_cast<const unsigned char*>(query.data()), static_cast<int>(query.size()),
            &dns_channel::on_answer, raw);
  arm();
}

void dns_channel::on_answer(void* data, int, int, unsigned char* message, int length) {
  auto* asked = static_cast<question*>(data);
  dns_channel& self = *asked->channel;
  base::dns_answer answer;  // failed
  if (message != nullptr && length > 0) {
    const std::string_view octets(reinterpret_cast<const char*>(message), static_cast<std::size_t>(length));
    result<base::dns_answer> decoded = decode_dns_answer(octets, asked->wire_name, asked->type);
    if (decoded) answer = std::move(*decoded);
  }
  self.finish(*asked, std::move(answer));
}

void dns_channel::finish(question& asked, base::dns_answer answer) {
  if (!options_.trust_authenticated) answer.authenticated = false;
  const bool negative = answer.status != base::dns_status::found;
  answer.ttl = std::min(answer.ttl, negative ? options_.longest_negative_ttl : options_.longest_ttl);
  std::chrono::seconds keep = answer.ttl;
  if (answer.status == base::dns_status::failed) keep = failure_ttl;
  const auto node = asked_.extract(asked.key);
  if (channel_ != nullptr && keep.count() > 0)
    cache_.put(node.mapped()->key, answer, std::chrono::steady_clock::now() + keep);
  // Posted by the completions: a chain that goes on here could ask again inside of c-ares.
  for (answer_completion& each : node.mapped()->waiting) each(answer);
}

void dns_channel::close() {
  if (channel_ == nullptr) return;
  const ares_channel gone = std::exchange(channel_, nullptr);
  ares_destroy(gone);  // answers every question
  for (auto& each : sockets_) each.second->socket.release();
  sockets_.clear();
  timer_.cancel();
}

// --- c-ares' sockets and time-outs in the loop ----------------------------------------------------------------

void dns_channel::on_socket_state(void* data, ares_socket_t fd, int readable, int writable) {
  auto* self = static_cast<dns_channel*>(data);
  auto at = self->sockets_.find(fd);
  if (readable == 0 && writable == 0) {  // c-ares closes it now
    if (at == self->sockets_.end()) return;
    at->second->socket.release();
    self->sockets_.erase(at);
    return;
  }
  if (at == self->sockets_.end()) at = self->sockets_.emplace(fd, std::make_shared<watched>(self->loop_, fd)).first;
  at->second->wants_read = readable != 0;
  at->second->wants_write = writable != 0;
  self->watch(at->second, fd);
}

void dns_channel::watch(const std::shared_ptr<watched>& one, ares_socket_t fd) {
  if (one->wants_read && !one->reading) {
    one->reading = true;
    one->socket.async_wait(loop_descriptor::wait_read,
                           [weak = weak_from_this(), one, fd](const std::error_code& error) {
                             one->reading = false;
                             if (const auto self = weak.lock(); self && !error) self->on_ready(one, fd, false);
                           });
  }
  if (one->wants_write && !one->writing) {
    one->writing = true;
    one->socket.async_wait(loop_descriptor::wait_write,
                           [weak = weak_from_this(), one, fd](const std::error_code& error) {
                             one->writing = false;
                             if (const auto self = weak.lock(); self && !error) self->on_ready(one, fd, true);
                           });
  }
}

void dns_channel::on_ready(const std::shared_ptr<watched>& one, ares_socket_t fd, bool write) {
  if (channel_ == nullptr || !one->socket.is_open()) return;
  if (write ? !one->wants_write : !one->wants_read) return;
  ares_process_fd(channel_, write ? ARES_SOCKET_BAD : fd, write ? fd : ARES_SOCKET_BAD);
  if (channel_ == nullptr) return;
  if (const auto at = sockets_.find(fd); at != sockets_.end() && at->second == one) watch(one, fd);
  arm();
}

// c-ares moves its time-outs with every try: looked at again whenever the timer fires.
void dns_channel::arm() {
  if (timer_runs_ || channel_ == nullptr) return;
  timeval soonest{};
  if (ares_timeout(channel_, nullptr, &soonest) == nullptr) return;
  timer_runs_ = true;
  const auto wait = std::chrono::seconds(soonest.tv_sec) + std::chrono::microseconds(soonest.tv_usec);
  // A question with a shorter wait may come while this one runs, so no single wait is longer than this.
  timer_.expires_after(
      std::clamp<std::chrono::microseconds>(wait, std::chrono::milliseconds(1), std::chrono::milliseconds(250)));
  timer_.async_wait([weak = weak_from_this()](const std::error_code&) {
    const auto self = weak.lock();
    if (!self) return;
    self->timer_runs_ = false;
    if (self->channel_ == nullptr) return;
    ares_process_fd(self->channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    self->arm();
  });
}

}  // namespace briefwerk::net
