#include "store/engine/zero_ahead.hpp"

#include <algorithm>
#include <utility>

namespace briefwerk::store {
namespace {

constexpr std::uint64_t smallest_window = 1u << 20;
constexpr std::uint64_t piece = 256u << 10;  // one write; a commit that overtakes it waits for it

}  // namespace

zero_ahead::zero_ahead(std::uint64_t most, std::uint64_t segment_octets)
    : most_(most), segment_octets_(segment_octets), zeros_(most > 0 ? piece : 0, '\0'), window_(std::min(smallest_window, most)) {
  if (most_ > 0) thread_ = std::thread([this] { run(); });
}

zero_ahead::~zero_ahead() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void zero_ahead::attach(std::unique_ptr<io_file> file, std::uint64_t end) {
  if (most_ == 0) return;
  std::unique_lock lock(mutex_);
  auto old = std::exchange(file_, nullptr);  // from here on the thread takes no new work
  calm_.wait(lock, [&] { return !using_file_; });
  file_ = std::move(file);
  position_ = frontier_ = end;
  failed_ = false;
  lock.unlock();
  old.reset();
}

void zero_ahead::claim(std::uint64_t end) {
  if (most_ == 0) return;
  std::unique_lock lock(mutex_);
  if (end <= frontier_) return;
  calm_.wait(lock, [&] { return !writing_; });
  frontier_ = std::max(frontier_, end);
}

void zero_ahead::advance(std::uint64_t position) {
  if (most_ == 0) return;
  std::lock_guard lock(mutex_);
  position_ = position;
  if (!using_file_ && wanted()) wake_.notify_one();
}

bool zero_ahead::wanted() const {
  return file_ && !failed_ && frontier_ < position_ + window_ / 2 && frontier_ < segment_octets_;
}

void zero_ahead::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [&] { return closing_ || wanted(); });
    if (closing_) return;
    // Used up within a second: a busy time, so more at once the next time.
    const auto now = std::chrono::steady_clock::now();
    const bool busy = now - last_ < std::chrono::seconds(1);
    window_ = std::min(most_, busy ? window_ * 2 : smallest_window);
    last_ = now;
    using_file_ = true;
    write_zeros(lock);
    using_file_ = false;
    calm_.notify_all();
  }
}

void zero_ahead::write_zeros(std::unique_lock<std::mutex>& lock) {
  io_file* const file = file_.get();
  const std::uint64_t goal = std::min(position_ + window_, segment_octets_);
  while (file_.get() == file && !closing_ && !failed_ && frontier_ < goal) {
    const std::uint64_t from = frontier_;
    const std::uint64_t size = std::min(piece, goal - from);
    writing_ = true;
    lock.unlock();
    const base::status written = file->write_all(std::string_view(zeros_).substr(0, size), from);
    lock.lock();
    writing_ = false;
    // On a full disk the journal finds out by itself; what could not be prepared is merely slower.
    failed_ = !written;
    if (written) frontier_ = from + size;
    calm_.notify_all();
  }
  lock.unlock();
  const base::status synced = file->sync();  // an error of it comes back to the journal's own sync as well
  lock.lock();
  failed_ = failed_ || !synced;
}

}  // namespace briefwerk::store
