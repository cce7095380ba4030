#include "mailauth/dkim/canonical_header.hpp"

#include "mail/ascii.hpp"
#include "mailauth/dkim/tag_list.hpp"

namespace briefwerk::mailauth {
namespace {

std::string_view without_line_end(std::string_view text) noexcept {
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// §3.4.2: unfolded, white space as one space, none at the ends.
class relaxed_value {
 public:
  explicit relaxed_value(std::string& out) noexcept : out_(out), start_(out.size()) {}
  void append(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      // A line end inside a field is one of folding: white space follows it.
      if (c == ' ' || c == '\t' || c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n')) {
        space_ = true;
        continue;
      }
      if (space_ && out_.size() != start_) out_ += ' ';
      space_ = false;
      out_ += c;
    }
  }

 private:
  std::string& out_;
  std::size_t start_;
  bool space_ = false;
};

void append_relaxed_name(std::string& out, std::string_view whole, std::size_t colon) {
  for (const char c : whole.substr(0, colon))
    if (!is_blank(c)) out += mail::ascii::lower(c);
  out += ':';
}

}  // namespace

std::string_view value_of(std::string_view whole) noexcept {
  const std::size_t colon = whole.find(':');
  return colon == whole.npos ? std::string_view{} : without_line_end(whole.substr(colon + 1));
}

void append_canonical_field(std::string& out, canonicalization how, std::string_view whole) {
  if (how == canonicalization::simple) {
    out += without_line_end(whole);
  } else {
    append_relaxed_name(out, whole, whole.find(':'));
    relaxed_value(out).append(value_of(whole));
  }
  out += "\r\n";
}

void append_canonical_signature(std::string& out, canonicalization how, std::string_view whole, std::size_t begin,
                                std::size_t end) {
  const std::size_t colon = whole.find(':');
  const std::string_view value = value_of(whole);
  if (how == canonicalization::simple) {
    out += whole.substr(0, colon + 1 + begin);
    out += value.substr(end);
  } else {
    append_relaxed_name(out, whole, colon);
    relaxed_value relaxed(out);
    relaxed.append(value.substr(0, begin));
    relaxed.append(value.substr(end));
  }
}

std::uint32_t name_hash(std::string_view name) noexcept {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(mail::ascii::lower(c))) * 16777619u;
  return hash;
}

const mail::header_field* field_chooser::next(std::string_view name) noexcept {
  const std::uint32_t wanted = name_hash(name);
  for (std::size_t i = fields_.size(); i-- > 0;) {
    if (hashes_[i] != wanted || taken_[i] || !mail::equals_ignoring_case(fields_[i].name, name)) continue;
    taken_[i] = true;
    return &fields_[i];
  }
  return nullptr;
}

bool field_chooser::all_taken(std::string_view name) const noexcept {
  const std::uint32_t wanted = name_hash(name);
  for (std::size_t i = 0; i < fields_.size(); ++i)
    if (hashes_[i] == wanted && !taken_[i] && mail::equals_ignoring_case(fields_[i].name, name)) return false;
  return true;
}

}  // namespace briefwerk::mailauth
