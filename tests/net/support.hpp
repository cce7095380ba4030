#pragma once

// What the tests of this room share: a folder that goes away, chains run to their end on a loop, certificates.

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "briefwerk/net.hpp"

namespace briefwerk::net::testing {

using namespace std::chrono_literals;

class temporary_folder {
 public:
  temporary_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-net-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~temporary_folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void save(const std::string& path, const std::string& text) { REQUIRE(write_file(path, text).has_value()); }

// Writes NAME.pem and NAME.key and answers their paths.
inline certificate_files save(const temporary_folder& folder, const std::string& name, const certificate_pair& pair) {
  certificate_files out{folder / (name + ".pem"), folder / (name + ".key")};
  save(out.certificate, pair.certificate);
  save(out.key, pair.key);
  return out;
}

inline certificate_files self_signed(const temporary_folder& folder, const std::string& name,
                                     certificate_request request) {
  const result<certificate_pair> made = make_self_signed(request);
  REQUIRE(made.has_value());
  return save(folder, name, *made);
}

// Runs a chain on the loop until it ends; the test fails when that takes too long.
template <class T>
T run(io_thread& loop, base::task<T> work) {
  std::optional<T> out;
  auto wrap = [](base::task<T> inner, std::optional<T>& into) -> base::task<void> {
    into.emplace(co_await std::move(inner));
  };
  base::spawn(loop, wrap(std::move(work), out));
  for (int i = 0; i < 6000 && !out; ++i) loop.run_for(10ms);
  REQUIRE(out.has_value());
  return std::move(*out);
}

// Serves what is left: chains that end after the one that was waited for.
inline void settle(io_thread& loop) {
  for (int i = 0; i < 500 && loop.stream_count() != 0; ++i) loop.run_for(10ms);
  loop.run_for(10ms);
}

inline base::endpoint loopback(std::uint16_t port = 0) { return {base::ip_address::v4({127, 0, 0, 1}), port}; }
inline base::endpoint loopback6(std::uint16_t port = 0) {
  return {base::ip_address::v6({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), port};
}

// Reads exactly `size` octets.
inline base::task<result<std::string>> read_exactly(stream& from, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t done = 0; done < size;) {
    const auto got = co_await from.read_some(std::span(out).subspan(done));
    if (!got) co_return fail(got.error());
    done += *got;
  }
  co_return out;
}

// Sends everything back until the peer ends.
inline base::task<void> echo(stream s) {
  for (;;) {
    const status ready = co_await s.readable();
    if (!ready) co_return;
    char buffer[16384];
    const auto got = co_await s.read_some(buffer);
    if (!got) break;
    const status sent = co_await s.write(std::string_view(buffer, *got));
    if (!sent) break;
  }
  (void)co_await s.shutdown();
}

inline base::task<void> echo_tls(stream s, tls_context& context) {
  const status secured = co_await s.start_tls_server(context);
  if (!secured) co_return;
  co_await echo(std::move(s));
}

}  // namespace briefwerk::net::testing
