#include "briefwerk/mail/charset.hpp"

#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

using base::errc;
using base::fail;

struct closer {
  void operator()(UConverter* converter) const noexcept { ucnv_close(converter); }
};
using converter_ptr = std::unique_ptr<UConverter, closer>;

converter_ptr open_converter(std::string_view charset) {
  if (charset.empty() || charset.size() > 60) return nullptr;
  const std::string name(charset);
  UErrorCode error = U_ZERO_ERROR;
  // Only names in ICU's alias table: ucnv_open would look for a data file of any other name.
  if (ucnv_countAliases(name.c_str(), &error) == 0 || U_FAILURE(error)) return nullptr;
  converter_ptr converter(ucnv_open(name.c_str(), &error));
  return U_FAILURE(error) ? nullptr : std::move(converter);
}

// Length of the valid sequence at p, 0 when there is none (RFC 3629 §4).
std::size_t sequence_length(const unsigned char* p, std::size_t left) noexcept {
  const auto continuation = [&](std::size_t i) { return (p[i] & 0xc0u) == 0x80u; };
  if (p[0] < 0x80) return 1;
  if (p[0] >= 0xc2 && p[0] <= 0xdf) return left > 1 && continuation(1) ? 2 : 0;
  if ((p[0] & 0xf0u) == 0xe0) {
    if (left < 3 || !continuation(1) || !continuation(2)) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0;
    return p[0] == 0xed && p[1] > 0x9f ? 0 : 3;  // no surrogates
  }
  if (p[0] < 0xf0 || p[0] > 0xf4 || left < 4) return 0;
  if (!continuation(1) || !continuation(2) || !continuation(3)) return 0;
  if (p[0] == 0xf0 && p[1] < 0x90) return 0;
  return p[0] == 0xf4 && p[1] > 0x8f ? 0 : 4;
}

std::size_t ascii_prefix(std::string_view text) noexcept {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if ((word & 0x8080808080808080u) != 0) break;
  }
  while (i < text.size() && !ascii::is_8bit(text[i])) ++i;
  return i;
}

// Octets up to the first that is not valid UTF-8.
std::size_t valid_prefix(std::string_view text) noexcept {
  std::size_t i = ascii_prefix(text);
  while (i < text.size()) {
    const auto* p = reinterpret_cast<const unsigned char*>(text.data() + i);
    const auto length = sequence_length(p, text.size() - i);
    if (length == 0) break;
    i += length;
    if (length == 1) i += ascii_prefix(text.substr(i));
  }
  return i;
}

void append_utf8(std::string& out, char32_t c) {
  const auto octet = [](char32_t value) { return static_cast<char>(static_cast<unsigned char>(value)); };
  if (c < 0x80) {
    out += octet(c);
  } else if (c < 0x800) {
    out += octet(0xc0u | (c >> 6));
    out += octet(0x80u | (c & 0x3fu));
  } else if (c < 0x10000) {
    out += octet(0xe0u | (c >> 12));
    out += octet(0x80u | ((c >> 6) & 0x3fu));
    out += octet(0x80u | (c & 0x3fu));
  } else {
    out += octet(0xf0u | (c >> 18));
    out += octet(0x80u | ((c >> 12) & 0x3fu));
    out += octet(0x80u | ((c >> 6) & 0x3fu));
    out += octet(0x80u | (c & 0x3fu));
  }
}

}  // namespace

namespace {

// Converted here, without ICU.
bool is_utf8_name(std::string_view charset) noexcept {
  return ascii::equals(charset, "utf-8") || ascii::equals(charset, "us-ascii") || ascii::equals(charset, "utf8");
}

}  // namespace

bool is_known_charset(std::string_view charset) { return is_utf8_name(charset) || open_converter(charset) != nullptr; }

base::result<std::string> to_utf8(std::string_view octets, std::string_view charset) {
  if (is_utf8_name(charset)) return repair_utf8(octets);
  const auto converter = open_converter(charset);
  if (!converter) return fail(errc::unsupported);
  if (octets.size() > 0x3fffffffu) return fail(errc::limit_exceeded);
  UErrorCode error = U_ZERO_ERROR;
  const icu::UnicodeString text(octets.data(), static_cast<std::int32_t>(octets.size()), converter.get(), error);
  if (U_FAILURE(error)) return fail(errc::malformed);
  std::string out;
  text.toUTF8String(out);
  return out;
}

std::string guess_utf8(std::string_view octets) {
  if (is_valid_utf8(octets)) return std::string(octets);
  auto converted = to_utf8(octets, "windows-1252");
  return converted ? std::move(*converted) : repair_utf8(octets);
}

bool is_ascii(std::string_view text) noexcept { return ascii_prefix(text) == text.size(); }
bool is_valid_utf8(std::string_view text) noexcept { return valid_prefix(text) == text.size(); }

std::size_t utf8_prefix(std::string_view text, std::size_t max) noexcept {
  if (text.size() <= max) return text.size();
  while (max != 0 && (static_cast<unsigned char>(text[max]) & 0xc0u) == 0x80u) --max;
  return max;
}

std::string repair_utf8(std::string_view text) {
  std::string out;
  for (;;) {
    const auto valid = valid_prefix(text);
    out += text.substr(0, valid);
    if (valid == text.size()) return out;
    out += "\xef\xbf\xbd";
    text.remove_prefix(valid + 1);
  }
}

