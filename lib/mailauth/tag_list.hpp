#pragma once

// Tag lists as DMARC records have them (RFC 7489 §6.4, after RFC 6376 §3.2): "name=value" between semicolons. Reading
// goes on behind what is broken.

#include <cstddef>
#include <string_view>

namespace briefwerk::mailauth {

struct tag {
  std::string_view name;                              // empty when the piece is no tag: then `value` is the piece
  std::string_view value;                             // white space round it removed
  std::size_t name_position = 0, value_position = 0;  // octets of the list
};

class tag_reader {
 public:
  explicit tag_reader(std::string_view list) noexcept : list_(list) {}
  // The next piece that is not empty; false at the end.
  bool next(tag& found) noexcept;

 private:
  std::string_view list_;
  std::size_t at_ = 0;
};

}  // namespace briefwerk::mailauth
