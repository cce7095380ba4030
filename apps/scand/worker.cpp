#include "apps/scand/worker.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <vector>

#include "apps/scand/confinement.hpp"
#include "briefwerk/filter/scan_wire.hpp"

namespace briefwerk::scand {
namespace {

using filter::scan_answer;
using filter::scan_outcome;

volatile std::sig_atomic_t told_to_end = 0;

constexpr timeval patience{5, 0};  // for the request of who has connected

// A request, and the file that came with it; -1: none.
struct received {
  std::string packet;
  int file = -1;
};

received receive(int connection) {
  char octets[filter::scan_request_size + 1];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 4)];
  iovec piece{octets, sizeof octets};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(connection, &message, MSG_CMSG_CLOEXEC);
  if (size < 0) return {};
  std::vector<int> files;
  for (cmsghdr* each = CMSG_FIRSTHDR(&message); each != nullptr; each = CMSG_NXTHDR(&message, each)) {
    if (each->cmsg_level != SOL_SOCKET || each->cmsg_type != SCM_RIGHTS) continue;
    files.resize((each->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(files.data(), CMSG_DATA(each), files.size() * sizeof(int));
  }
  if (files.size() == 1) return {{octets, static_cast<std::size_t>(size)}, files.front()};
  for (const int each : files) ::close(each);
  return {{octets, static_cast<std::size_t>(size)}, -1};
}

// A file that shrinks under libclamav's eyes would end the process.
bool is_sealed(int file) {
  const int seals = ::fcntl(file, F_GET_SEALS);
  constexpr int needed = F_SEAL_SHRINK | F_SEAL_WRITE;
  return seals >= 0 && (seals & needed) == needed;
}

scan_answer judge(const engine& with, const settings& how, const received& request) {
  const auto asked = filter::decode_scan_request(request.packet);
  struct stat found{};
  if (!asked || request.file < 0) return {scan_outcome::failed, "no request"};
  if (::fstat(request.file, &found) != 0 || !is_sealed(request.file)) return {scan_outcome::failed, "no sealed file"};
  if (static_cast<std::uint64_t>(found.st_size) != asked->size) return {scan_outcome::failed, "file of another size"};
  if (asked->size > how.size + filter::scan_preface.size()) return {scan_outcome::too_large, "message"};
  return with.scan(request.file);
}

void serve(const engine& with, const settings& how, int connection, const std::string& folder, worker_state& state) {
  ::setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const received request = receive(connection);
  const scan_answer answer = judge(with, how, request);
  if (request.file >= 0) ::close(request.file);
  std::error_code ignored;
  for (const auto& left : std::filesystem::directory_iterator(folder, ignored))
    std::filesystem::remove_all(left.path(), ignored);
  state.scans.fetch_add(1);
  const std::string packet = filter::encode(answer);
  (void)::send(connection, packet.data(), packet.size(), MSG_NOSIGNAL);
}

// Nothing of its parents' stays open but the socket that it accepts connections of; gives back its number.
int keep_only(int listener) {
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) return -1;
  for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, each);
  constexpr int place = STDERR_FILENO + 1;
  if (listener != place && ::dup2(listener, place) < 0) return -1;
  return ::close_range(place + 1, ~0u, 0) == 0 ? place : -1;
}

}  // namespace

std::int64_t steady_now() noexcept { return std::chrono::steady_clock::now().time_since_epoch().count(); }

std::string worker_folder(const settings& how, int process) {
  return how.temporary + "/worker-" + std::to_string(process);
}

void work(engine& with, const settings& how, int listener, worker_state& state, int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  const std::string folder = worker_folder(how, ::getpid());
  listener = keep_only(listener);
  if (listener < 0) ::_exit(1);
  if (::mkdir(folder.c_str(), 0700) != 0 || !with.use_folder(folder)) ::_exit(2);
  struct sigaction end{};
  end.sa_handler = [](int) { told_to_end = 1; };
  ::sigaction(SIGTERM, &end, nullptr);
  if (!confine({.folder = folder, .memory = how.memory, .file = how.unpacked + how.size})) ::_exit(3);

  // SIGTERM comes only while it waits, so that no scan is cut off.
  sigset_t waiting;
  ::sigemptyset(&waiting);
  while (told_to_end == 0) {
    pollfd one{listener, POLLIN, 0};
    if (::ppoll(&one, 1, nullptr, &waiting) <= 0) continue;
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    state.busy_since = steady_now();
    try {
      serve(with, how, connection, folder, state);
    } catch (const std::exception&) {
      // No answer: the scan failed.
    }
    ::close(connection);
    state.busy_since = 0;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  ::_exit(0);
}

}  // namespace briefwerk::scand
