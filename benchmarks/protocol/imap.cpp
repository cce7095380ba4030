// IMAP: parsing of typical commands, and rows of FETCH.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/protocol/imap/server_session.hpp"

namespace imap = briefwerk::protocol::imap;
namespace mail = briefwerk::mail;

namespace {

constexpr std::string_view commands[] = {
    "a1 NOOP",
    "a2 SELECT INBOX",
    "a3 UID FETCH 4827313:4828442 (FLAGS)",
    "a4 UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM TO)])",
    "a5 UID STORE 4711 +FLAGS.SILENT (\\Seen $Junk)",
    "a6 UID SEARCH UNSEEN SINCE 1-Feb-2026 NOT DELETED",
    "a7 LIST \"\" \"*\" RETURN (SPECIAL-USE SUBSCRIBED)",
    "a8 STATUS \"Sent Items\" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)",
};

void imap_parse(benchmark::State& state) {
  const auto line = commands[static_cast<std::size_t>(state.range(0))];
  imap::arena memory;
  for (auto _ : state) {
    memory.clear();
    imap::command_head head;
    benchmark::DoNotOptimize(imap::parse_head(line, head));
    auto parsed = imap::parse_command(line, head, {}, memory);
    if (!parsed) state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(parsed);
  }
  state.SetLabel(std::string(line.substr(0, 40)));
}
BENCHMARK(imap_parse)->DenseRange(0, std::size(commands) - 1);

// A whole round in the session: line, question, answer, output.
void imap_session_round(benchmark::State& state) {
  imap::server_options options;
  imap::server_session session(options);
  session.tls_started();
  session.authenticated();
  std::string pipeline;
  for (int i = 0; i < 100; ++i) pipeline += "a UID FETCH 4827313:4828442 (FLAGS)\r\n";
  session.selected(false);
  const auto run = [&] {
    for (;;) {
      auto step = session.next();
      if (std::holds_alternative<imap::need_bytes>(step)) return;
      if (std::holds_alternative<imap::ask>(step)) session.complete(imap::condition::ok, "", "FETCH completed");
    }
  };
  run();
  for (auto _ : state) {
    session.feed(pipeline);
    run();
  }
  state.SetItemsProcessed(state.iterations() * 100);
}
BENCHMARK(imap_session_round);

constexpr std::uint32_t rows = 100000;

void imap_fetch_flags(benchmark::State& state) {
  const std::vector<std::string> keywords = {"$Forwarded", "$Junk"};
  imap::response_writer out;
  for (auto _ : state) {
    out.clear();
    for (std::uint32_t i = 1; i <= rows; ++i) out.fetch(i).flags(i & mail::flags::system_mask, keywords);
    benchmark::DoNotOptimize(out.size());
  }
  state.SetItemsProcessed(state.iterations() * rows);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}
BENCHMARK(imap_fetch_flags);

void imap_fetch_uid_flags_keyword(benchmark::State& state) {
  const std::vector<std::string> keywords = {"$Forwarded", "$Junk"};
  imap::response_writer out;
  for (auto _ : state) {
    out.clear();
    for (std::uint32_t i = 1; i <= rows; ++i) {
      out.fetch(i).uid(4827313 + i).flags((i & mail::flags::system_mask) | mail::keyword_bit(i & 1), keywords);
    }
    benchmark::DoNotOptimize(out.size());
  }
  state.SetItemsProcessed(state.iterations() * rows);
}
BENCHMARK(imap_fetch_uid_flags_keyword);

void imap_fetch_envelope(benchmark::State& state) {
  const std::string envelope =
      "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev2 WG mtg summary and minutes\" ((\"Terry Gray\" NIL \"gray\" "
      "\"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" "
      "\"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) ((NIL NIL \"minutes\" \"CNRI.Reston.VA.US\") "
      "(\"John Klensin\" NIL \"KLENSIN\" \"MIT.EDU\")) NIL NIL \"<B27397-0100000@cac.washington.ed>\")";
  imap::response_writer out;
  for (auto _ : state) {
    out.clear();
    for (std::uint32_t i = 1; i <= 10000; ++i) {
      out.fetch(i).uid(i).flags(mail::flags::seen, {}).internal_date(1794042900 + i).size(4096).envelope(envelope);
    }
    benchmark::DoNotOptimize(out.size());
  }
  state.SetItemsProcessed(state.iterations() * 10000);
}
BENCHMARK(imap_fetch_envelope);

// Bodies are referred to, not copied.
void imap_fetch_body(benchmark::State& state) {
  const auto blob = std::make_shared<const std::string>(4096, 'x');
  const imap::fetch_item item{.kind = imap::fetch_kind::section};
  imap::response_writer out;
  for (auto _ : state) {
    out.clear();
    for (std::uint32_t i = 1; i <= 10000; ++i) out.fetch(i).uid(i).section(item, *blob, blob);
    benchmark::DoNotOptimize(out.pieces().data());
  }
  state.SetItemsProcessed(state.iterations() * 10000);
}
BENCHMARK(imap_fetch_body);

}  // namespace
