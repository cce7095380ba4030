#pragma once

// Structured log events: a name and fields, one line each. What may stand in a field is the privacy promise of
// the product: time, address, sender and recipient, dialogue outcome, session id, sizes, codes. Never content,
// subject, display name or credential.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/result.hpp"

namespace briefwerk::base {

enum class log_level : std::uint8_t { debug, info, warning, error };

// Views live until write() returns.
struct log_field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, bool> value;
  log_field(std::string_view k, std::string_view v) : key(k), value(v) {}
  log_field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  log_field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  log_field(std::string_view k, bool v) : key(k), value(v) {}
  template <class Integer>
    requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>)
  log_field(std::string_view k, Integer v) : key(k), value(static_cast<std::int64_t>(v)) {}
};

// Thread-safe; never throws and never blocks for long.
class log_sink {
 public:
  virtual ~log_sink() = default;
  virtual bool enabled(log_level level) const noexcept = 0;
  // `event` is a dotted name of the vocabulary, for instance "smtp.message.accepted".
  virtual void write(log_level level, std::string_view event, std::span<const log_field> fields) noexcept = 0;

  // Opens the same path again, for instance after the old file was moved away (SIGHUP). On an error the sink goes on
  // with what it has. Nothing to do for a sink without a path.
  virtual status reopen() noexcept { return {}; }

  void log(log_level level, std::string_view event, std::initializer_list<log_field> fields) noexcept {
    if (enabled(level)) write(level, event, {fields.begin(), fields.size()});
  }
};

enum class log_format : std::uint8_t { text, json };

// One line per event, written with one write(2) each; `path` "-" is standard error. A file is created with mode 0640
// and appended to.
//   text: 2026-03-01T12:00:00.000Z info smtp.message.accepted session=k3... size=4096 from="\"a b\"@example.org"
//     Values that are not plain printable ASCII stand in quotes; control characters are \n, \t, \xNN, octets that are
//     no UTF-8 are \xNN.
//   json: {"time":"...","level":"info","event":"...","session":"k3...","size":4096}
//     Octets that are no UTF-8 become U+FFFD.
// A value is cut at limits::log_value. `time` outlives the sink.
result<std::unique_ptr<log_sink>> open_log(const std::string& path, log_format format, log_level least, const clock& time);

// Drops everything.
log_sink& null_log() noexcept;

}  // namespace briefwerk::base
