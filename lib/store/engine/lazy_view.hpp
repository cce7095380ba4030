#pragma once

// A view that is made when the first row is read: for readers who find most rows in caches kept by version.

#include <memory>
#include <optional>
#include <string_view>

#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

class lazy_view final : public view {
 public:
  // `version` is what the engine said of the partition; engine and name must outlive this.
  lazy_view(const engine& where, std::string_view partition, version_number version)
      : where_(where), partition_(partition), version_(version) {}

  version_number version() const noexcept override { return version_; }
  base::result<std::optional<octets>> get(std::string_view key) const override {
    const auto now = made();
    if (!now) return base::fail(now.error());
    return (*now)->get(key);
  }
  base::result<page> scan(const key_range& range, page_limit limit = {}) const override {
    const auto now = made();
    if (!now) return base::fail(now.error());
    return (*now)->scan(range, limit);
  }
  base::status walk(const key_range& range, const row_function& f, caching how = caching::none) const override {
    const auto now = made();
    if (!now) return base::fail(now.error());
    return (*now)->walk(range, f, how);
  }

  // The partition was written before the view was made: every read fails with conflict, the work is to be done anew.
  bool is_stale() const noexcept { return stale_; }

 private:
  base::result<const view*> made() const {
    if (!made_) {
      auto now = where_.read(partition_);
      if (!now) return base::fail(now.error());
      made_ = std::move(*now);
      stale_ = made_->version() != version_;
    }
    if (stale_) return base::fail(base::errc::conflict);
    return made_.get();
  }

  const engine& where_;
  const std::string_view partition_;
  const version_number version_;
  mutable std::unique_ptr<view> made_;
  mutable bool stale_ = false;
};

}  // namespace briefwerk::store
