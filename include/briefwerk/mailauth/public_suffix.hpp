#pragma once

// Organizational domains by the public suffix list (RFC 7489 §3.2), read by libpsl.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mailauth {

// Immutable after it was made; any number of threads may ask it at once. Moves only.
class public_suffix_list {
 public:
  // The newest of libpsl's built-in list, the system's file (Debian's package publicsuffix) and `file` when one is
  // given. errc::not_found when a file was given and cannot be read.
  static base::result<public_suffix_list> newest(const std::string& file = {});
  // That file alone, in the text form of publicsuffix.org or compiled (DAFSA). errc::not_found, errc::malformed.
  static base::result<public_suffix_list> from_file(const std::string& file);

  public_suffix_list(public_suffix_list&&) noexcept;
  public_suffix_list& operator=(public_suffix_list&&) noexcept;
  ~public_suffix_list();

  // The public suffix and one label more, in A-labels and lower case. Nothing when `domain` is a public suffix
  // itself, an address literal, or no domain at all (empty labels, over-long). Rules of the list's private section
  // count; a top level that the list does not know is a public suffix. A- and U-labels, any case, one final dot.
  std::optional<std::string> organizational_domain(std::string_view domain) const;
  bool is_public_suffix(std::string_view domain) const;

 private:
  struct list;
  explicit public_suffix_list(std::unique_ptr<list> found) noexcept;
  std::unique_ptr<list> list_;
};

}  // namespace briefwerk::mailauth
