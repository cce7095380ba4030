#include "store/engine_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>

namespace briefwerk::store::testing {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

}  // namespace

class test_file final : public io_file {
 public:
  test_file(test_disk& disk, std::unique_ptr<io_file> real, std::shared_ptr<test_disk::content> of)
      : disk_(disk), real_(std::move(real)), of_(std::move(of)) {}

  base::result<std::size_t> write_at(std::span<const iovec> pieces, std::uint64_t offset) override {
    std::lock_guard lock(disk_.mutex_);
    const base::status on = disk_.step();
    if (!on) return base::fail(on.error());
    std::string all;
    for (const auto& p : pieces) all.append(static_cast<const char*>(p.iov_base), p.iov_len);
    if (disk_.short_ && all.size() > 1) all.resize(all.size() / 2 + 1);
    const std::uint64_t end = size_with_pending();
    const std::uint64_t growth = offset + all.size() > end ? offset + all.size() - end : 0;
    if (growth > disk_.space_) {
      const std::uint64_t fits = all.size() - std::min<std::uint64_t>(growth - disk_.space_, all.size());
      if (fits == 0) return base::fail(io_error(ENOSPC));
      all.resize(fits);
      disk_.space_ = 0;
    } else if (disk_.space_ != ~0ull) {
      disk_.space_ -= growth;
    }
    const base::status written = real_->write_all(all, offset);
    if (!written) return base::fail(written.error());
    const std::size_t n = all.size();
    of_->pending.push_back({offset, std::move(all)});
    return n;
  }
  base::status sync() override {
    std::lock_guard lock(disk_.mutex_);
    const base::status on = disk_.step();
    if (!on) return on;
    if (disk_.sync_fails_) {
      of_->pending.clear();
      return base::fail(io_error(EIO));
    }
    for (const auto& w : of_->pending) test_disk::apply(of_->durable, w);
    of_->pending.clear();
    return {};
  }
  base::status truncate(std::uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    const base::status on = disk_.step();
    if (!on) return on;
    of_->pending.push_back({size, {}, true});
    return real_->truncate(size);
  }
  // Durable at once: the dead may come back or not, nobody asks for them.
  base::status punch(std::uint64_t offset, std::uint64_t size) override {
    std::lock_guard lock(disk_.mutex_);
    const base::status on = disk_.step();
    if (!on) return on;
    if (offset < of_->durable.size())
      std::fill_n(of_->durable.begin() + static_cast<std::ptrdiff_t>(offset),
                  std::min<std::uint64_t>(size, of_->durable.size() - offset), '\0');
    return real_->punch(offset, size);
  }
  base::result<std::uint64_t> size() override { return real_->size(); }
  base::result<std::shared_ptr<const char>> map(std::uint64_t size) override { return real_->map(size); }

 private:
  std::uint64_t size_with_pending() const { return *real_->size(); }

  test_disk& disk_;
  std::unique_ptr<io_file> real_;
  std::shared_ptr<test_disk::content> of_;
};

test_disk::test_disk() : real_(make_system_io()) {}
test_disk::~test_disk() = default;

void test_disk::set_space(std::uint64_t octets) {
  std::lock_guard lock(mutex_);
  space_ = octets;
}
void test_disk::unlimited_space() { set_space(~0ull); }
void test_disk::short_writes(bool on) {
  std::lock_guard lock(mutex_);
  short_ = on;
}
void test_disk::fail_syncs(bool on) {
  std::lock_guard lock(mutex_);
  sync_fails_ = on;
}
void test_disk::power_off_after(std::uint64_t steps) {
  std::lock_guard lock(mutex_);
  steps_ = steps;
}
bool test_disk::is_off() const {
  std::lock_guard lock(mutex_);
  return steps_ == 0;
}

base::status test_disk::step() {
  if (steps_ == 0) return base::fail(io_error(EIO));
  if (steps_ != ~0ull) --steps_;
  return {};
}

void test_disk::apply(std::string& image, const pending_write& w) {
  if (w.truncates) {
    image.resize(w.offset);
    return;
  }
  if (image.size() < w.offset + w.octets.size()) image.resize(w.offset + w.octets.size());
  image.replace(w.offset, w.octets.size(), w.octets);
}

void test_disk::come_back(std::mt19937& random) {
  std::lock_guard lock(mutex_);
  for (auto& [path, of] : files_) {
    std::string image = of->durable;
    for (auto& w : of->pending) {
      const unsigned fate = random() % 4;
      if (w.truncates || fate == 0) {
        if (random() % 2 == 0) apply(image, w);
      } else if (fate == 1) {
        w.octets.resize(random() % (w.octets.size() + 1));
        apply(image, w);
      } else if (fate == 2) {
        constexpr std::size_t sector = 512;
        for (std::uint64_t at = 0; at < w.octets.size();) {
          const std::size_t n = std::min<std::size_t>(sector - (w.offset + at) % sector, w.octets.size() - at);
          if (random() % 2 == 0) apply(image, {w.offset + at, w.octets.substr(at, n)});
          at += n;
        }
      } else {
        apply(image, w);
      }
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc).write(image.data(), static_cast<std::streamsize>(image.size()));
    of->durable = std::move(image);
    of->pending.clear();
  }
  steps_ = space_ = ~0ull;
  sync_fails_ = short_ = false;
}

base::result<std::unique_ptr<io_file>> test_disk::open(const std::string& path, bool create) {
  std::lock_guard lock(mutex_);
  if (steps_ == 0) return base::fail(io_error(EIO));
  auto real = real_->open(path, create);
  if (!real) return base::fail(real.error());
  auto& of = files_[path];
  if (!of) of = std::make_shared<content>(content{read_file(path), {}});
  return std::make_unique<test_file>(*this, std::move(*real), of);
}

// Names are durable at once.
base::status test_disk::rename(const std::string& from, const std::string& to) {
  std::lock_guard lock(mutex_);
  const base::status on = step();
  if (!on) return on;
  if (auto node = files_.extract(from)) {
    node.key() = to;
    files_.erase(to);
    files_.insert(std::move(node));
  }
  return real_->rename(from, to);
}
base::status test_disk::remove(const std::string& path) {
  std::lock_guard lock(mutex_);
  const base::status on = step();
  if (!on) return on;
  files_.erase(path);
  return real_->remove(path);
}
base::status test_disk::sync_folder(const std::string& path) {
  std::lock_guard lock(mutex_);
  const base::status on = step();
  return on ? real_->sync_folder(path) : on;
}
base::status test_disk::make_folder(const std::string& path) { return real_->make_folder(path); }
base::result<std::vector<std::string>> test_disk::list(const std::string& path) { return real_->list(path); }

}  // namespace briefwerk::store::testing
