#include "store/engine/folder.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace briefwerk::store {
namespace {
constexpr std::string_view this_format = "briefwerk store, format 1\n";
}

folder_lock::~folder_lock() {
  if (fd_ >= 0) ::close(fd_);
}

base::result<folder_lock> folder_lock::take(const std::string& path) {
  folder_lock lock;
  lock.fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock.fd_ < 0) return base::fail(io_error(errno));
  if (::flock(lock.fd_, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) return base::fail(base::errc::unavailable);
  return base::fail(io_error(errno));
}

base::status settle_format(io& disk, const std::string& folder, std::string& why) {
  auto names = disk.list(folder);
  if (!names) return base::fail(names.error());
  const auto has = [&](std::string_view name) { return std::find(names->begin(), names->end(), name) != names->end(); };
  const std::string path = folder + "/FORMAT";
  if (has("FORMAT")) {
    auto file = disk.open(path, false);
    if (!file) return base::fail(file.error());
    auto size = (*file)->size();
    if (!size) return base::fail(size.error());
    auto octets = *size > 0 ? (*file)->map(*size) : base::result<std::shared_ptr<const char>>(nullptr);
    if (!octets) return base::fail(octets.error());
    const std::string found(octets->get(), std::min<std::uint64_t>(*size, 100));
    if (found == this_format) return {};
    why = path + ": another format than this release knows: \"" + found.substr(0, found.find('\n')) + "\"";
    return base::fail(base::errc::unsupported);
  }
  if (has("journal") || has("index")) {
    why = path + " is missing, although the folder holds a store";
    return base::fail(base::errc::corrupt);
  }
  auto file = disk.open(path + ".new", true);
  if (!file) return base::fail(file.error());
  base::status done = (*file)->truncate(0);
  if (done) done = (*file)->write_all(this_format, 0);
  if (done) done = (*file)->sync();
  if (done) done = disk.rename(path + ".new", path);
  if (done) done = disk.sync_folder(folder);
  return done;
}

}  // namespace briefwerk::store
