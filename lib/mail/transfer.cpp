#include "briefwerk/mail/transfer.hpp"

#include <algorithm>
#include <array>

#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint32_t invalid = 0x80000000u;

// One table for each place in a quantum, so that four look-ups and three ORs decode three octets.
constexpr std::array<std::uint32_t, 256> sextet_table(unsigned shift) {
  std::array<std::uint32_t, 256> table{};
  table.fill(invalid);
  for (std::uint32_t i = 0; i < 64; ++i) table[static_cast<unsigned char>(alphabet[i])] = i << shift;
  return table;
}
constexpr auto sextet0 = sextet_table(18);
constexpr auto sextet1 = sextet_table(12);
constexpr auto sextet2 = sextet_table(6);
constexpr auto sextet3 = sextet_table(0);

constexpr char octet(std::uint32_t value) noexcept { return static_cast<char>(static_cast<unsigned char>(value)); }

// Longest line of quoted-printable that is held back whole; RFC 2045 §6.7 (5) allows 76.
constexpr std::size_t held_line = 8192;

}  // namespace

bool transfer_decoder::take(std::string& out, std::string_view octets) {
  const auto length = std::min(octets.size(), room_);
  out += octets.substr(0, length);
  room_ -= length;
  return room_ != 0;
}

void transfer_decoder::append_base64(std::string& out, std::string_view input) {
  const auto* p = reinterpret_cast<const unsigned char*>(input.data());
  const auto* const end = p + input.size();
  const auto start = out.size();
  // Room for everything that the input can give; cut to what it gave at the end.
  out.resize(start + input.size() / 4 * 3 + 6);
  char* to = out.data() + start;
  while (p != end) {
    if (sextets_ == 0) {
      while (end - p >= 4) {
        const auto value = sextet0[p[0]] | sextet1[p[1]] | sextet2[p[2]] | sextet3[p[3]];
        if ((value & invalid) != 0) break;
        *to++ = octet(value >> 16);
        *to++ = octet(value >> 8);
        *to++ = octet(value);
        p += 4;
      }
      if (p == end) break;
    }
    const unsigned char c = *p++;
    if (c == '=') {
      // Padding ends a quantum; what is complete of it counts. Joined base64 texts go on behind it.
      if (sextets_ >= 2) *to++ = octet(bits_ >> (sextets_ * 6 - 8));
      if (sextets_ == 3) *to++ = octet(bits_ >> 2);
      sextets_ = 0;
      bits_ = 0;
    } else if (const auto value = sextet3[c]; value != invalid) {
      bits_ = (bits_ << 6) | value;
      if (++sextets_ == 4) {
        *to++ = octet(bits_ >> 16);
        *to++ = octet(bits_ >> 8);
        *to++ = octet(bits_);
        sextets_ = 0;
        bits_ = 0;
      }
    }
  }
  const auto made = static_cast<std::size_t>(to - (out.data() + start));
  const auto kept = std::min(made, room_);
  room_ -= kept;
  out.resize(start + kept);
}

namespace {

// Decodes the escapes of a piece of a line.
void decode_escapes(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto at = text.find('=');
    out += text.substr(0, at);
    if (at == text.npos) return;
    text.remove_prefix(at);
    const int high = text.size() > 2 ? ascii::hex_value(text[1]) : -1;
    const int low = text.size() > 2 ? ascii::hex_value(text[2]) : -1;
    if (high >= 0 && low >= 0) {
      out += octet(static_cast<std::uint32_t>(high * 16 + low));
      text.remove_prefix(3);
    } else {
      out += '=';
      text.remove_prefix(1);
    }
  }
}

// RFC 2045 §6.7 (3) and (5): white space at the end was added on the way; a final "=" joins the next line.
void decode_line(std::string& out, std::string_view line, std::string_view line_end) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.remove_suffix(1);
  const bool soft = line.ends_with('=');
  if (soft) line.remove_suffix(1);
  decode_escapes(out, line);
  if (!soft) out += line_end;
}

}  // namespace

