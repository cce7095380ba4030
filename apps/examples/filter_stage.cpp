// A filter stage of one's own, as a class and as a lambda, and what the chain makes of a message.
//   example_filter_stage FILE
#include <cstdio>
#include <fstream>
#include <iterator>

#include <briefwerk/filter/chain.hpp>
#include <briefwerk/mail/header.hpp>

using namespace briefwerk;

// Refuses senders without a name server's blessing elsewhere; here: those who greet with an address literal.
class polite_greeting final : public filter::stage {
 public:
  std::string_view name() const noexcept override { return "polite_greeting"; }
  base::task<filter::verdict> hello(filter::session_facts& session) override {
    if (session.hello.starts_with('[')) co_return filter::verdict::deferred("Say your name", "address literal in EHLO");
    co_return filter::verdict::accepted();
  }
};

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FILE\n", argv[0]);
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};

  filter::chain chain;
  chain.add(std::make_shared<polite_greeting>());
  chain.add(filter::message_stage("no_subject", [](auto&, auto&, const filter::message_facts& message) {
    filter::verdict v;
    if (mail::header_block(message.octets).value("Subject").empty()) v.score = 1.5;
    return v;
  }));
  chain.add(filter::message_stage("shouting", [](auto&, auto&, const filter::message_facts& message) {
    const std::string subject = mail::decode_text(mail::header_block(message.octets).value("Subject"));
    const bool shouts = subject.ends_with("!!!");
    return shouts ? filter::verdict::junked("subject ends in !!!") : filter::verdict::accepted();
  }));

  filter::session_facts session;
  session.hello = "client.example";
  const mail::smtp_envelope envelope;
  const filter::verdict verdict = base::sync_wait(chain.message(session, envelope, {text}));
  const bool junk = verdict.what == filter::action::junk;
  std::printf("%s, score %.1f\n", junk ? "junk" : "accepted", verdict.score);
}
