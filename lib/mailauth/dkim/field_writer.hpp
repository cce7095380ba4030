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
  // "b=" without its value, as it is signed (RFC 6376 §3.7); more tags may follow it.
  void begin_signature();
  std::size_t signature_place() const noexcept { return place_; }  // in text()
  // The value, and the final CRLF. Without folding one line is long, though within 998 octets for every key.
  void end_signature(std::string_view octets, bool folded);

  const std::string& text() const noexcept { return text_; }

 private:
  void begin(std::size_t size);
  void fold();
  void add(std::string_view text);

  std::string text_;
  std::size_t column_;
  std::size_t place_ = 0;
  bool first_ = true;
};

}  // namespace briefwerk::mailauth
