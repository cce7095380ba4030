#pragma once

// Results and errors. What can be expected to fail returns result<T>; an exception means a
// broken invariant or no memory, and none crosses a room.

#include <expected>
#include <string>
#include <system_error>
#include <type_traits>

namespace briefwerk::base {

template <class T>
using result = std::expected<T, std::error_code>;

using status = result<void>;

// Errors that more than one room can meet. Rooms with errors of their own define their own
// `enum class errc` and category in the same manner.
enum class errc {
  cancelled = 1,   // the operation was given up: shutdown, or its completion was dropped
  timed_out,       // a deadline passed
  end_of_stream,   // the peer closed the connection in an orderly way
  limit_exceeded,  // a bound named in limits.hpp was reached
  malformed,       // bytes that do not follow their grammar
  not_found,
  already_exists,
  conflict,        // another writer was first
  no_space,        // disk or quota
  corrupt,         // stored bytes fail their checksum or their format
  unavailable,     // a needed service does not answer; trying again later may help
  denied,
  unsupported,
};

const std::error_category& base_category() noexcept;

inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), base_category()}; }

// fail(errc::x) converts to any result<T>; works for every room's errc through ADL.
template <class Errc>
  requires std::is_error_code_enum_v<Errc>
[[nodiscard]] std::unexpected<std::error_code> fail(Errc e) {
  return std::unexpected(make_error_code(e));
}
[[nodiscard]] inline std::unexpected<std::error_code> fail(std::error_code e) { return std::unexpected(e); }

}  // namespace briefwerk::base

template <>
struct std::is_error_code_enum<briefwerk::base::errc> : std::true_type {};
