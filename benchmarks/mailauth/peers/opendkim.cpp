// The same work by OpenDKIM's library. It links OpenSSL's libcrypto, so this is a program of its own with nothing of
// Briefwerk in it. Prints "NAME SIZE SHAPE MICROSECONDS" of CPU time a message.
//
//   bench_peer_opendkim KEY.PEM RECORD

#include <opendkim/dkim.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "../dkim_messages.hpp"

namespace {

std::string record;

DKIM_CBSTAT look_up(DKIM*, DKIM_SIGINFO*, u_char* buffer, size_t size) {
  std::snprintf(reinterpret_cast<char*>(buffer), size, "%s", record.c_str());
  return DKIM_CBSTAT_CONTINUE;
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s failed\n", what);
  std::exit(1);
}

u_char* octets(const std::string& text) { return reinterpret_cast<u_char*>(const_cast<char*>(text.c_str())); }

void feed(DKIM* handle, const std::string& message, const char* what) {
  require(dkim_chunk(handle, octets(message), message.size()) == DKIM_STAT_OK, what);
  require(dkim_chunk(handle, nullptr, 0) == DKIM_STAT_OK, what);
  require(dkim_eom(handle, nullptr) == DKIM_STAT_OK, what);
}

std::string sign(DKIM_LIB* library, const std::string& key, const std::string& message) {
  DKIM_STAT status;
  DKIM* handle = dkim_sign(library, octets("id"), nullptr, octets(key), octets("s"), octets("example.org"),
                           DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1, &status);
  require(handle != nullptr, "dkim_sign");
  feed(handle, message, "signing");
  u_char* text = nullptr;
  size_t size = 0;
  require(dkim_getsighdr_d(handle, 16, &text, &size) == DKIM_STAT_OK, "dkim_getsighdr_d");
  std::string out = "DKIM-Signature: " + std::string(reinterpret_cast<char*>(text), size) + "\r\n";
  dkim_free(handle);
  return out;
}

void verify(DKIM_LIB* library, const std::string& message) {
  DKIM_STAT status;
  DKIM* handle = dkim_verify(library, octets("id"), nullptr, &status);
  require(handle != nullptr, "dkim_verify");
  feed(handle, message, "verifying");
  dkim_free(handle);
}

template <class Work>
void measure(const char* name, std::size_t size, int shape, Work work) {
  const auto now = [] {
    std::timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
  };
  work();
  const double start = now();
  long rounds = 0;
  while (now() - start < 5e5) {
    work();
    ++rounds;
  }
  std::printf("%s %zu %d %.2f\n", name, size, shape, (now() - start) / static_cast<double>(rounds));
}

}  // namespace

int main(int argc, char** argv) {
  require(argc == 3, "usage: bench_peer_opendkim KEY.PEM RECORD;");
  std::ifstream file(argv[1]);
  const std::string key{std::istreambuf_iterator<char>(file), {}};
  record = argv[2];
  DKIM_LIB* library = dkim_init(nullptr, nullptr);
  require(library != nullptr, "dkim_init");
  require(dkim_set_key_lookup(library, look_up) == DKIM_STAT_OK, "dkim_set_key_lookup");

  struct {
    std::size_t size;
    int shape;
  } const rows[] = {{4 << 10, 0}, {1 << 20, 0}, {16 << 10, 1}};
  for (const auto& row : rows) {
    const std::string message = row.shape == 0 ? dkim_bench::ordinary(row.size) : dkim_bench::blanks(row.size);
    measure("sign", row.size, row.shape, [&] { sign(library, key, message); });
    const std::string with = sign(library, key, message) + message;
    measure("verify", row.size, row.shape, [&] { verify(library, with); });
  }
  dkim_close(library);
}
