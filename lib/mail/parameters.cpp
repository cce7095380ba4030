#include <algorithm>
#include <functional>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {

bool read_token(std::string_view& rest, std::string_view& token) noexcept {
  ascii::skip_cfws(rest);
  std::size_t i = 0;
  while (i < rest.size() && ascii::is_token(rest[i])) ++i;
  token = rest.substr(0, i);
  rest.remove_prefix(i);
  return i != 0;
}

bool read_media_type(std::string_view& rest, std::string_view& type, std::string_view& subtype) noexcept {
  if (!read_token(rest, type)) return false;
  ascii::skip_cfws(rest);
  if (!rest.starts_with('/')) return false;
  rest.remove_prefix(1);
  return read_token(rest, subtype);
}

namespace {

// A quoted-string whose opening quote is already taken; without its closing quote it runs to the end.
std::string_view take_quoted(std::string_view& rest, bool& escaped) noexcept {
  std::size_t i = 0;
  for (; i < rest.size() && rest[i] != '"'; ++i) {
    escaped = escaped || rest[i] == '\\' || rest[i] == '\n';
    if (rest[i] == '\\' && i + 1 < rest.size()) ++i;
  }
  i = std::min(i, rest.size());
  const auto value = rest.substr(0, i);
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return value;
}

// A value without quotes. Its grammar is a token; file names with spaces and slashes occur. Words are taken up to the
// next ";", or to a word with "=" in it: then a ";" was forgotten.
std::string_view take_bare(std::string_view& rest, bool& escaped) noexcept {
  const char* const begin = rest.data();
  std::size_t length = 0;
  const auto word_end = [&](std::size_t from) {
    while (from < rest.size() && rest[from] != ';' && rest[from] != '(' && !ascii::is_space(rest[from])) ++from;
    return from;
  };
  length = word_end(0);
  for (auto at = length;;) {
    while (at < rest.size() && ascii::is_space(rest[at])) ++at;
    const auto end = word_end(at);
    const auto word = rest.substr(at, end - at);
    if (word.empty() || (word.find('=') != word.npos && !word.starts_with("=?"))) break;
    const auto gap = rest.substr(length, at - length);
    escaped = escaped || gap.find('\n') != gap.npos;
    length = at = end;
  }
  rest.remove_prefix(length);
  return {begin, length};
}

}  // namespace

bool parameter_reader::next(std::string_view& name, std::string_view& value, bool& escaped) noexcept {
  while (count_ < base::limits::mime_parameters) {
    ascii::skip_cfws(rest_);
    while (rest_.starts_with(';')) {
      rest_.remove_prefix(1);
      ascii::skip_cfws(rest_);
    }
    if (rest_.empty()) return false;
    if (!read_token(rest_, name)) {
      rest_.remove_prefix(1);  // a character that has no place here
      continue;
    }
    ascii::skip_cfws(rest_);
    if (!rest_.starts_with('=')) continue;
    rest_.remove_prefix(1);
    ascii::skip_cfws(rest_);
    escaped = false;
    ++count_;
    if (rest_.starts_with('"')) {
      rest_.remove_prefix(1);
      value = take_quoted(rest_, escaped);
    } else {
      value = take_bare(rest_, escaped);
    }
    return true;
  }
  return false;
}

std::string unquote(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\n' || (value[i] == '\r' && i + 1 < value.size() && value[i + 1] == '\n')) continue;
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    out += value[i];
  }
  return out;
}

