#include "apps/scand/engine.hpp"

#include <clamav.h>

#include <utility>

#include "briefwerk/filter/clamav_names.hpp"

namespace briefwerk::scand {
namespace {

using filter::scan_answer;
using filter::scan_outcome;

// What libclamav says may name files of a message.
void say_nothing(cl_msg, const char*, const char*, void*) {}

bool set_bounds(cl_engine* made, const settings& how) {
  const std::pair<cl_engine_field, long long> all[] = {
      {CL_ENGINE_MAX_SCANSIZE, static_cast<long long>(how.unpacked)},
      {CL_ENGINE_MAX_FILESIZE, static_cast<long long>(how.unpacked)},
      {CL_ENGINE_MAX_RECURSION, how.depth},
      {CL_ENGINE_MAX_FILES, how.files},
      {CL_ENGINE_MAX_SCANTIME, how.seconds * 1000LL},
      {CL_ENGINE_DISABLE_PE_STATS, 1},
  };
  for (const auto& [field, value] : all) {
    if (cl_engine_set_num(made, field, value) != CL_SUCCESS) return false;
  }
  return cl_engine_set_str(made, CL_ENGINE_TMPDIR, how.temporary.c_str()) == CL_SUCCESS;
}

}  // namespace

std::unique_ptr<engine> engine::load(const settings& how, std::string& wrong) {
  cl_set_clcb_msg(say_nothing);
  cl_error_t failed = cl_init(CL_INIT_DEFAULT);
  cl_engine* const made = failed == CL_SUCCESS ? cl_engine_new() : nullptr;
  if (!made) {
    wrong = "libclamav does not start";
    return nullptr;
  }
  std::unique_ptr<engine> loaded(new engine(made));
  if (!set_bounds(made, how)) {
    wrong = "libclamav does not take its bounds";
    return nullptr;
  }
  failed = cl_load(how.database.c_str(), made, &loaded->signatures_, CL_DB_STDOPT);
  if (failed == CL_SUCCESS && loaded->signatures_ == 0) {
    wrong = "no signatures in " + how.database;
    return nullptr;
  }
  if (failed == CL_SUCCESS) failed = cl_engine_compile(made);
  if (failed == CL_SUCCESS) return loaded;
  wrong = how.database + ": " + cl_strerror(failed);
  return nullptr;
}

engine::~engine() { cl_engine_free(engine_); }

bool engine::use_folder(const std::string& path) {
  return cl_engine_set_str(engine_, CL_ENGINE_TMPDIR, path.c_str()) == CL_SUCCESS;
}

scan_answer engine::scan(int file) const {
  cl_scan_options what{};
  what.general = CL_SCAN_GENERAL_HEURISTICS;
  what.parse = ~0u;
  what.heuristic =
      CL_SCAN_HEURISTIC_EXCEEDS_MAX | CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE | CL_SCAN_HEURISTIC_ENCRYPTED_DOC;
  const char* name = nullptr;
  unsigned long scanned = 0;
  const cl_error_t said = cl_scandesc(file, nullptr, &name, &scanned, engine_, &what);
  switch (said) {
    case CL_CLEAN:
      return {scan_outcome::clean, {}};
    case CL_VIRUS:
      return filter::judge_clamav_name(name ? name : "unknown");
    case CL_EMAXREC:
    case CL_EMAXSIZE:
    case CL_EMAXFILES:
      return {scan_outcome::too_large, cl_strerror(said)};
    case CL_ETIMEOUT:
      return {scan_outcome::failed, "took too long"};
    default:
      return {scan_outcome::failed, cl_strerror(said)};
  }
}

}  // namespace briefwerk::scand
