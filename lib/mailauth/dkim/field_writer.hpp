#pragma once

// Writes a signature's field, folded between tags, names and Base64 pieces so that its lines stay within 78 octets.

#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::mailauth {

class field_writer {
 public:
  explicit field_writer(std::string_view name) : text_(std::string(name) + ":"), column_(text_.size()) {}

  void tag(std::string_view name, std::string_view value);
  void list(std::string_view name, const std::vector<std::string>& elements);  // with ":" between
  void base64(std::string_view name, std::string_view octets);
  // The last one: "b=" without its value, as it is signed (RFC 6376 §3.7); then the value, and the final CRLF.
  void begin_signature();
  void end_signature(std::string_view octets);

  const std::string& text() const noexcept { return text_; }

 private:
  void begin(std::size_t size);
  void fold();
  void add(std::string_view text);

  std::string text_;
  std::size_t column_;
  bool first_ = true;
};

}  // namespace briefwerk::mailauth