void transfer_decoder::append_quoted_printable(std::string& out, std::string_view input) {
  const auto start = out.size();
  while (!input.empty()) {
    const auto at = input.find('\n');
    if (at == input.npos) {
      held_ += input;
      break;
    }
    std::string_view line = input.substr(0, at);
    if (!held_.empty()) {
      held_ += line;
      line = held_;
    }
    const bool crlf = line.ends_with('\r');
    if (crlf) line.remove_suffix(1);
    decode_line(out, line, crlf ? "\r\n" : "\n");
    held_.clear();
    input.remove_prefix(at + 1);
    if (out.size() - start > room_) break;
  }
  if (held_.size() > held_line) {
    // A line without end: what cannot change any more goes out, an escape that may go on stays.
    const auto last = held_.find_last_not_of(" \t\r");
    auto cut = last == held_.npos ? held_.size() : last + 1;
    for (std::size_t back = 1; back <= 2 && back <= cut; ++back) {
      if (held_[cut - back] != '=') continue;
      cut -= back;
      break;
    }
    if (cut == 0 || held_.size() - cut > held_line) cut = held_.size();
    decode_escapes(out, std::string_view(held_).substr(0, cut));
    held_.erase(0, cut);
  }
  const auto made = std::min(out.size() - start, room_);
  room_ -= made;
  out.resize(start + made);
}

bool transfer_decoder::append(std::string& out, std::string_view input) {
  if (room_ == 0) return false;
  switch (encoding_) {
    case transfer_encoding::base64: append_base64(out, input); break;
    case transfer_encoding::quoted_printable: append_quoted_printable(out, input); break;
    case transfer_encoding::seven_bit:
    case transfer_encoding::eight_bit:
    case transfer_encoding::binary:
    case transfer_encoding::unknown: return take(out, input);
  }
  return room_ != 0;
}

void transfer_decoder::finish(std::string& out) {
  std::string rest;
  if (encoding_ == transfer_encoding::base64) {
    if (sextets_ >= 2) rest += octet(bits_ >> (sextets_ * 6 - 8));
    if (sextets_ == 3) rest += octet(bits_ >> 2);
  } else if (!held_.empty()) {
    std::string_view line = held_;
    if (line.ends_with('\r')) line.remove_suffix(1);
    decode_line(rest, line, held_.ends_with('\r') ? "\r" : "");
  }
  take(out, rest);
  sextets_ = 0;
  bits_ = 0;
  held_.clear();
}

std::string decode_body(transfer_encoding encoding, std::string_view body, std::size_t max_output) {
  std::string out;
  if (encoding == transfer_encoding::base64) body = body.substr(0, max_output > body.size() ? body.size() : max_output * 4);
  if (encoding == transfer_encoding::quoted_printable) out.reserve(std::min(body.size(), max_output));
  transfer_decoder decoder(encoding, max_output);
  decoder.append(out, body);
  decoder.finish(out);
  return out;
}

std::string encode_base64_lines(std::string_view octets) {
  constexpr std::size_t per_line = 57;  // gives 76 characters
  std::string out;
  out.reserve((octets.size() + 2) / 3 * 4 + (octets.size() / per_line + 1) * 2);
  const auto at = [&](std::size_t i) { return std::uint32_t{static_cast<unsigned char>(octets[i])}; };
  while (!octets.empty()) {
    const auto length = std::min(octets.size(), per_line);
    std::size_t i = 0;
    for (; i + 3 <= length; i += 3) {
      const auto value = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
      const char quantum[] = {alphabet[value >> 18], alphabet[(value >> 12) & 63u], alphabet[(value >> 6) & 63u],
                              alphabet[value & 63u]};
      out.append(quantum, 4);
    }
    if (i < length) {
      const bool two = length - i == 2;
      const auto value = at(i) << 16 | (two ? at(i + 1) << 8 : 0u);
      out += alphabet[value >> 18];
      out += alphabet[(value >> 12) & 63u];
      out += two ? alphabet[(value >> 6) & 63u] : '=';
      out += '=';
    }
    out += "\r\n";
    octets.remove_prefix(length);
  }
  return out;
}

std::string encode_quoted_printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  std::size_t column = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\n' || (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n')) {
      out += "\r\n";
      column = 0;
      if (c == '\r') ++i;
      continue;
    }
    const bool line_ends_next = i + 1 == text.size() || text[i + 1] == '\n' ||
                                (text[i + 1] == '\r' && i + 2 < text.size() && text[i + 2] == '\n');
    const bool space = c == ' ' || c == '\t';
    const bool plain = space ? !line_ends_next : !ascii::is_control(c) && !ascii::is_8bit(c) && c != '=';
    const std::size_t width = plain ? 1 : 3;
    // 76 characters a line, the "=" of a soft line end included.
    if (column + width > (line_ends_next ? 76u : 75u)) {
      out += "=\r\n";
      column = 0;
    }
    if (plain) {
      out += c;
    } else {
      const auto value = static_cast<unsigned char>(c);
      out += '=';
      out += digits[value >> 4];
      out += digits[value & 15u];
    }
    column += width;
  }
  return out;
}

}  // namespace briefwerk::mail
