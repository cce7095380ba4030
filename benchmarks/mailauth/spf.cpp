// SPF with every answer of DNS at hand, and the field Authentication-Results.

#include <benchmark/benchmark.h>

#include <string>
#include <unordered_map>
#include <utility>

#include "briefwerk/base/resolver.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"
#include "briefwerk/mailauth/spf.hpp"

namespace {

namespace base = briefwerk::base;
namespace mailauth = briefwerk::mailauth;
namespace spf = mailauth::spf;

// Answers from a hash table, as a cache does.
class table_resolver final : public base::resolver {
 public:
  void add(const std::string& name, base::dns_type type, base::dns_record record) {
    base::dns_answer& answer = answers_[name + static_cast<char>(type)];
    answer.status = base::dns_status::found;
    answer.records.push_back(std::move(record));
  }
  base::task<base::dns_answer> query(std::string name, base::dns_type type) override {
    name += static_cast<char>(type);
    const auto found = answers_.find(name);
    if (found != answers_.end()) co_return found->second;
    base::dns_answer nothing;
    nothing.status = base::dns_status::no_name;
    co_return nothing;
  }

 private:
  std::unordered_map<std::string, base::dns_answer> answers_;
};

constexpr const char* large_record =
    "v=spf1 ip4:192.0.2.0/24 ip4:198.51.100.0/22 ip6:2001:db8:4000::/36 a:mail.example.org mx include:_spf.example.net "
    "include:_spf2.example.net exists:%{ir}.%{v}._spf.%{d2} -all";

// A domain that sends through two others, the second of which matches: four records, seven terms with questions.
table_resolver& world() {
  static table_resolver dns = [] {
    table_resolver out;
    using base::dns_type;
    const auto ip = [](const char* text) { return base::ip_address::parse(text).value(); };
    out.add("example.org", dns_type::txt, base::dns_txt{large_record});
    out.add("example.org", dns_type::txt, base::dns_txt{"some-site-verification=0123456789abcdef0123456789abcdef"});
    out.add("example.org", dns_type::mx, base::dns_mx{10, "mx1.example.org"});
    out.add("example.org", dns_type::mx, base::dns_mx{20, "mx2.example.org"});
    for (const char* host : {"mail.example.org", "mx1.example.org", "mx2.example.org"})
      out.add(host, dns_type::a, ip("192.0.2.77"));
    out.add("_spf.example.net", dns_type::txt, base::dns_txt{"v=spf1 include:_a.example.net ip4:203.0.113.0/28 ~all"});
    out.add("_a.example.net", dns_type::txt,
            base::dns_txt{"v=spf1 ip4:198.18.0.0/24 ip4:198.18.1.0/24 ip4:198.18.2.0/24 ip4:198.18.3.0/24 ~all"});
    out.add("_spf2.example.net", dns_type::txt, base::dns_txt{"v=spf1 ip4:203.0.113.128/25 ~all"});
    return out;
  }();
  return dns;
}

void evaluate(benchmark::State& state, const char* ip, mailauth::outcome expected) {
  spf::request about;
  about.ip = base::ip_address::parse(ip).value();
  about.helo = "out.example.net";
  about.sender = "someone@example.org";
  about.receiver = "mx.example.com";
  for (auto _ : state) {
    const auto found = base::sync_wait(spf::check_mail_from(world(), about));
    if (found.result != expected) state.SkipWithError("another result");
    benchmark::DoNotOptimize(found);
  }
}

void spf_record_parse(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(spf::parse_record(large_record));
}
BENCHMARK(spf_record_parse);

void spf_first_term(benchmark::State& state) { evaluate(state, "192.0.2.1", mailauth::outcome::pass); }
BENCHMARK(spf_first_term);

void spf_two_includes(benchmark::State& state) { evaluate(state, "203.0.113.200", mailauth::outcome::pass); }
BENCHMARK(spf_two_includes);

mailauth::authentication_results usual_results() {
  mailauth::authentication_results out;
  out.authserv_id = "mx.example.com";
  spf::verdict found;
  found.result = mailauth::outcome::pass;
  found.sender = "someone@example.org";
  out.results.push_back(mailauth::result_of(found));
  const auto ip = base::ip_address::parse("203.0.113.200").value();
  out.results.push_back(
      mailauth::result_of(mailauth::iprev_verdict{mailauth::outcome::pass, "out.example.net", ""}, ip));
  mailauth::dkim_facts dkim;
  dkim.result = mailauth::outcome::pass;
  dkim.domain = "example.org";
  dkim.selector = "s2026";
  dkim.algorithm = "rsa-sha256";
  dkim.signature = "dzdVyOfAKCdLXdJOc9G2q8";
  out.results.push_back(mailauth::result_of(dkim));
  mailauth::dmarc_facts dmarc;
  dmarc.result = mailauth::outcome::pass;
  dmarc.from_domain = "example.org";
  dmarc.policy = "none";
  out.results.push_back(mailauth::result_of(dmarc));
  return out;
}

void results_write(benchmark::State& state) {
  const auto results = usual_results();
  for (auto _ : state) benchmark::DoNotOptimize(mailauth::to_field(results));
}
BENCHMARK(results_write);

void results_parse(benchmark::State& state) {
  const std::string value = mailauth::to_value(usual_results());
  for (auto _ : state) benchmark::DoNotOptimize(mailauth::parse_authentication_results(value));
}
BENCHMARK(results_parse);

void results_claim(benchmark::State& state) {
  const std::string value = mailauth::to_value(usual_results());
  for (auto _ : state) benchmark::DoNotOptimize(mailauth::claims_authserv_id(value, "mx.example.com"));
}
BENCHMARK(results_claim);

}  // namespace
