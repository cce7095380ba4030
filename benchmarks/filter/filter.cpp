// What the chain costs: look-ups of the small state, and a whole message through all stages with DNS in memory.

#include <benchmark/benchmark.h>

#include <string>

#include "stages.hpp"

using namespace briefwerk;
using namespace briefwerk::benchmarks;

namespace {

struct seen {
  std::int64_t expires, count;
};

// Answers at once and keeps no list of questions, as a cache does.
class cached_names final : public base::resolver {
 public:
  base::task<base::dns_answer> query(std::string, base::dns_type) override {
    base::dns_answer none;
    none.status = base::dns_status::no_name;
    co_return none;
  }
};

void bench_state_update(benchmark::State& state) {
  static filter::state_table<seen> table(1000000, key);
  std::uint64_t n = static_cast<std::uint64_t>(state.thread_index()) << 32;
  for (auto _ : state) {
    const std::uint64_t who = n++ * 0x9e3779b97f4a7c15 >> 45;  // half a million keys
    const auto k = table.key_of({"bucket", {reinterpret_cast<const char*>(&who), sizeof who}});
    benchmark::DoNotOptimize(table.update(k, 1, [](seen& s) {
      s.expires = 100;
      return ++s.count;
    }));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bench_state_update)->Threads(1)->Threads(2)->UseRealTime();

// One RCPT that greylisting knows, with all that the chain does around it.
void bench_greylist_known(benchmark::State& state) {
  base::manual_clock time(base::wall_time(std::chrono::hours(500000)));
  cached_names names;
  filter::greylist stage({.delay = std::chrono::seconds(1)}, names, time, key);
  filter::session_facts session;
  session.remote.address = *base::ip_address::parse("192.0.2.1");
  const auto envelope = envelope_of("bob");
  for (int i = 0; i < 2; ++i, time.advance(std::chrono::seconds(2))) {
    (void)base::sync_wait(stage.rcpt(session, envelope, envelope.recipients.front()));
  }
  const auto run = [](benchmark::State& s, filter::greylist& by, filter::session_facts& facts, const mail::smtp_envelope& what) -> base::task<void> {
    for (auto _ : s) {
      const filter::verdict v = co_await by.rcpt(facts, what, what.recipients.front());
      if (v.what != filter::action::accept) s.SkipWithError("delayed");
    }
  };
  base::sync_wait(run(state, stage, session, envelope));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bench_greylist_known);

// One MAIL that a rule counts.
void bench_rate_message(benchmark::State& state) {
  filter::rate stage({.rules = {{filter::rate_key::address, filter::rate_unit::messages, 1000000000, std::chrono::seconds(1)}}},
                     base::system_clock(), key);
  filter::session_facts session;
  const auto envelope = envelope_of("bob");
  const auto run = [](benchmark::State& s, filter::rate& by, filter::session_facts& facts, const mail::smtp_envelope& what) -> base::task<void> {
    std::uint32_t n = 0;
    for (auto _ : s) {
      n = n * 1664525 + 1013904223;
      facts.remote.address = base::ip_address::v4({10, static_cast<std::uint8_t>(n >> 24), static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8)});
      const filter::verdict v = co_await by.mail(facts, what);
      if (v.what != filter::action::accept) s.SkipWithError("refused");
    }
  };
  base::sync_wait(run(state, stage, session, envelope));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bench_rate_message);

std::string message_of(std::size_t size) {
  std::string text = "Received: from a.example by b.example; Sun, 1 Mar 2026 12:00:00 +0000\r\nFrom: Bob <bob@far.example>\r\n"
                     "To: alice@example.org\r\nSubject: figures of the month\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n";
  while (text.size() < size / 2) text += "A line of text as people write it, with a link: https://www.shop.example/page\r\n";
  text += "--b\r\nContent-Type: application/pdf; name=figures.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n";
  while (text.size() < size) text += std::string(76, 'Q') + "\r\n";
  return text + "--b--\r\n";
}

// A session with one message through the stages of this room: five lists, three limits, greylisting, rules.
void bench_chain_message(benchmark::State& state) {
  cached_names names;
  base::metrics metrics;
  base::manual_clock time(base::wall_time(std::chrono::hours(500000)));
  const base::ip_address client = *base::ip_address::parse("192.0.2.1");
  const std::string message = message_of(20u << 10);
  const auto envelope = envelope_of("bob");
  filter::chain chain({.metrics = &metrics, .junk_score = 5});
  add_small_stages(chain, names, time, client, envelope);
  const auto run = [](benchmark::State& s, const filter::chain& by, const std::string& octets, const mail::smtp_envelope& what) -> base::task<void> {
    for (auto _ : s) {
      filter::session_facts session;
      session.remote.address = *base::ip_address::parse("192.0.2.1");
      session.hello = "mx.far.example";
      (void)co_await by.connect(session);
      (void)co_await by.hello(session);
      (void)co_await by.mail(session, what);
      (void)co_await by.rcpt(session, what, what.recipients.front());
      const filter::verdict v = co_await by.message(session, what, {octets});
      if (v.what != filter::action::accept) s.SkipWithError("not accepted");
    }
  };
  base::sync_wait(run(state, chain, message, envelope));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bench_chain_message);

// What judging one message of 20 KiB costs.
void bench_spam_message(benchmark::State& state) {
  const std::string message = message_of(20u << 10);
  const base::manual_clock time(base::wall_time(std::chrono::seconds(1)));
  const auto stage = make_spam_stage(time);
  const auto run = [](benchmark::State& s, filter::spam_stage& by, const std::string& octets) -> base::task<void> {
    const mail::smtp_envelope envelope;
    for (auto _ : s) {
      filter::session_facts session;
      const filter::verdict v = co_await by.message(session, envelope, {octets});
      if (v.reason.find("classifier") == v.reason.npos) s.SkipWithError("no opinion");
    }
  };
  base::sync_wait(run(state, *stage, message));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(bench_spam_message);

}  // namespace
