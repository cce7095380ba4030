// DMARC's part of a message's cost, with DNS answered from memory, and what a report costs a row.

#include <benchmark/benchmark.h>

#include <string>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/mailauth/dmarc.hpp"
#include "briefwerk/mailauth/dmarc_collector.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"
#include "briefwerk/mailauth/public_suffix.hpp"

namespace base = briefwerk::base;
namespace mailauth = briefwerk::mailauth;
namespace dmarc = briefwerk::mailauth::dmarc;

namespace {

constexpr std::string_view ordinary_record =
    "v=DMARC1; p=reject; sp=quarantine; adkim=r; aspf=s; pct=100; fo=1; "
    "rua=mailto:dmarc@example.org,mailto:x@reports.example!10m";
constexpr std::string_view ordinary_header =
    "Received: from mx.example (mx.example [192.0.2.1]) by mx.test with ESMTPS; Wed, 25 Nov 2026 10:00:00 +0000\r\n"
    "From: =?utf-8?q?B=C3=BCro?= <news@mail.example.org>\r\nTo: someone@example.net\r\nSubject: Hello\r\n\r\n";

void parse_record(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(dmarc::parse_record(ordinary_record));
}
BENCHMARK(parse_record);

void read_author(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(mailauth::read_author(ordinary_header));
}
BENCHMARK(read_author);

dmarc::input ordinary_input() {
  return {.spf = {mailauth::outcome::pass, "bounce.example.org"},
          .dkim = {{mailauth::outcome::pass, "example.org", "s"}}};
}

void evaluate(benchmark::State& state, dmarc::options how) {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.example.org", ordinary_record);
  for (auto _ : state) {
    auto found = base::sync_wait(dmarc::evaluate(dns, mailauth::read_author(ordinary_header), ordinary_input(), how));
    if (found.result != mailauth::outcome::pass) state.SkipWithError("no pass");
    benchmark::DoNotOptimize(found);
  }
}
void evaluate_by_tree_walk(benchmark::State& state) { evaluate(state, {}); }
BENCHMARK(evaluate_by_tree_walk);
void evaluate_by_suffix_list(benchmark::State& state) {
  static const auto list = mailauth::public_suffix_list::newest().value();
  evaluate(state, {.method = dmarc::discovery::public_suffix, .suffixes = &list, .sample = {}});
}
BENCHMARK(evaluate_by_suffix_list);

dmarc::report report_of(std::int64_t rows) {
  dmarc::report out;
  out.metadata.org_name = "Example";
  out.metadata.report_id = "1";
  out.published.domain = "example.org";
  for (std::int64_t i = 0; i < rows; ++i)
    out.rows.push_back(
        {.source_ip = "192.0.2." + std::to_string(i % 256),
         .count = static_cast<std::uint64_t>(i + 1),
         .disposition = dmarc::action::none,
         .dkim = mailauth::outcome::pass,
         .spf = mailauth::outcome::fail,
         .reasons = {},
         .header_from = "example.org",
         .envelope_from = "bounce.example.org",
         .envelope_to = {},
         .dkim_results = {{"example.org", "s" + std::to_string(i), mailauth::outcome::pass, ""}},
         .spf_results = {{"bounce.example.org", dmarc::spf_scope::mail_from, mailauth::outcome::fail, ""}}});
  return out;
}
void count_rows(benchmark::State& state) { state.SetItemsProcessed(state.iterations() * state.range(0)); }

void write_report(benchmark::State& state) {
  const auto what = report_of(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(dmarc::write_report(what));
  count_rows(state);
}
BENCHMARK(write_report)->Arg(10)->Arg(1000);

void compress_report(benchmark::State& state) {
  const auto text = dmarc::write_report(report_of(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(dmarc::gzip(text));
  count_rows(state);
}
BENCHMARK(compress_report)->Arg(1000);

void parse_report(benchmark::State& state) {
  const auto text = dmarc::write_report(report_of(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(dmarc::parse_report(text));
  count_rows(state);
}
BENCHMARK(parse_report)->Arg(10)->Arg(1000);

void read_compressed_report(benchmark::State& state) {
  const auto octets = dmarc::gzip(dmarc::write_report(report_of(state.range(0))));
  for (auto _ : state) benchmark::DoNotOptimize(dmarc::read_reports(octets));
  count_rows(state);
}
BENCHMARK(read_compressed_report)->Arg(1000);

// One message more of a row that is known, as most are.
void collect(benchmark::State& state) {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.example.org", ordinary_record);
  const auto found = base::sync_wait(dmarc::evaluate(dns, mailauth::read_author(ordinary_header), ordinary_input()));
  dmarc::message_facts facts;
  facts.envelope_from = "bounce.example.org";
  dmarc::collector seen;
  for (auto _ : state) seen.add(std::chrono::sys_seconds(), *dmarc::observe(found, facts));
}
BENCHMARK(collect);

}  // namespace
