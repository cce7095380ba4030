#include "mail/subject.hpp"

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

// Step 1: UTF-8, tabs and folding to spaces, several spaces to one.
std::string squeeze(std::string_view value) {
  constexpr std::size_t longest_read = 4096, longest = 1024;
  auto decoded = decode_text(value.substr(0, longest_read));
  decoded.resize(utf8_prefix(decoded, longest));
  std::string out;
  for (const char c : decoded) {
    if (!ascii::is_space(c)) out += c;
    else if (!out.empty() && out.back() != ' ') out += ' ';
  }
  return out;
}

void skip_space(std::string_view& text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
}

// subj-blob = "[" *BLOBCHAR "]" *WSP
bool take_blob(std::string_view& text) {
  if (!text.starts_with('[')) return false;
  const auto end = text.find_first_of("[]", 1);
  if (end == text.npos || text[end] != ']') return false;
  text.remove_prefix(end + 1);
  skip_space(text);
  return true;
}

// subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":"
bool take_refwd(std::string_view& text) {
  auto rest = text;
  if (ascii::starts_with(rest, "re")) rest.remove_prefix(2);
  else if (ascii::starts_with(rest, "fwd")) rest.remove_prefix(3);
  else if (ascii::starts_with(rest, "fw")) rest.remove_prefix(2);
  else return false;
  skip_space(rest);
  take_blob(rest);
  if (!rest.starts_with(':')) return false;
  text = rest.substr(1);
  return true;
}

// subj-leader = (*subj-blob subj-refwd) / WSP
bool take_leader(std::string_view& text, bool& is_reply) {
  if (text.starts_with(' ')) {
    skip_space(text);
    return true;
  }
  auto rest = text;
  while (take_blob(rest)) {
  }
  if (!take_refwd(rest)) return false;
  is_reply = true;
  text = rest;
  return true;
}

// Step 2: subj-trailer = "(fwd)" / WSP
void drop_trailers(std::string_view& text, bool& is_reply) {
  for (;;) {
    while (text.ends_with(' ')) text.remove_suffix(1);
    if (text.size() < 5 || !ascii::equals(text.substr(text.size() - 5), "(fwd)")) return;
    text.remove_suffix(5);
    is_reply = true;
  }
}

}  // namespace

base_subject_result base_subject(std::string_view value) {
  const auto squeezed = squeeze(value);
  std::string_view text = squeezed;
  bool is_reply = false;
  for (;;) {
    drop_trailers(text, is_reply);
    for (bool again = true; again;) {
      again = false;
      while (take_leader(text, is_reply)) again = true;  // step 3
      // Step 4: a blob goes when it leaves something.
      auto rest = text;
      if (take_blob(rest) && !rest.empty()) {
        text = rest;
        again = true;
      }
    }
    // Step 6: "[fwd:" … "]"
    if (!ascii::starts_with(text, "[fwd:") || !text.ends_with(']')) break;
    text = text.substr(5, text.size() - 6);
    is_reply = true;
  }
  return {std::string(text), is_reply};
}

}  // namespace briefwerk::mail
