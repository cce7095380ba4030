#pragma once

// How a scan is asked for and answered over a Unix socket of type SOCK_SEQPACKET: one packet each way, then the
// connection ends. With the request comes a descriptor (SCM_RIGHTS) of a sealed memfd that holds scan_preface and the
// message. A connection that ends without an answer: the scan failed.
//
//   request: "BWQ1", four octets 0, the file's size (64 bits, little endian)
//   answer:  "BWA1", outcome (8 bits), length of the text (8 bits), the text
//
// Header only: the scanning process links nothing of the filter room.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/filter/scanner.hpp"

namespace briefwerk::filter {

// A header field in front of the message, by which a scanner that guesses from first octets sees a message. Not the
// line of an mbox: a scanner would take lines of the body that begin with "From " for further messages.
inline constexpr std::string_view scan_preface = "Received: from localhost\r\n";

inline constexpr std::size_t scan_request_size = 16;
inline constexpr std::size_t scan_answer_head = 6;
inline constexpr std::size_t scan_text_size = 255;

struct scan_request {
  std::uint64_t size = 0;  // octets of the file
};

inline std::string encode(const scan_request& request) {
  std::string made("BWQ1\0\0\0\0", 8);
  for (unsigned i = 0; i < 8; ++i) made += static_cast<char>(request.size >> (8 * i) & 0xff);
  return made;
}

inline std::optional<scan_request> decode_scan_request(std::string_view packet) {
  if (packet.size() != scan_request_size || !packet.starts_with(std::string_view("BWQ1\0\0\0\0", 8)))
    return std::nullopt;
  scan_request read;
  for (unsigned i = 0; i < 8; ++i) {
    read.size |= static_cast<std::uint64_t>(static_cast<unsigned char>(packet[8 + i])) << (8 * i);
  }
  return read;
}

// Text as it may stand in a log and in a reply.
inline std::string printable_scan_text(std::string_view text) {
  std::string made(text.substr(0, scan_text_size));
  std::ranges::replace_if(made, [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return made;
}

inline std::string encode(const scan_answer& answer) {
  const std::string text = printable_scan_text(answer.text);
  std::string made = "BWA1";
  made += static_cast<char>(answer.outcome);
  made += static_cast<char>(text.size());
  return made + text;
}

inline std::optional<scan_answer> decode_scan_answer(std::string_view packet) {
  if (packet.size() < scan_answer_head || !packet.starts_with("BWA1")) return std::nullopt;
  const auto outcome = static_cast<unsigned char>(packet[4]);
  const std::string_view text = packet.substr(scan_answer_head);
  if (outcome > static_cast<unsigned char>(scan_outcome::failed)) return std::nullopt;
  if (text.size() != static_cast<unsigned char>(packet[5])) return std::nullopt;
  return scan_answer{static_cast<scan_outcome>(outcome), printable_scan_text(text)};
}

}  // namespace briefwerk::filter
