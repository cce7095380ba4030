#include "apps/briefwerkctl/connection.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "apps/admin/admin.hpp"
#include "apps/config/conversions.hpp"
#include "apps/filter/filter_chain.hpp"
#include "apps/store/open_guard.hpp"
#include "apps/store/open_store.hpp"
#include "apps/store/privileges.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/net/dns_resolver.hpp"
#include "briefwerk/net/io_threads.hpp"

namespace briefwerk::apps::ctl {
namespace {

// Of the socket's own time limits.
[[noreturn]] void fail_on_silence(std::chrono::seconds silence) {
  throw no_answer("the server does not answer: it hangs, or is stopped (nothing for " + std::to_string(silence.count()) + " s; --timeout)");
}

// One side speaks at a time: nothing stands behind the line. Nothing: the other side has gone, or (errno is EAGAIN) is
// silent for longer than the socket waits.
std::optional<std::string> read_line(int socket) {
  std::string line;
  char buffer[65536];
  while (!line.ends_with('\n')) {
    const ssize_t n = ::recv(socket, buffer, sizeof buffer, 0);
    if (n == 0) errno = 0;
    if (n <= 0) return std::nullopt;
    line.append(buffer, static_cast<std::size_t>(n));
  }
  line.pop_back();
  return line;
}

bool write_line(int socket, std::string line) {
  line += '\n';
  for (std::size_t done = 0; done < line.size();) {
    const ssize_t n = ::send(socket, line.data() + done, line.size() - done, MSG_NOSIGNAL);
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

class over_socket final : public connection {
 public:
  // With a child that answers, which ends when the socket is closed.
  explicit over_socket(int socket, pid_t child = 0, std::chrono::seconds silence = {}) : socket_(socket), child_(child), silence_(silence) {}
  ~over_socket() override {
    ::close(socket_);
    if (child_ > 0) ::waitpid(child_, nullptr, 0);
  }

 protected:
  std::string exchange(std::string request) override {
    auto answer = write_line(socket_, std::move(request)) ? read_line(socket_) : std::nullopt;
    if (answer) return std::move(*answer);
    if (errno == EAGAIN) fail_on_silence(silence_);
    throw failure("the server closed the control socket");
  }

 private:
  const int socket_;
  const pid_t child_;
  const std::chrono::seconds silence_;
};

// Each wait for the other side, that for a place in its queue of connections too.
void limit_waits(int socket, std::chrono::seconds silence) {
  const timeval most{.tv_sec = silence.count(), .tv_usec = 0};
  (void)::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  (void)::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
}

class on_the_store final : public connection {
 public:
  explicit on_the_store(const config& conf) {
    auto opened = open_store(conf, *crypto_, base::null_log(), metrics_);
    if (!opened) throw failure(opened.error().text);
    store_ = std::move(*opened);
    auto names = net::dns_resolver::create(loop_, {.servers = conf.delivery.dns_servers});
    if (!names) throw failure(names.error().text);
    resolver_ = std::move(*names);
    auto chain = filter_chain::create(conf, {*resolver_, *crypto_, *store_, base::null_log()});
    if (!chain) throw failure(chain.error().text);
    chain_ = std::move(*chain);
    keys_ = std::make_unique<delivery::key_ring>(
        store_->signing_keys(), *resolver_, *crypto_, base::system_clock(),
        delivery::key_ring_options{.overlap = std::chrono::days(conf.signing.overlap_days)});
    commands_ = std::make_unique<admin>(*store_, *crypto_, *keys_, nullptr, [] {}, &chain_->chain());
    commands_->set_spam(chain_->spam());
    if (auto index = open_index(conf); index && *index) {
      index_ = std::move(*index);
      commands_->set_index(index_.get(), nullptr);
    }
    if (!conf.login_guard.enabled) return;
    auto guard = open_guard(conf, *store_, *crypto_, base::null_log(), nullptr);
    if (!guard) throw failure(guard.error().text);
    guard_ = std::move(*guard);
    commands_->set_guard(guard_.get(), to_nft_options(conf));
  }

  // On the loop, which outlives a look-up that nobody waits for any more.
  std::string exchange(std::string request) override {
    std::optional<std::string> answer;
    const auto run = [](admin& commands, std::string text, std::optional<std::string>& out, net::io_thread& loop) -> base::task<void> {
      out = co_await commands.execute(std::move(text));
      loop.stop();
    };
    base::spawn(loop_, run(*commands_, std::move(request), answer, loop_));
    loop_.run();
    return std::move(answer).value();
  }

 private:
  std::unique_ptr<base::crypto> crypto_ = crypto::make_boringssl();
  base::metrics metrics_;
  net::io_thread loop_;
  std::unique_ptr<store::local_store> store_;
  std::unique_ptr<search::index> index_;
  std::unique_ptr<server::login_guard> guard_;
  std::unique_ptr<net::dns_resolver> resolver_;
  std::unique_ptr<filter_chain> chain_;
  std::unique_ptr<delivery::key_ring> keys_;
  std::unique_ptr<admin> commands_;
};

[[noreturn]] void answer_from_the_data(int socket, const config& conf) {
  std::unique_ptr<on_the_store> data;
  std::string refused;
  try {
    if (auto done = drop_privileges(conf.user, conf.group); !done) throw failure(done.error().text);
    data = std::make_unique<on_the_store>(conf);
  } catch (const std::exception& why) {
    refused = json{{"error", why.what()}}.dump(-1, ' ', false, json::error_handler_t::replace);
  }
  while (auto request = read_line(socket)) {
    if (!write_line(socket, data ? data->exchange(std::move(*request)) : refused)) break;
  }
  data.reset();
  ::_exit(0);
}

// The server could not open what root made among its data. So root's work there is done as the server's user, by a
// process of its own: this one keeps root's rights for the files that it exports to and imports from.
std::unique_ptr<connection> as_the_servers_user(const config& conf) {
  int both[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0) throw failure(std::string("no socket: ") + std::strerror(errno));
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(both[0]);
    answer_from_the_data(both[1], conf);
  }
  const int why = errno;
  ::close(both[1]);
  if (child > 0) return std::make_unique<over_socket>(both[0], child);
  ::close(both[0]);
  throw failure(std::string("no process: ") + std::strerror(why));
}

}  // namespace

json connection::ask(const json& request) {
  json answer = json::parse(exchange(request.dump(-1, ' ', false, json::error_handler_t::replace)), nullptr, false);
  if (!answer.is_object()) throw failure("the answer cannot be understood: are server and briefwerkctl of one version?");
  if (answer.contains("error")) throw failure(answer["error"].get<std::string>());
  return answer;
}

std::unique_ptr<connection> connect(const config& conf, std::chrono::seconds silence) {
  const std::string path = conf.control_path();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw failure("the path of the control socket is too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket >= 0) limit_waits(socket, silence);
  if (socket >= 0 && ::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return std::make_unique<over_socket>(socket, 0, silence);
  }
  const int why = errno;
  if (socket >= 0) ::close(socket);
  if (why == EAGAIN) fail_on_silence(silence);
  if (why == EACCES || why == EPERM) throw failure("no permission for " + path + ": run as the server's user or as root");
  if (::geteuid() == 0 && !conf.user.empty()) return as_the_servers_user(conf);
  return std::make_unique<on_the_store>(conf);
}

}  // namespace briefwerk::apps::ctl
