#pragma once

// A partition as the commit thread sees it: what is known of it, a view of the engine (made when something is read that
// is not known), and over it what earlier functions of the same group wrote.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "briefwerk/store/engine.hpp"
#include "store/engine/known_rows.hpp"
#include "store/engine/lazy_view.hpp"

namespace briefwerk::store {

class overlay final : public view {
 public:
  // A write that can be taken back: what stood in the overlay before it.
  struct undo {
    overlay* where;
    std::string key;
    std::optional<std::optional<std::string>> before;
  };

  // Both `where` and the name must outlive it.
  overlay(const engine& where, std::string_view partition, known_rows rows)
      : base_(where, partition, rows.version), known_(std::move(rows)) {}

  version_number version() const noexcept override { return base_.version(); }
  base::result<std::optional<octets>> get(std::string_view key) const override;
  base::result<page> scan(const key_range& range, page_limit limit) const override;

  void apply(batch&& writes, std::vector<undo>& log);
  static void take_back(std::vector<undo>& log);  // all of the log, newest first

  const batch& written() const noexcept { return written_; }

  // Another process wrote the partition before the view was made: reads fail with conflict, to be begun again.
  bool is_stale() const noexcept { return base_.is_stale(); }
  // What is known after `written` became version `now`. Ends the overlay.
  known_rows take_known(version_number now) {
    known_.update(written_);
    known_.version = now;
    return std::move(known_);
  }

 private:
  const lazy_view base_;
  mutable known_rows known_;
  batch written_;
};

}  // namespace briefwerk::store
