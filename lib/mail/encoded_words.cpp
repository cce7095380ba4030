// RFC 2047 in both directions, and the writing of header fields.

#include <algorithm>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

struct encoded_word {
  std::string_view charset;  // without the language of RFC 2231 §5
  bool base64 = false;
  std::string_view text;
  std::size_t length = 0;
};

// RFC 2047 §2: "=?" charset "?" encoding "?" encoded-text "?=". Spaces in a Q text are forgiven.
// Longer than §2 allows is forgiven up to a bound, which also keeps hostile text from being searched again and again.
bool read_encoded_word(std::string_view from, encoded_word& word) {
  constexpr std::size_t longest = 2000;
  from = from.substr(0, longest);
  const auto charset_end = from.find('?', 2);
  if (charset_end == from.npos || charset_end > 80 || from.size() < charset_end + 5) return false;
  const char encoding = ascii::lower(from[charset_end + 1]);
  if ((encoding != 'b' && encoding != 'q') || from[charset_end + 2] != '?') return false;
  const auto text_at = charset_end + 3;
  const auto end = from.find("?=", text_at);
  if (end == from.npos) return false;
  word.charset = from.substr(2, charset_end - 2);
  word.charset = word.charset.substr(0, word.charset.find('*'));
  if (word.charset.find_first_of(" \t") != word.charset.npos) return false;
  word.base64 = encoding == 'b';
  word.text = from.substr(text_at, end - text_at);
  word.length = end + 2;
  return true;
}

void append_q(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '=' && i + 2 < text.size() ? ascii::hex_value(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : ascii::hex_value(text[i + 2]);
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '_' ? ' ' : text[i];
    }
  }
}

// Encoded-words that follow each other and share a charset are converted together, since senders cut characters in
// two, although §5 forbids it.
class text_decoder {
 public:
  explicit text_decoder(std::string& out) : out_(out) {}

  bool add_word(const encoded_word& word) {
    if (!ascii::equals(word.charset, charset_)) {
      if (!is_known_charset(word.charset)) return false;
      flush();
      charset_ = word.charset;
    }
    if (word.base64) {
      octets_ += decode_base64(word.text);
    } else {
      append_q(octets_, word.text);
    }
    return true;
  }

  void flush() {
    if (charset_.empty()) return;
    auto converted = to_utf8(octets_, charset_);
    if (converted) {
      // No line end comes out of a word: it could begin a header field somewhere.
      std::ranges::replace_if(*converted, [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
      out_ += *converted;
    }
    octets_.clear();
    charset_ = {};
  }

 private:
  std::string& out_;
  std::string octets_;
  std::string_view charset_;
};

}  // namespace

std::string decode_text(std::string_view value) {
  const auto unfolded = unfold(value);
  std::string_view text = unfolded;
  if (text.find("=?") == text.npos) return guess_utf8(text);
  std::string out;
  text_decoder decoder(out);
  bool after_word = false;
  std::size_t literal = 0;  // text[0, literal) is plain text that waits
  while (literal < text.size()) {
    literal = std::min(text.find("=?", literal), text.size());
    encoded_word word;
    if (literal != text.size() && !read_encoded_word(text.substr(literal), word)) {
      literal += 2;
      continue;
    }
    const auto before = text.substr(0, literal);
    // §6.2: white space between two encoded-words is not shown.
    const bool hidden = after_word && word.length != 0 && before.find_first_not_of(" \t") == before.npos;
    if (!hidden) {
      decoder.flush();
      out += guess_utf8(before);
    }
    text.remove_prefix(literal);
    literal = 0;
    after_word = word.length != 0 && decoder.add_word(word);
    if (word.length == 0) break;
    if (!after_word) {  // a charset nobody knows: as it stands
      decoder.flush();
      if (hidden) out += before;
      out += guess_utf8(text.substr(0, word.length));
    }
    text.remove_prefix(word.length);
  }
  decoder.flush();
  out += guess_utf8(text);
  return out;
}

namespace {

// §2 allows words of 75 octets in lines of 76, with "=?UTF-8?Q?" and "?="; 64 leave room for "Subject: " before them.
constexpr std::size_t encoded_text_size = 64 - 12;

bool is_plain_q(char c, word_context context) {
  // §5 (3): in a phrase only letters, digits and these.
  if (context == word_context::phrase)
    return ascii::is_alpha(c) || ascii::is_digit(c) || std::string_view("!*+-/").find(c) != std::string_view::npos;
  return c > ' ' && c < 0x7f && c != '=' && c != '?' && c != '_';
}

// Octets of the character at the front of valid UTF-8.
std::size_t character_size(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0u) == 0x80u) ++size;
  return size;
}

void append_q_words(std::string& out, std::string_view text, word_context context) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  out += "=?UTF-8?Q?";
  std::size_t used = 0;
  while (!text.empty()) {
    const auto size = character_size(text);
    std::string coded;
    for (const char c : text.substr(0, size)) {
      const auto value = static_cast<unsigned char>(c);
      if (c == ' ') coded += '_';
      else if (is_plain_q(c, context)) coded += c;
      else (coded += '=', coded += digits[value >> 4], coded += digits[value & 15u]);
    }
    if (used + coded.size() > encoded_text_size) {
      out += "?= =?UTF-8?Q?";
      used = 0;
    }
    out += coded;
    used += coded.size();
    text.remove_prefix(size);
  }
  out += "?=";
}

