#include "search/runs.hpp"

#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include "briefwerk/base/limits/search.hpp"

namespace briefwerk::search {
namespace {

constexpr std::uint32_t code_length = 9;     // characters, where letters and digits are mixed
constexpr std::uint32_t number_length = 12;  // digits

struct character {
  char_class kind = char_class::separator;
  bool letter = false, digit = false;
};

bool is_dense(UChar32 c) noexcept {
  if (c < 0x0e00) return false;
  if (c == 0x3099 || c == 0x309a || c == 0x30fc) return true;  // kana marks, of no single script
  UErrorCode error = U_ZERO_ERROR;
  switch (uscript_getScript(c, &error)) {
    case USCRIPT_HAN:
    case USCRIPT_HIRAGANA:
    case USCRIPT_KATAKANA:
    case USCRIPT_THAI:
    case USCRIPT_LAO:
    case USCRIPT_KHMER:
    case USCRIPT_MYANMAR:
    case USCRIPT_TIBETAN: return true;
    default: return false;
  }
}

character classify(UChar32 c) noexcept {
  if (c < 0x80) {
    const bool digit = c >= '0' && c <= '9';
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return {digit || letter ? char_class::plain : char_class::separator, letter, digit};
  }
  const auto mask = U_GET_GC_MASK(c);
  if ((mask & (U_GC_L_MASK | U_GC_M_MASK | U_GC_N_MASK)) == 0) return {};
  const bool digit = (mask & U_GC_N_MASK) != 0;
  return {is_dense(c) ? char_class::dense : char_class::plain, !digit, digit};
}

}  // namespace

bool run::is_code() const noexcept {
  if (text.size() > base::limits::search_word) return true;
  return has_digit && characters >= (has_letter ? code_length : number_length);
}

bool run_reader::next(run& out) {
  out = {};
  const auto* s = reinterpret_cast<const std::uint8_t*>(text_.data());
  const auto length = text_.size();
  std::size_t begin = at_;
  while (at_ < length) {
    const std::size_t here = at_;
    UChar32 c = s[at_];
    if (c < 0x80) {
      ++at_;
    } else {
      U8_NEXT_OR_FFFD(s, at_, length, c);
    }
    const character is = classify(c);
    if (is.kind != out.kind || out.characters == 0) {
      if (out.characters != 0) {
        at_ = here;
        break;
      }
      if (is.kind == char_class::separator) continue;
      begin = here;
      out.kind = is.kind;
    }
    ++out.characters;
    out.has_letter |= is.letter;
    out.has_digit |= is.digit;
  }
  if (out.characters == 0) return false;
  out.text = text_.substr(begin, at_ - begin);
  out.at_start = begin == 0;
  out.at_end = at_ == length;
  return true;
}

std::string text_version() {
  UVersionInfo version;
  u_getUnicodeVersion(version);
  return "2 " + std::to_string(version[0]) + "." + std::to_string(version[1]);
}

}  // namespace briefwerk::search
