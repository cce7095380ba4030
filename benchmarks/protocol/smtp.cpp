// SMTP: command parsing, the DATA scan against memcpy of the same buffer, and whole pipelined sessions without I/O.

#include <benchmark/benchmark.h>

#include <cstring>
#include <memory>
#include <string>

#include "briefwerk/protocol/smtp/client_session.hpp"
#include "briefwerk/protocol/smtp/command.hpp"
#include "briefwerk/protocol/smtp/data_decoder.hpp"
#include "briefwerk/protocol/smtp/server_session.hpp"

namespace smtp = briefwerk::protocol::smtp;

namespace {

// Lines of 76 characters and CRLF, as base64 and flowed text have them; with `dots` every fiftieth is stuffed.
std::string message(std::size_t size, bool dots) {
  std::string out;
  for (std::size_t line = 0; out.size() + 80 < size; ++line) {
    if (dots && line % 50 == 0) out += "..";
    out.append(76, static_cast<char>('a' + line % 26)).append("\r\n");
  }
  return out + ".\r\n";
}

void command(benchmark::State& state, std::string_view line) {
  smtp::extensions offered;
  for (auto _ : state) {
    benchmark::DoNotOptimize(line);
    auto parsed = smtp::parse_command(line, offered);
    benchmark::DoNotOptimize(parsed);
  }
}

void data_copy(benchmark::State& state) {
  const std::string in = message(static_cast<std::size_t>(state.range(0)), false);
  const auto out = std::make_unique<char[]>(in.size());
  for (auto _ : state) {
    std::memcpy(out.get(), in.data(), in.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(in.size()) * state.iterations());
}

void data_scan(benchmark::State& state, bool dots) {
  const std::string in = message(static_cast<std::size_t>(state.range(0)), dots);
  for (auto _ : state) {
    smtp::data_decoder decoder;
    std::string_view rest = in;
    for (bool end = false; !end;) {
      const auto piece = decoder.next(rest);
      benchmark::DoNotOptimize(piece.text.data());
      rest.remove_prefix(piece.consumed);
      end = piece.end;
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(in.size()) * state.iterations());
}

void data_encode(benchmark::State& state) {
  const std::string in = message(static_cast<std::size_t>(state.range(0)), true);
  for (auto _ : state) {
    smtp::data_encoder encoder;
    for (std::string_view rest = in; !rest.empty();) {
      const auto piece = encoder.next(rest);
      benchmark::DoNotOptimize(piece.wire.data());
      rest.remove_prefix(piece.consumed);
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(in.size()) * state.iterations());
}

// One message a turn over a connection that stays; the sink copies into a buffer of its own.
void server_message(benchmark::State& state) {
  smtp::server_options options;
  options.require_tls = false;
  options.transactions = static_cast<std::size_t>(-1);
  smtp::server_session session(options);
  const std::string commands = "MAIL FROM:<alice@sender.example> SIZE=4096\r\nRCPT TO:<bob@recipient.example>\r\nDATA\r\n";
  const std::string text = message(static_cast<std::size_t>(state.range(0)), false);
  std::string sink;
  std::size_t accepted = 0;
  const auto turn = [&](std::string_view input) {
    bool fed = false;
    for (;;) {
      auto step = session.next();
      if (std::holds_alternative<smtp::need_bytes>(step)) {
        if (fed) return;
        fed = true;
        session.feed(input);
      } else if (auto* data = std::get_if<smtp::message_data>(&step)) {
        sink.append(data->bytes);
      } else if (auto* q = std::get_if<smtp::ask>(&step)) {
        if (std::holds_alternative<smtp::message_end_question>(q->question)) {
          ++accepted;
          sink.clear();
        }
        session.accept();
      }
    }
  };
  turn("EHLO client.example\r\n");
  for (auto _ : state) {
    turn(commands);
    turn(text);
  }
  if (accepted != static_cast<std::size_t>(state.iterations())) state.SkipWithError("not every message was accepted");
}

void client_message(benchmark::State& state) {
  smtp::client_options options;
  options.tls = smtp::tls_policy::never;
  smtp::client_session session(options);
  const std::string text = message(static_cast<std::size_t>(state.range(0)), true);
  briefwerk::mail::smtp_envelope envelope;
  envelope.sender = briefwerk::mail::mailbox_address{"alice", "sender.example"};
  envelope.recipients.push_back({{"bob", "recipient.example"}, {}, 0});
  const std::string_view replies[] = {"250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go\r\n", "250 2.6.0 ok\r\n"};
  session.feed("220 mx\r\n250-mx\r\n250 PIPELINING\r\n");
  std::size_t turn = 0;
  const auto until_ready = [&] {
    for (;;) {
      auto step = session.next();
      if (std::holds_alternative<smtp::ready>(step)) return;
      if (std::holds_alternative<smtp::need_bytes>(step)) session.feed(replies[turn++ % 2]);
      if (std::holds_alternative<smtp::need_message>(step)) session.message(text, true);
      if (std::holds_alternative<smtp::close>(step)) return state.SkipWithError("closed");
    }
  };
  until_ready();
  for (auto _ : state) {
    session.send(envelope);
    until_ready();
  }
}

BENCHMARK_CAPTURE(command, smtp_mail, "MAIL FROM:<alice@sender.example> SIZE=4096 BODY=8BITMIME");
BENCHMARK_CAPTURE(command, smtp_rcpt, "RCPT TO:<bob@recipient.example>");
BENCHMARK_CAPTURE(command, smtp_rcpt_dsn, "RCPT TO:<bob@recipient.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;bob@recipient.example");
BENCHMARK_CAPTURE(command, smtp_ehlo, "EHLO client.example");
BENCHMARK_CAPTURE(command, smtp_data, "DATA");
BENCHMARK(data_copy)->Arg(4096)->Arg(65536)->Arg(1 << 20);
BENCHMARK_CAPTURE(data_scan, plain, false)->Arg(4096)->Arg(65536)->Arg(1 << 20);
BENCHMARK_CAPTURE(data_scan, dots, true)->Arg(65536);
BENCHMARK(data_encode)->Arg(65536);
BENCHMARK(server_message)->Arg(4096)->Arg(65536);
BENCHMARK(client_message)->Arg(4096);

}  // namespace
