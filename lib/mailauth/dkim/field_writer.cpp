#include "mailauth/dkim/field_writer.hpp"

#include <algorithm>

#include "briefwerk/base/encoding.hpp"

namespace briefwerk::mailauth {
namespace {
constexpr std::size_t line_size = 76;
}

void field_writer::add(std::string_view text) {
  text_ += text;
  column_ += text.size();
}

void field_writer::fold() {
  text_ += "\r\n\t";
  column_ = 1;
}

// Ends the tag before, and goes on where `size` octets have room.
void field_writer::begin(std::size_t size) {
  if (!first_) add(";");
  first_ = false;
  if (column_ + 1 + size >= line_size)
    fold();
  else
    add(" ");
}

void field_writer::tag(std::string_view name, std::string_view value) {
  begin(name.size() + 1 + value.size());
  add(name);
  add("=");
  add(value);
}

void field_writer::list(std::string_view name, const std::vector<std::string>& elements) {
  begin(name.size() + 1 + (elements.empty() ? 0 : elements.front().size()));
  add(name);
  add("=");
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i != 0) {
      add(":");
      if (column_ + elements[i].size() >= line_size) fold();
    }
    add(elements[i]);
  }
}

void field_writer::base64(std::string_view name, std::string_view octets) {
  const std::string text = base::base64_encode(octets);
  tag(name, text);
}

void field_writer::begin_signature() {
  if (!first_) add(";");
  fold();
  add("b=");
}

void field_writer::end_signature(std::string_view octets) {
  const std::string text = base::base64_encode(octets);
  for (std::string_view rest = text; !rest.empty();) {
    if (column_ >= line_size) fold();
    const std::size_t size = std::min(rest.size(), line_size - column_);
    add(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  text_ += "\r\n";
}

}  // namespace briefwerk::mailauth
