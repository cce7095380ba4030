#pragma once

// libclamav: a loaded database, and scans with it.

#include <memory>
#include <string>

#include "apps/scand/settings.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/filter/scanner.hpp"

struct cl_engine;

namespace briefwerk::scand {

class engine {
 public:
  // Nothing where the folder has no usable database: `wrong` says why.
  static std::unique_ptr<engine> load(const settings& how, std::string& wrong);
  ~engine();
  engine(const engine&) = delete;

  unsigned signatures() const noexcept { return signatures_; }
  // From now on files that scans need are made in this folder.
  bool use_folder(const std::string& path);
  // The descriptor stays the caller's.
  filter::scan_answer scan(int file) const;

 private:
  explicit engine(cl_engine* made) noexcept : engine_(made) {}
  cl_engine* engine_;
  unsigned signatures_ = 0;
};

}  // namespace briefwerk::scand
