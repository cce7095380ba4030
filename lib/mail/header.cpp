#include "briefwerk/mail/header.hpp"

#include <algorithm>
#include <cstring>

#include "briefwerk/base/limits.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept { return ascii::equals(a, b); }

namespace {

const char* find_char(const char* from, const char* end, char c) noexcept {
  const void* found = std::memchr(from, c, static_cast<std::size_t>(end - from));
  return static_cast<const char*>(found);
}

}  // namespace

bool header_reader::next(header_field& field) noexcept {
  namespace limits = base::limits;
  while (!done_ && at_ != end_) {
    if (*at_ == '\n' || (*at_ == '\r' && end_ - at_ > 1 && at_[1] == '\n')) {
      at_ += *at_ == '\n' ? 1 : 2;
      break;
    }
    // The whole field: its line and the lines that begin with white space.
    const char* const start = at_;
    const char* stop = start;
    do {
      const char* const line_end = find_char(stop, end_, '\n');
      stop = line_end == nullptr ? end_ : line_end + 1;
    } while (stop != end_ && (*stop == ' ' || *stop == '\t'));
    if (count_ == limits::header_fields || static_cast<std::size_t>(stop - begin_) > limits::header_block_size) break;
    at_ = stop;

    const char* const colon = find_char(start, stop, ':');
    if (colon == nullptr || colon == start) continue;
    const char* name_end = colon;
    while (name_end != start && (name_end[-1] == ' ' || name_end[-1] == '\t')) --name_end;  // RFC 5322 §4.5
    const std::string_view name(start, static_cast<std::size_t>(name_end - start));
    bool is_name = !name.empty();
    for (const char c : name) is_name = is_name && c > ' ' && c != 0x7f;
    if (!is_name) continue;

    const char* value_end = stop;
    if (value_end[-1] == '\n') --value_end;
    if (value_end != colon + 1 && value_end[-1] == '\r' && value_end != stop) --value_end;
    field.name = name;
    field.value = {colon + 1, static_cast<std::size_t>(value_end - colon - 1)};
    field.value = field.value.substr(0, limits::header_field_size);
    field.whole = {start, static_cast<std::size_t>(stop - start)};
    ++count_;
    return true;
  }
  done_ = true;
  return false;
}

header_block::header_block(std::string_view text) {
  header_reader reader(text);
  header_field field;
  fields_.reserve(16);
  while (reader.next(field)) fields_.push_back(field);
  length_ = reader.position();
}

const header_field* header_block::find(std::string_view name, std::size_t nth) const noexcept {
  for (const auto& field : fields_)
    if (ascii::equals(field.name, name) && nth-- == 0) return &field;
  return nullptr;
}

std::string_view header_block::value(std::string_view name) const noexcept {
  const auto* field = find(name);
  return field == nullptr ? std::string_view{} : field->value;
}

std::size_t header_block::count(std::string_view name) const noexcept {
  std::size_t count = 0;
  for (const auto& field : fields_) count += ascii::equals(field.name, name) ? 1u : 0u;
  return count;
}

void append_header_fields(std::string& out, std::string_view block, std::span<const std::string_view> names,
                          bool negate) {
  header_reader reader(block);
  header_field field;
  while (reader.next(field)) {
    bool named = false;
    for (const auto& name : names) named = named || ascii::equals(field.name, name);
    if (named == negate) continue;
    out += field.whole;
    if (!field.whole.ends_with('\n')) out += "\r\n";
  }
  out += "\r\n";
}

std::string unfold(std::string_view value) {
  value = ascii::trim(value);
  std::string out;
  out.reserve(value.size());
  for (auto end = value.find('\n'); end != value.npos; end = value.find('\n')) {
    auto line = value.substr(0, end);
    value.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out += line;
    const auto text = std::min(value.find_first_not_of(" \t"), value.size());
    if (text == 0) continue;
    value.remove_prefix(text);
    if (!out.ends_with(' ') && !out.ends_with('\t')) out += ' ';
  }
  return out += value;
}

std::vector<std::string> parse_message_ids(std::string_view value, std::size_t limit) {
  std::vector<std::string> ids;
  while (ids.size() < limit) {
    const auto open = value.find('<');
    if (open == value.npos) break;
    value.remove_prefix(open + 1);
    std::string id;
    bool quoted = false;
    std::size_t i = 0;
    // Folding and controls inside an id are dropped; a quoted left side stands for its value (RFC 5256 §3, normalised ids).
    for (; i < value.size() && (quoted || value[i] != '>'); ++i) {
      if (value[i] == '"') {
        quoted = !quoted;
      } else if (quoted && value[i] == '\\' && i + 1 < value.size()) {
        ++i;
        if (!ascii::is_control(value[i])) id += value[i];
      } else if (value[i] != ' ' && !ascii::is_control(value[i])) {
        id += value[i];
      }
    }
    if (i == value.size() && quoted) break;
    value.remove_prefix(std::min(i + 1, value.size()));
    if (!id.empty()) ids.push_back(std::move(id));
  }
  return ids;
}

}  // namespace briefwerk::mail
