#pragma once

// What a damaged value causes: errc::corrupt for the caller; its place for the operator, in the log and as a figure.

#include <string_view>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/result.hpp"

namespace briefwerk::store {

class faults {
 public:
  faults(base::log_sink* log, base::metrics* figures)
      : log_(log != nullptr ? log : &base::null_log()),
        corrupt_values_(figures != nullptr ? &figures->get_counter("store.corrupt_values") : nullptr) {}

  std::unexpected<std::error_code> corrupt(std::string_view partition, std::string_view key) const {
    if (corrupt_values_ != nullptr) corrupt_values_->add();
    log_->log(base::log_level::error, "store.value.corrupt",
              {{"partition", partition}, {"key", base::hex_encode(key)}});
    return base::fail(base::errc::corrupt);
  }
  base::log_sink& log() const noexcept { return *log_; }

 private:
  base::log_sink* log_;
  base::counter* corrupt_values_;
};

}  // namespace briefwerk::store
