#include <map>
#include <mutex>

#include "briefwerk/store/state_rows.hpp"

namespace briefwerk::store {
namespace {

class memory_state_rows final : public state_rows {
 public:
  base::status load(const std::function<void(std::string_view, std::string_view)>& each) override {
    std::lock_guard lock(mutex_);
    for (const auto& [key, value] : rows_) each(key, value);
    return {};
  }
  void put(std::string key, std::string value) override {
    std::lock_guard lock(mutex_);
    rows_.insert_or_assign(std::move(key), std::move(value));
  }
  void erase(std::string key) override {
    std::lock_guard lock(mutex_);
    rows_.erase(key);
  }
  base::status flush() override { return {}; }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> rows_;
};

}  // namespace

std::unique_ptr<state_rows> make_memory_state() { return std::make_unique<memory_state_rows>(); }

}  // namespace briefwerk::store
