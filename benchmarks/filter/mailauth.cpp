// What the check of a message's origin costs, with DNS answers at hand: iprev, SPF of HELO and MAIL FROM, one DKIM
// signature, ARC, DMARC, the Authentication-Results field.

#include <benchmark/benchmark.h>

#include <map>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/mailauth_stage.hpp"
#include "briefwerk/mail/address.hpp"
#include "stages.hpp"

namespace {

using namespace briefwerk;

// Keeps every answer, as a resolver's cache does.
class cached_names final : public base::resolver {
 public:
  explicit cached_names(base::resolver& from) : from_(from) {}
  base::task<base::dns_answer> query(std::string name, base::dns_type type) override {
    const auto key = std::pair(name, type);
    if (const auto kept = kept_.find(key); kept != kept_.end()) co_return kept->second;
    base::dns_answer answer = co_await from_.query(std::move(name), type);
    kept_.emplace(key, answer);
    co_return answer;
  }

 private:
  base::resolver& from_;
  std::map<std::pair<std::string, base::dns_type>, base::dns_answer> kept_;
};

struct world {
  std::unique_ptr<base::crypto> crypto = crypto::make_boringssl();
  base::scripted_resolver names;
  cached_names cache{names};
  std::string message;

  world(base::key_kind kind, std::size_t size) {
    const auto key = crypto->generate_key(kind).value();
    names.add_ptr("192.0.2.1", "mx.example.org").add_address("mx.example.org", "192.0.2.1");
    names.add_txt("example.org", "v=spf1 mx ip4:198.51.100.0/24 include:_spf.example.org -all");
    names.add_mx("example.org", 10, "other.example.org").add_address("other.example.org", "192.0.2.9");
    names.add_txt("_spf.example.org", "v=spf1 ip4:192.0.2.0/24 ~all").add_txt("mx.example.org", "v=spf1 a -all");
    names.add_txt("_dmarc.example.org", "v=DMARC1; p=reject; rua=mailto:r@example.org");
    names.add_txt("s._domainkey.example.org", std::string("v=DKIM1; k=") +
                                                  (kind == base::key_kind::rsa ? "rsa" : "ed25519") +
                                                  "; p=" + base::base64_encode(key->public_part()->encode()));
    message =
        "From: A <a@example.org>\r\nTo: b@example.net\r\nSubject: A message of the usual size\r\n"
        "Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n";
    // Words that seldom come again: the classifier has something to look up.
    for (unsigned n = 1; message.size() < size; n = n * 1664525 + 1013904223) {
      message += "word" + std::to_string(n >> 12) + (n % 11 == 0 ? " https://www.shop" + std::to_string(n % 40) + ".example/" : "") +
                 (n % 7 == 0 ? "\r\n" : " ");
    }
    message += "\r\n";
    mailauth::dkim_sign_options how;
    how.domain = "example.org";
    how.keys = {{"s", key}};
    const auto signer = mailauth::dkim_signer::make(how).value();
    mailauth::message_hasher hashed(*crypto, {signer.body_hash()});
    hashed.feed(message);
    hashed.finish();
    message =
        signer.sign(hashed, std::chrono::floor<std::chrono::seconds>(base::system_clock().now())).value() + message;
  }
};

base::task<filter::action> judge(const filter::chain& all, std::string_view message) {
  filter::session_facts session;
  session.remote.address = base::ip_address::parse("192.0.2.1").value();
  (void)co_await all.connect(session);
  session.hello = "mx.example.org";
  (void)co_await all.hello(session);
  mail::smtp_envelope envelope;
  envelope.sender = mail::mailbox_address{"a", "example.org"};
  envelope.recipients.push_back({.address = {"alice", "example.net"}});
  (void)co_await all.mail(session, envelope);
  (void)co_await all.rcpt(session, envelope, envelope.recipients.front());
  const auto watching = all.observe(session, envelope);
  for (std::string_view rest = message; !rest.empty();) {
    const std::string_view piece = rest.substr(0, base::limits::session_input_buffer);
    watching->octets(piece);
    rest.remove_prefix(piece.size());
  }
  const filter::message_facts facts{message};
  const filter::verdict said = co_await all.message(session, envelope, facts);
  co_return said.what;
}

void whole_chain(benchmark::State& state, base::key_kind kind) {
  world all(kind, static_cast<std::size_t>(state.range(0)));
  filter::chain chain;
  chain.add(std::make_shared<filter::mailauth_stage>(all.cache, *all.crypto, base::system_clock(),
                                                     filter::mailauth_options{.authserv_id = "mx.example.net"}));
  for (auto _ : state) {
    if (base::sync_wait(judge(chain, all.message)) != filter::action::accept) state.SkipWithError("not accepted");
  }
}

// All but the scan for malware.
void all_stages(benchmark::State& state) {
  world all(base::key_kind::rsa, static_cast<std::size_t>(state.range(0)));
  base::manual_clock time(base::system_clock().now());
  base::metrics metrics;
  filter::chain chain({.metrics = &metrics, .junk_score = 100});
  chain.add(std::make_shared<filter::mailauth_stage>(all.cache, *all.crypto, base::system_clock(),
                                                     filter::mailauth_options{.authserv_id = "mx.example.net"}));
  mail::smtp_envelope envelope;
  envelope.sender = mail::mailbox_address{"a", "example.org"};
  envelope.recipients.push_back({.address = {"alice", "example.net"}});
  benchmarks::add_small_stages(chain, all.cache, time, *base::ip_address::parse("192.0.2.1"), envelope);
  chain.add(benchmarks::make_spam_stage(time), {.after = {"mailauth"}});
  for (auto _ : state) {
    if (base::sync_wait(judge(chain, all.message)) > filter::action::tag) state.SkipWithError("not accepted");
  }
}

void rsa(benchmark::State& state) { whole_chain(state, base::key_kind::rsa); }
void ed25519(benchmark::State& state) { whole_chain(state, base::key_kind::ed25519); }

BENCHMARK(all_stages)->Name("all stages but the scan, one RSA-2048 signature")->Arg(20 << 10)->Unit(benchmark::kMicrosecond);
BENCHMARK(rsa)
    ->Name("mailauth stage, one RSA-2048 signature")
    ->Arg(4 << 10)
    ->Arg(1 << 20)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(ed25519)
    ->Name("mailauth stage, one Ed25519 signature")
    ->Arg(4 << 10)
    ->Arg(1 << 20)
    ->Unit(benchmark::kMicrosecond);

}  // namespace
