#include "store/mailbox/snapshot_loads.hpp"

namespace briefwerk::store {

class snapshot_loads::load final : public pending_snapshot {
 public:
  load(std::unique_ptr<view> now, key of) : now_(std::move(now)), of_(std::move(of)), version_(now_->version()) {}

  base::task<answer> get() override {
    co_return co_await base::wait_for<answer>([this](base::completion<answer> asks) {
      std::unique_lock lock(mutex_);
      if (!done_) return waiting_.push_back(std::move(asks));
      lock.unlock();
      asks(*done_);
    });
  }

  void run(const faults& report, const reading& read) {
    auto found = read(account_reader(*now_, of_.first, report), of_.second);
    now_.reset();
    std::vector<base::completion<answer>> told;
    {
      std::lock_guard lock(mutex_);
      done_.emplace(std::move(found));
      told.swap(waiting_);
    }
    for (auto& one : told) one(*done_);
  }

  const key& of() const noexcept { return of_; }
  version_number version() const noexcept { return version_; }

 private:
  std::unique_ptr<view> now_;
  const key of_;
  const version_number version_;
  std::mutex mutex_;
  std::optional<answer> done_;  // set once
  std::vector<base::completion<answer>> waiting_;
};

snapshot_loads::~snapshot_loads() {
  std::unique_lock lock(mutex_);
  calm_.wait(lock, [&] { return running_ == 0; });
}

std::shared_ptr<pending_snapshot> snapshot_loads::begin(std::unique_ptr<view> now, const std::string& partition,
                                                        mailbox_id mailbox) {
  std::shared_ptr<load> made;
  {
    std::lock_guard lock(mutex_);
    auto& latest = under_way_[{partition, mailbox}];
    if (latest && latest->version() == now->version()) return latest;
    latest = made = std::make_shared<load>(std::move(now), key(partition, mailbox));
    ++running_;
  }
  threads_.post([this, made] { run(made); });
  return made;
}

void snapshot_loads::run(const std::shared_ptr<load>& one) {
  one->run(report_, read_);
  std::lock_guard lock(mutex_);
  if (const auto at = under_way_.find(one->of()); at != under_way_.end() && at->second == one) under_way_.erase(at);
  if (--running_ == 0) calm_.notify_all();
}

}  // namespace briefwerk::store
