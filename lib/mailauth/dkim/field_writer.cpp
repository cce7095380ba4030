#include "mailauth/dkim/field_writer.hpp"

#include <algorithm>

#include "briefwerk/base/encoding.hpp"

namespace briefwerk::mailauth {
namespace {
constexpr std::size_t line_size = 73;
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
  // What follows b= begins a line: its value is not there yet.
  if (column_ + 1 + size >= line_size || place_ + 1 == text_.size())
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
  first_ = false;
  fold();
  add("b=");
  place_ = text_.size();
}

void field_writer::end_signature(std::string_view octets, bool folded) {
  std::string value;
  const std::string text = base::base64_encode(octets);
  std::size_t room = folded ? line_size - std::string_view("\tb=").size() : text.size();
  for (std::string_view rest = text; !rest.empty(); room = line_size - 1) {
    if (!value.empty()) value += "\r\n\t";
    value += rest.substr(0, room);
    rest.remove_prefix(std::min(room, rest.size()));
  }
  text_.insert(place_, value);
  text_ += "\r\n";
}

}  // namespace briefwerk::mailauth