std::string normalise_nfc(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  UErrorCode error = U_ZERO_ERROR;
  const auto* nfc = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) return std::string(text);
  const auto source = icu::UnicodeString::fromUTF8(icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())));
  const auto normal = nfc->normalize(source, error);
  if (U_FAILURE(error)) return std::string(text);
  std::string out;
  normal.toUTF8String(out);
  return out;
}

std::string casemap(std::string_view utf8) {
  std::string out;
  append_casemap(out, utf8);
  return out;
}

void append_casemap(std::string& out, std::string_view utf8) {
  const auto plain = ascii_prefix(utf8);
  const auto before = out.size();
  out.append(utf8.substr(0, plain));
  for (auto i = before; i < out.size(); ++i)  // titlecase of ASCII
    out[i] = static_cast<char>(out[i] >= 'a' && out[i] <= 'z' ? out[i] - ('a' - 'A') : out[i]);
  if (plain == utf8.size()) return;

  UErrorCode error = U_ZERO_ERROR;
  const auto* nfkd = icu::Normalizer2::getNFKDInstance(error);
  if (U_FAILURE(error)) {
    out.append(utf8.substr(plain));
    return;
  }
  const auto* s = reinterpret_cast<const std::uint8_t*>(utf8.data());
  const auto length = static_cast<std::int32_t>(utf8.size());
  icu::UnicodeString decomposed;
  for (auto i = static_cast<std::int32_t>(plain); i < length;) {
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(s, i, length, c);
    c = u_totitle(c);
    if (c >= 0x80 && nfkd->getDecomposition(c, decomposed)) {
      decomposed.toUTF8String(out);
    } else {
      append_utf8(out, static_cast<char32_t>(c));
    }
  }
}

bool casemap_searcher::found_in(std::string_view utf8) const {
  if (needle_.empty()) return true;
  if (!is_ascii(utf8)) return casemap(utf8).find(needle_) != std::string::npos;
  // Of ASCII, titlecase is upper case and nothing decomposes.
  std::string raised(utf8);
  for (char& c : raised) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c);
  return raised.find(needle_) != std::string::npos;
}

namespace {

// RFC 3501 §5.1.3: base64 with "," in the place of "/".
constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

bool is_direct(char32_t c) noexcept { return c >= 0x20 && c <= 0x7e; }

// Base64 of UTF-16 big endian, without "&" and "-".
base::status decode_shifted(std::string_view coded, std::string& out) {
  std::uint32_t bits = 0;
  unsigned count = 0;
  char32_t lead = 0;
  for (const char c : coded) {
    const auto value = alphabet.find(c);
    if (value == alphabet.npos) return fail(errc::malformed);
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    count += 6;
    if (count < 16) continue;
    count -= 16;
    const char32_t unit = (bits >> count) & 0xffffu;
    if (lead != 0) {
      if (unit < 0xdc00 || unit > 0xdfff) return fail(errc::malformed);
      append_utf8(out, 0x10000 + ((lead - 0xd800) << 10) + (unit - 0xdc00));
      lead = 0;
    } else if (unit >= 0xd800 && unit <= 0xdbff) {
      lead = unit;
    } else if ((unit >= 0xdc00 && unit <= 0xdfff) || is_direct(unit)) {
      return fail(errc::malformed);
    } else {
      append_utf8(out, unit);
    }
  }
  const bool clean_end = count < 6 && (bits & ((1u << count) - 1)) == 0;
  return lead == 0 && clean_end ? base::status{} : fail(errc::malformed);
}

void encode_shifted(std::u16string_view units, std::string& out) {
  out += '&';
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char16_t unit : units) {
    bits = (bits << 16) | unit;
    for (count += 16; count >= 6; count -= 6) out += alphabet[(bits >> (count - 6)) & 0x3fu];
  }
  if (count != 0) out += alphabet[(bits << (6 - count)) & 0x3fu];
  out += '-';
}

}  // namespace

base::result<std::string> decode_modified_utf7(std::string_view name) {
  std::string out;
  bool after_shift = false;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (!is_direct(static_cast<unsigned char>(name[i]))) return fail(errc::malformed);
    if (name[i] != '&') {
      out += name[i];
      after_shift = false;
      continue;
    }
    const auto end = name.find('-', i);
    if (end == name.npos) return fail(errc::malformed);
    const auto coded = name.substr(i + 1, end - i - 1);
    if (coded.empty()) {
      out += '&';
      after_shift = false;
    } else {
      if (after_shift) return fail(errc::malformed);  // two runs where one belongs
      if (auto done = decode_shifted(coded, out); !done) return fail(done.error());
      after_shift = true;
    }
    i = end;
  }
  return out;
}

base::result<std::string> encode_modified_utf7(std::string_view utf8) {
  if (!is_valid_utf8(utf8)) return fail(errc::malformed);
  std::string out;
  std::u16string shifted;
  const auto flush = [&] {
    if (!shifted.empty()) encode_shifted(shifted, out);
    shifted.clear();
  };
  const auto* s = reinterpret_cast<const std::uint8_t*>(utf8.data());
  const auto length = static_cast<std::int32_t>(utf8.size());
  for (std::int32_t i = 0; i < length;) {
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(s, i, length, c);
    if (is_direct(static_cast<char32_t>(c))) {
      flush();
      out += static_cast<char>(c);
      if (c == '&') out += '-';
    } else if (c < 0x10000) {
      shifted += static_cast<char16_t>(c);
    } else {
      shifted += static_cast<char16_t>(0xd7c0 + (c >> 10));
      shifted += static_cast<char16_t>(0xdc00 + (c & 0x3ff));
    }
  }
  flush();
  return out;
}

}  // namespace briefwerk::mail
