#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "briefwerk/base/metrics.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/engine.hpp"
#include "briefwerk/store/state_rows.hpp"

namespace briefwerk::store {

// Over a partition of its own. References outlive it.
class engine_state_rows final : public state_rows {
 public:
  engine_state_rows(engine& where, committer& writer, std::string partition, base::metrics* figures,
                    std::chrono::milliseconds every);
  ~engine_state_rows() override;

  base::status load(const std::function<void(std::string_view, std::string_view)>& each) override;
  void put(std::string key, std::string value) override { change(std::move(key), std::move(value)); }
  void erase(std::string key) override { change(std::move(key), std::nullopt); }
  base::status flush() override;

 private:
  using changes = std::map<std::string, std::optional<std::string>>;

  void change(std::string key, std::optional<std::string> value);
  void run(std::stop_token stop);
  base::status write();
  base::status commit(const changes& batch);

  engine& where_;
  committer& writer_;
  const std::string partition_;
  base::counter* dropped_ = nullptr;
  const std::chrono::milliseconds every_;
  std::mutex mutex_;
  std::condition_variable_any waiting_;
  changes pending_;
  std::mutex writing_;  // one batch at a time, so that an older value never follows a newer one
  std::jthread thread_;
};

}  // namespace briefwerk::store