namespace {

std::string decode_percent(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? ascii::hex_value(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : ascii::hex_value(text[i + 2]);
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// One piece of an RFC 2231 parameter: name, name*, name*0, name*0*.
struct piece {
  std::string name;
  unsigned number = 0;
  bool numbered = false;
  bool extended = false;  // %xx and, in the first piece, charset'lang'
  std::string value;
};

piece read_piece(std::string_view name, std::string value) {
  piece out;
  out.value = std::move(value);
  if (name.size() > 1 && name.ends_with('*')) {
    out.extended = true;
    name.remove_suffix(1);
  }
  const auto star = name.rfind('*');
  if (star != name.npos && star != 0 && star + 1 < name.size() && name.size() - star <= 5 &&
      std::ranges::all_of(name.substr(star + 1), ascii::is_digit)) {
    out.numbered = true;
    for (const char c : name.substr(star + 1)) out.number = out.number * 10 + static_cast<unsigned>(c - '0');
    name = name.substr(0, star);
  }
  out.name = ascii::to_lower(name);
  return out;
}

std::string convert(std::string octets, std::string_view charset) {
  if (!charset.empty()) {
    if (auto converted = to_utf8(octets, charset)) return std::move(*converted);
  }
  return guess_utf8(octets);
}

// Joins pieces of one name that follow each other in number (RFC 2231 §3); a gap ends the value.
std::string join(std::span<const piece* const> pieces) {
  std::string octets;
  std::string charset;
  unsigned expected = 0;
  bool extended = false;
  for (const auto* p : pieces) {
    if (p->numbered && p->number < expected) continue;  // written twice: the first counts
    if (p->numbered && p->number > expected) break;
    std::string_view value = p->value;
    if (p->extended && expected == 0) {
      const auto first = value.find('\'');
      const auto second = first == value.npos ? first : value.find('\'', first + 1);
      if (second != value.npos) {
        charset = value.substr(0, first);
        value.remove_prefix(second + 1);
      }
    }
    octets += p->extended ? decode_percent(value) : std::string(value);
    extended = extended || p->extended;
    ++expected;
  }
  if (extended) return convert(std::move(octets), charset);
  return octets.find("=?") == octets.npos ? guess_utf8(octets) : decode_text(octets);
}

std::vector<parameter> read_parameters(std::string_view rest) {
  std::vector<piece> pieces;
  std::string_view name, value;
  bool escaped = false;
  for (parameter_reader reader(rest); reader.next(name, value, escaped);)
    pieces.push_back(read_piece(name, escaped ? unquote(value) : std::string(value)));

  std::vector<parameter> out;
  for (const auto& p : pieces) {
    if (std::ranges::any_of(out, [&](const parameter& known) { return known.name == p.name; })) continue;
    // RFC 2231 forms win over the plain one, which senders add for old readers (RFC 6266 §4.3 says so for HTTP).
    std::vector<const piece*> same;
    const piece* plain = nullptr;
    const piece* extended = nullptr;
    for (const auto& other : pieces) {
      if (other.name != p.name) continue;
      if (other.numbered) same.push_back(&other);
      else if (other.extended && extended == nullptr) extended = &other;
      else if (!other.extended && plain == nullptr) plain = &other;
    }
    // By number, and as they stand where numbers repeat.
    std::ranges::sort(same, [](const piece* a, const piece* b) {
      return a->number != b->number ? a->number < b->number : std::less<>{}(a, b);
    });
    if (extended != nullptr) same = {extended};
    else if (same.empty() || (same.front()->number != 0 && plain != nullptr)) same = {plain};
    else if (same.front()->number != 0) continue;
    out.push_back({p.name, join(same)});
  }
  return out;
}

}  // namespace

const std::string* parameterised_value::find(std::string_view name) const noexcept {
  for (const auto& p : parameters)
    if (ascii::equals(p.name, name)) return &p.value;
  return nullptr;
}

parameterised_value parse_content_type(std::string_view value) {
  parameterised_value out;
  std::string_view type, subtype;
  auto rest = value;
  if (read_media_type(rest, type, subtype)) {
    out.value = ascii::to_lower(type) + '/' + ascii::to_lower(subtype);
  } else {
    rest = value.substr(std::min(value.find(';'), value.size()));
  }
  out.parameters = read_parameters(rest);
  return out;
}

parameterised_value parse_content_disposition(std::string_view value) {
  parameterised_value out;
  std::string_view token;
  auto rest = value;
  if (read_token(rest, token)) out.value = ascii::to_lower(token);
  out.parameters = read_parameters(rest);
  return out;
}

}  // namespace briefwerk::mail
