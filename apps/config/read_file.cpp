#include "apps/config/read_file.hpp"

#include <cerrno>
#include <cstdio>
#include <memory>

namespace briefwerk::apps {

net::explained<std::string> read_file(const std::string& path) {
  const auto refuse = [&path](int why) {
    const std::error_code code(why, std::generic_category());
    return std::unexpected(net::explained_error{code, "cannot read " + path + ": " + code.message()});
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), &std::fclose);
  if (!file) return refuse(errno);
  std::string all;
  char piece[65536];
  while (const std::size_t got = std::fread(piece, 1, sizeof piece, file.get())) all.append(piece, got);
  if (std::ferror(file.get()) != 0) return refuse(errno);
  return all;
}

}  // namespace briefwerk::apps
