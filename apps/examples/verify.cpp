// Is a message from a file what it claims to be?
//   example_verify FILE CLIENT-ADDRESS HELO SENDER [NAME-SERVER:PORT]
//   example_verify --self-check FILE        against a resolver that answers from a table

#include <cstdio>
#include <fstream>
#include <iterator>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth.hpp"
#include "briefwerk/net/dns_resolver.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;

static base::task<int> verify(const std::string& message, spf::request about, base::resolver& dns) {
  const auto crypto = crypto::make_boringssl();
  message_hasher hashed(*crypto);
  hashed.feed(message);  // in pieces of any size, as they arrive
  hashed.finish();

  dkim_keys keys(*crypto, dns);
  dkim_verifier dkim(keys, base::system_clock());
  const spf::verdict sender = co_await spf::check_mail_from(dns, about);
  const std::vector<dkim_result> signatures = co_await dkim.verify(hashed);

  dmarc::input found{.spf = {sender.result, sender.domain}, .dkim = {}};
  for (const dkim_result& one : signatures) found.dkim.push_back({one.what, one.domain, one.selector});
  const dmarc::evaluation policy = co_await dmarc::evaluate(dns, read_author(message), found);

  std::printf("SPF    %s  %s\n", to_string(sender.result).data(), sender.domain.c_str());
  for (const dkim_result& one : signatures) {
    std::printf("DKIM   %s  %s  %s\n", to_string(one.what).data(), one.domain.c_str(), one.reason.c_str());
  }
  std::printf("DMARC  %s  %s  %s\n", to_string(policy.result).data(), policy.author_domain.c_str(),
              policy.reason.c_str());
  co_return policy.result == outcome::pass ? 0 : 1;
}

int main(int argc, char** argv) {
  const bool self_check = argc == 3 && std::string_view(argv[1]) == "--self-check";
  if (!self_check && argc != 5 && argc != 6) {
    std::fprintf(stderr, "usage: %s FILE CLIENT-ADDRESS HELO SENDER [NAME-SERVER:PORT]\n", argv[0]);
    return 2;
  }
  std::ifstream in(argv[self_check ? 2 : 1], std::ios::binary);
  const std::string message{std::istreambuf_iterator<char>(in), {}};
  spf::request about{.ip = base::ip_address::parse("192.0.2.1").value(),
                     .helo = "mx.example.org",
                     .sender = "a@example.org",
                     .receiver = "here"};
  if (self_check) {
    base::scripted_resolver table;
    table.add_txt("example.org", "v=spf1 ip4:192.0.2.0/24 -all").add_txt("_dmarc.example.org", "v=DMARC1; p=reject");
    return base::sync_wait(verify(message, about, table));
  }
  about = {.ip = base::ip_address::parse(argv[2]).value(), .helo = argv[3], .sender = argv[4], .receiver = "here"};
  net::io_threads loop(1);
  net::dns_resolver_options options;
  if (argc == 6) options.servers = {base::endpoint::parse(argv[5]).value()};
  const auto dns = net::dns_resolver::create(loop, options).value();
  loop.start();
  return base::sync_wait(verify(message, about, *dns));
}
