#pragma once

// A partition as the commit thread sees it: a view of the engine, and over it what earlier functions of the same
// group wrote.

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

class overlay final : public view {
 public:
  // A write that can be taken back: what stood in the overlay before it.
  struct undo {
    overlay* where;
    std::string key;
    std::optional<std::optional<std::string>> before;
  };

  explicit overlay(std::unique_ptr<view> base) : base_(std::move(base)) {}

  version_number version() const noexcept override { return base_->version(); }
  base::result<std::optional<octets>> get(std::string_view key) const override;
  base::result<page> scan(const key_range& range, page_limit limit) const override;

  void apply(batch&& writes, std::vector<undo>& log);
  static void take_back(std::vector<undo>& log);  // all of the log, newest first

  const batch& written() const noexcept { return written_; }

 private:
  std::unique_ptr<view> base_;
  batch written_;
};

}  // namespace briefwerk::store
