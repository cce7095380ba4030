// What a message costs on its way into the store: the MIME pass, the IMAP texts, the decodings, one header block.

#include <benchmark/benchmark.h>

#include <cstring>
#include <string>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/body_structure.hpp"
#include "briefwerk/mail/envelope.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/mail/transfer.hpp"

namespace mail = briefwerk::mail;

namespace {

std::string text_lines(std::size_t size) {
  std::string out;
  while (out.size() < size) out += "It is a long established fact that a reader is distracted by what he reads.\r\n";
  return out;
}

// An ordinary message of about 30 KiB: transport header, text and HTML alternatives, one attachment.
const std::string& ordinary_message() {
  static const std::string message = [] {
    std::string out;
    for (int hop = 0; hop < 4; ++hop)
      out += "Received: from mx" + std::to_string(hop) + ".example.org (mx.example.org [192.0.2.1])\r\n"
             "\tby mail.example.net with ESMTPS id 4Abc123XYZ\r\n\tfor <bob@example.net>; Sat, 7 Nov 2026 10:15:00 +0100\r\n";
    out += "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.org; s=mail;\r\n"
           "\th=from:to:subject:date:message-id:mime-version:content-type; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
           "\tb=dzdVyOfAKCdLXdJOc9G2q8LoXSlEniSbav+yuU4zGeeruD00lszZVoG4ZHRNiYzR\r\n"
           "From: =?utf-8?Q?J=C3=B6rg?= Example <joerg@example.org>\r\nTo: Bob <bob@example.net>, \"Carol, C.\" <carol@example.net>\r\n"
           "Cc: dave@example.com\r\nSubject: Re: Minutes of the meeting on Thursday\r\nDate: Sat, 7 Nov 2026 10:15:00 +0100\r\n"
           "Message-ID: <20261107101500.1234@example.org>\r\nIn-Reply-To: <a@example.net>\r\n"
           "References: <1@example.net> <2@example.org> <a@example.net>\r\nMIME-Version: 1.0\r\n"
           "Content-Type: multipart/mixed; boundary=\"----=_Part_12345_67890.123456789\"\r\n\r\nThis is a message in MIME format.\r\n"
           "------=_Part_12345_67890.123456789\r\nContent-Type: multipart/alternative; boundary=\"----=_Part_22222_1.1\"\r\n\r\n"
           "------=_Part_22222_1.1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
    out += text_lines(4000);
    out += "------=_Part_22222_1.1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
    out += text_lines(8000);
    out += "------=_Part_22222_1.1--\r\n\r\n------=_Part_12345_67890.123456789\r\nContent-Type: application/pdf; name=\"minutes.pdf\"\r\n"
           "Content-Disposition: attachment; filename=\"minutes.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    out += mail::encode_base64_lines(std::string(12000, 'x'));
    out += "------=_Part_12345_67890.123456789--\r\n";
    return out;
  }();
  return message;
}

void count_octets(benchmark::State& state, std::size_t octets) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(octets));
}

void copy_message(benchmark::State& state) {  // the yardstick
  const auto& message = ordinary_message();
  std::string to(message.size(), '\0');
  for (auto _ : state) {
    std::memcpy(to.data(), message.data(), message.size());
    benchmark::ClobberMemory();
  }
  count_octets(state, message.size());
}
BENCHMARK(copy_message);

void parse_mime(benchmark::State& state) {
  mail::mime_tree tree;
  for (auto _ : state) {
    tree.parse(ordinary_message());
    benchmark::DoNotOptimize(tree.parts().data());
  }
  count_octets(state, ordinary_message().size());
}
BENCHMARK(parse_mime);

void envelope(benchmark::State& state) {
  const mail::mime_tree tree(ordinary_message());
  std::string out;
  for (auto _ : state) {
    out.clear();
    mail::append_envelope(out, tree.view(tree.root().header));
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(envelope);

void body_structure(benchmark::State& state) {
  const mail::mime_tree tree(ordinary_message());
  std::string out;
  for (auto _ : state) {
    out.clear();
    mail::append_body_structure(out, tree);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(body_structure);

void summary(benchmark::State& state) {
  std::string out;
  for (auto _ : state) {
    out.clear();
    mail::append_summary(out, mail::summarise(ordinary_message()));
    benchmark::DoNotOptimize(out.data());
  }
  count_octets(state, ordinary_message().size());
}
BENCHMARK(summary);

void view_stored_summary(benchmark::State& state) {
  const auto octets = mail::encode_summary(mail::summarise(ordinary_message()));
  for (auto _ : state) {
    auto view = mail::view_summary(octets);
    benchmark::DoNotOptimize(view);
  }
}
BENCHMARK(view_stored_summary);

void read_header(benchmark::State& state) {
  const mail::mime_tree tree(ordinary_message());
  const auto header = tree.view(tree.root().header);
  for (auto _ : state) {
    mail::header_reader reader(header);
    mail::header_field field;
    while (reader.next(field)) benchmark::DoNotOptimize(field);
  }
  count_octets(state, header.size());
}
BENCHMARK(read_header);

void decode_base64(benchmark::State& state) {
  const auto text = mail::encode_base64_lines(std::string(30000, 'x'));
  for (auto _ : state) benchmark::DoNotOptimize(mail::decode_base64(text));
  count_octets(state, text.size());
}
BENCHMARK(decode_base64);

void decode_quoted_printable(benchmark::State& state) {
  const auto text = mail::encode_quoted_printable(text_lines(20000) + std::string(2000, '\xfc'));
  for (auto _ : state) benchmark::DoNotOptimize(mail::decode_quoted_printable(text));
  count_octets(state, text.size());
}
BENCHMARK(decode_quoted_printable);

void parse_mailbox(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(mail::parse_mailbox("joe.public@mail.example.org"));
}
BENCHMARK(parse_mailbox);

}  // namespace
