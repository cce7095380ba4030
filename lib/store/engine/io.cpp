#include "store/engine/io.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace briefwerk::store {

std::error_code io_error(int number) noexcept {
  if (number == ENOSPC || number == EDQUOT) return make_error_code(base::errc::no_space);
  return {number, std::generic_category()};
}

base::status io_file::write_all(std::string_view octets, std::uint64_t offset) {
  while (!octets.empty()) {
    const iovec piece{const_cast<char*>(octets.data()), octets.size()};
    auto written = write_at({&piece, 1}, offset);
    if (!written) return base::fail(written.error());
    octets.remove_prefix(*written);
    offset += *written;
  }
  return {};
}

namespace {

base::status last_error() { return base::fail(io_error(errno)); }
base::status check(int answer) { return answer == 0 ? base::status() : last_error(); }

class system_file final : public io_file {
 public:
  explicit system_file(int fd) : fd_(fd) {}
  system_file(const system_file&) = delete;
  ~system_file() override { ::close(fd_); }

  base::result<std::size_t> write_at(std::span<const iovec> pieces, std::uint64_t offset) override {
    const int count = static_cast<int>(std::min<std::size_t>(pieces.size(), IOV_MAX));
    for (;;) {
      const ssize_t n = ::pwritev(fd_, pieces.data(), count, static_cast<off_t>(offset));
      if (n > 0) return static_cast<std::size_t>(n);
      if (n == 0) return base::fail(io_error(EIO));
      if (errno != EINTR) return base::fail(io_error(errno));
    }
  }
  base::status sync() override { return check(::fdatasync(fd_)); }
  void start_write([[maybe_unused]] std::uint64_t offset, [[maybe_unused]] std::uint64_t size) override {
#ifdef __linux__
    // Without a flag to wait it takes no error away from the sync.
    static_cast<void>(::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(size), SYNC_FILE_RANGE_WRITE));
#endif
  }
  base::status truncate(std::uint64_t size) override { return check(::ftruncate(fd_, static_cast<off_t>(size))); }
  base::status punch(std::uint64_t offset, std::uint64_t size) override {
    return check(::fallocate(fd_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                             static_cast<off_t>(size)));
  }
  base::result<std::uint64_t> size() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return base::fail(io_error(errno));
    return static_cast<std::uint64_t>(info.st_size);
  }
  base::result<std::shared_ptr<const char>> map(std::uint64_t size) override {
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd_, 0);
    if (at == MAP_FAILED) return base::fail(io_error(errno));
    return std::shared_ptr<const char>(static_cast<const char*>(at), [size](const char* p) {
      ::munmap(const_cast<char*>(p), size);
    });
  }

 private:
  const int fd_;
};

class system_io final : public io {
 public:
  base::result<std::unique_ptr<io_file>> open(const std::string& path, bool create) override {
    const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0600);
    if (fd < 0) return base::fail(io_error(errno));
    return std::make_unique<system_file>(fd);
  }
  base::status rename(const std::string& from, const std::string& to) override {
    return check(::rename(from.c_str(), to.c_str()));
  }
  base::status remove(const std::string& path) override { return check(::unlink(path.c_str())); }
  base::status sync_folder(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return last_error();
    const base::status synced = check(::fsync(fd));
    ::close(fd);
    return synced;
  }
  base::status make_folder(const std::string& path) override {
    return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST ? base::status() : last_error();
  }
  base::result<std::vector<std::string>> list(const std::string& path) override {
    DIR* folder = ::opendir(path.c_str());
    if (folder == nullptr) return base::fail(io_error(errno));
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(folder)) names.emplace_back(entry->d_name);
    ::closedir(folder);
    return names;
  }
};

}  // namespace

std::unique_ptr<io> make_system_io() { return std::make_unique<system_io>(); }

}  // namespace briefwerk::store
