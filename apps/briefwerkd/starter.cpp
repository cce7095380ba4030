#include "apps/briefwerkd/starter.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>

namespace briefwerk::apps {

int spawn(pid_t& child, const std::vector<std::string>& command, int input, int output) {
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  char* environment[] = {const_cast<char*>("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  if (output >= 0) ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  else ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  // The server blocks some signals in all its threads.
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  const int failed = ::posix_spawn(&child, arguments[0], &actions, &attributes, arguments.data(), environment);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return failed;
}

int wait_for_end(pid_t process, std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  int status = 0;
  for (bool killed = false; ::waitpid(process, &status, WNOHANG) == 0;
       std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
    if (killed || std::chrono::steady_clock::now() < until) continue;
    ::kill(process, SIGKILL);
    killed = true;
  }
  return status;
}

namespace {

class own_starter final : public starter {
 public:
  explicit own_starter(std::vector<std::string> command) : command_(std::move(command)) {}
  const std::string& program() const noexcept override { return command_.front(); }
  int start(pid_t& child, int input, int output) override { return spawn(child, command_, input, output); }
  int end(pid_t process, std::chrono::milliseconds patience) override { return wait_for_end(process, patience); }

 private:
  const std::vector<std::string> command_;
};

// What the server and its root process tell each other, over a socket that keeps messages apart. A request to start
// comes with the descriptors of input and output.
struct request {
  enum class what : std::int32_t { start, end } kind;
  std::int64_t patience = 0;  // milliseconds
};
struct answer {
  std::int32_t code;  // errno of a start, status of an end
  std::int32_t process;
};

union two_descriptors {
  cmsghdr align;
  char octets[CMSG_SPACE(2 * sizeof(int))];
};

bool send_request(int socket, request asked, const int* both) {
  iovec body{&asked, sizeof asked};
  two_descriptors room{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  if (both) {
    message.msg_control = room.octets;
    message.msg_controllen = sizeof room.octets;
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(2 * sizeof(int));
    std::memcpy(CMSG_DATA(header), both, 2 * sizeof(int));
  }
  return ::sendmsg(socket, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(sizeof asked);
}

bool receive_request(int socket, request& asked, int (&both)[2]) {
  both[0] = both[1] = -1;
  iovec body{&asked, sizeof asked};
  two_descriptors room{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = room.octets;
  message.msg_controllen = sizeof room.octets;
  ssize_t got = 0;
  do got = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(2 * sizeof(int))) {
    std::memcpy(both, CMSG_DATA(header), 2 * sizeof(int));
  }
  return got == static_cast<ssize_t>(sizeof asked);
}

answer obey(const std::vector<std::string>& command, pid_t& running, const request& asked, const int (&both)[2]) {
  answer said{EINVAL, 0};
  if (asked.kind == request::what::start && running == 0 && both[0] >= 0) {
    said.code = spawn(running, command, both[0], both[1]);
    if (said.code != 0) running = 0;
    said.process = running;
  } else if (asked.kind == request::what::end && running != 0) {
    said.code = wait_for_end(std::exchange(running, 0), std::chrono::milliseconds(asked.patience));
  }
  return said;
}

// The process with root's rights. Signals for the server's whole group are not for it: it ends when the server does.
[[noreturn]] void serve(int socket, const std::vector<std::string>& command) {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_BLOCK, &all, nullptr);
  ::prctl(PR_SET_NAME, "starter");
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, standard);
  constexpr int place = STDERR_FILENO + 1;
  if (socket != place) ::dup3(socket, place, O_CLOEXEC);
  ::close_range(place + 1, ~0u, 0);
  request asked{};
  int both[2];
  pid_t running = 0;
  while (receive_request(place, asked, both)) {
    const answer said = obey(command, running, asked, both);
    for (const int each : both) {
      if (each >= 0) ::close(each);
    }
    if (::send(place, &said, sizeof said, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof said)) break;
  }
  if (running != 0) (void)wait_for_end(running, std::chrono::seconds(5));
  ::_exit(0);
}

class root_starter final : public starter {
 public:
  root_starter(std::vector<std::string> command, int socket, pid_t process)
      : command_(std::move(command)), socket_(socket), process_(process) {}
  ~root_starter() override {
    ::close(socket_);
    int ignored = 0;
    ::waitpid(process_, &ignored, 0);
  }
  const std::string& program() const noexcept override { return command_.front(); }
  int start(pid_t& child, int input, int output) override {
    const int both[] = {input, output};
    const answer said = ask({request::what::start, 0}, both);
    child = said.process;
    return said.code;
  }
  int end(pid_t, std::chrono::milliseconds patience) override {
    return ask({request::what::end, patience.count()}, nullptr).code;
  }

 private:
  answer ask(request asked, const int* both) {
    answer said{ESRCH, 0};  // no answer: it is gone
    if (!send_request(socket_, asked, both)) return said;
    while (::recv(socket_, &said, sizeof said, 0) < 0 && errno == EINTR) continue;
    return said;
  }

  const std::vector<std::string> command_;
  const int socket_;
  const pid_t process_;
};

}  // namespace

std::unique_ptr<starter> make_starter(std::vector<std::string> command) {
  return std::make_unique<own_starter>(std::move(command));
}

net::explained<std::unique_ptr<starter>> make_root_starter(std::vector<std::string> command) {
  const auto refuse = [](int code) {
    return std::unexpected(net::explained_error{{code, std::generic_category()}, "cannot make the process that starts the scanner"});
  };
  int both[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, both) != 0) return refuse(errno);
  const pid_t child = ::fork();
  if (child == 0) serve(both[1], command);
  const int failed = errno;
  ::close(both[1]);
  if (child > 0) return std::make_unique<root_starter>(std::move(command), both[0], child);
  ::close(both[0]);
  return refuse(failed);
}

}  // namespace briefwerk::apps