void append_b_words(std::string& out, std::string_view text) {
  constexpr std::size_t octets = encoded_text_size / 4 * 3;
  for (bool first = true; !text.empty(); first = false) {
    const auto size = utf8_prefix(text, octets);
    auto coded = encode_base64_lines(text.substr(0, size));  // 39 octets give one line
    coded.resize(coded.size() - 2);
    if (!first) out += ' ';
    out += "=?UTF-8?B?" + coded + "?=";
    text.remove_prefix(size);
  }
}

void append_words(std::string& out, std::string_view text, word_context context) {
  const auto escaped = std::ranges::count_if(text, [&](char c) { return c != ' ' && !is_plain_q(c, context); });
  // Q costs two more for each escape, B a third of everything.
  if (static_cast<std::size_t>(escaped) * 6 > text.size()) append_b_words(out, text);
  else append_q_words(out, text, context);
}

bool needs_encoding(std::string_view word) {
  return word.find("=?") != word.npos ||
         std::ranges::any_of(word, [](char c) { return ascii::is_8bit(c) || (ascii::is_control(c) && c != '\t'); });
}

}  // namespace

std::string encode_text(std::string_view utf8, word_context context) {
  if (!needs_encoding(utf8)) return std::string(utf8);
  const auto valid = repair_utf8(utf8);
  std::string_view text = valid;
  std::string out;
  if (context == word_context::phrase) {
    append_words(out, text, context);
    return out;
  }
  // Runs of words that need it are encoded together with the spaces between them; other words stay readable.
  while (!text.empty()) {
    const auto space = text.find_first_not_of(' ');
    auto word_end = std::min(text.find(' ', std::min(space, text.size())), text.size());
    if (space == text.npos || !needs_encoding(text.substr(space, word_end - space))) {
      out += text.substr(0, word_end);
      text.remove_prefix(word_end);
      continue;
    }
    out += text.substr(0, space);
    text.remove_prefix(space);
    std::size_t run = word_end - space;
    for (;;) {
      const auto next = text.find_first_not_of(' ', run);
      if (next == text.npos) break;
      const auto end = std::min(text.find(' ', next), text.size());
      if (!needs_encoding(text.substr(next, end - next))) break;
      run = end;
    }
    append_words(out, text.substr(0, run), context);
    text.remove_prefix(run);
  }
  return out;
}

namespace {

// Line ends become spaces, or vanish where white space follows as folding.
std::string on_one_line(std::string_view value) {
  std::string out;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\0') continue;
    if (value[i] != '\r' && value[i] != '\n') {
      out += value[i];
      continue;
    }
    while (i + 1 < value.size() && (value[i + 1] == '\r' || value[i + 1] == '\n')) ++i;
    const bool folded = i + 1 < value.size() && (value[i + 1] == ' ' || value[i + 1] == '\t');
    if (!folded) out += ' ';
  }
  return std::string(ascii::trim(out));
}

}  // namespace

void write_header_field(std::string& out, std::string_view name, std::string_view value) {
  constexpr std::size_t preferred = 78, longest = 998;
  const auto line = on_one_line(value);
  std::string_view rest = line;
  out += name;
  out += ':';
  std::size_t column = name.size() + 1;
  for (bool first = true; !rest.empty(); first = false) {
    const auto word_at = rest.find_first_not_of(" \t");
    const auto word_end = std::min(rest.find_first_of(" \t", word_at), rest.size());
    const auto space = first ? std::string_view(" ") : rest.substr(0, word_at);
    auto word = rest.substr(word_at, word_end - word_at);
    if (!first && column + space.size() + word.size() > preferred) {
      out += "\r\n";
      column = 0;
    }
    out += space;
    column += space.size();
    // A word too long for any line has to be cut.
    while (column + word.size() > longest) {
      const auto part = std::max<std::size_t>(utf8_prefix(word, longest - std::min(column, longest)), 1);
      out += word.substr(0, part);
      out += "\r\n ";
      word.remove_prefix(part);
      column = 1;
    }
    out += word;
    column += word.size();
    rest.remove_prefix(word_end);
  }
  out += "\r\n";
}

void append_parameter(std::string& out, std::string_view name, std::string_view utf8_value) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::size_t piece_size = 60;
  const bool plain = utf8_value.size() <= piece_size && std::ranges::none_of(utf8_value, [](char c) {
    return ascii::is_8bit(c) || ascii::is_control(c);
  });
  if (plain) {
    out += "; ";
    out += name;
    out += "=\"";
    for (const char c : utf8_value) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
    return;
  }
  // RFC 2231 §4.1
  std::string coded = "utf-8''";
  std::size_t number = 0;
  const auto write = [&](bool only) {
    out += "; ";
    out += name;
    if (!only) {
      out += '*';
      ascii::append_number(out, number++);
    }
    out += "*=";
    out += coded;
    coded.clear();
  };
  for (const char c : repair_utf8(utf8_value)) {
    if (coded.size() > piece_size) write(false);
    const auto value = static_cast<unsigned char>(c);
    if (ascii::is_token(c) && !ascii::is_8bit(c) && c != '*' && c != '\'' && c != '%') coded += c;
    else (coded += '%', coded += digits[value >> 4], coded += digits[value & 15u]);
  }
  if (!coded.empty() || number == 0) write(number == 0);
}

}  // namespace briefwerk::mail
