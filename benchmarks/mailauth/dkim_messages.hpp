#pragma once

// The messages that DKIM is measured with, here and in peers/: the same octets for everybody.

#include <string>

namespace dkim_bench {

inline std::string header_fields(int odd) {
  std::string out =
      "Received: from mx.example.org (mx.example.org [192.0.2.1])\r\n\tby mail.example.net with ESMTPS id "
      "4Abc123XYZ\r\n"
      "\tfor <bob@example.net>; Sat, 7 Nov 2026 10:15:00 +0100\r\n"
      "From: =?utf-8?Q?J=C3=B6rg?= Example <joerg@example.org>\r\nTo: Bob <bob@example.net>, \"Carol, C.\" "
      "<carol@example.net>\r\n"
      "Cc: dave@example.com\r\nSubject: Re: Minutes of the meeting on Thursday\r\nDate: Sat, 7 Nov 2026 10:15:00 "
      "+0100\r\n"
      "Message-ID: <20261107101500.1234@example.org>\r\nReferences: <1@example.net>\r\n <2@example.org>\r\n "
      "<a@example.net>\r\n"
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
  for (int i = 0; i < odd; ++i)
    out += "X-Field-" + std::to_string(i) + ":  some  value \t with blanks \r\n\t and a fold\r\n";
  return out;
}

// Lines as people and programs write them.
inline std::string ordinary(std::size_t size) {
  std::string out = header_fields(0) + "\r\n";
  while (out.size() < size) out += "It is a long established fact that a reader is distracted by what he reads.\r\n";
  return out;
}

// Short lines, many blanks, many fields: canonicalization is the work.
inline std::string blanks(std::size_t size) {
  std::string out = header_fields(60) + "\r\n";
  while (out.size() < size) out += "  a  b \t c  \r\n\r\nd\te   f \r\n";
  return out;
}

}  // namespace dkim_bench
