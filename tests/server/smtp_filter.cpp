// The chain behind the complete handler: observers of arriving messages, stages that are late, verdicts that act.

#include "briefwerk/base/scripted_resolver.hpp"
#include "server/smtp_support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using filter::verdict;

namespace {

class sees_all final : public filter::stage {
 public:
  struct watcher final : filter::message_observer {
    void octets(std::string_view piece) noexcept override { seen.append(piece); }
    std::string seen;
  };
  std::string_view name() const noexcept override { return "sees_all"; }
  filter::hook_set hooks() const noexcept override { return filter::only(filter::hook::message); }
  std::shared_ptr<filter::message_observer> observe(filter::session_facts&, const mail::smtp_envelope& to) override {
    recipients = to.recipients.size();
    return std::make_shared<watcher>();
  }
  base::task<verdict> message(filter::session_facts&, const mail::smtp_envelope&,
                              const filter::message_facts& message) override {
    const auto* watched = dynamic_cast<watcher*>(message.observer);
    const bool same = watched && watched->seen == message.octets;
    co_return same ? verdict::accepted() : verdict::rejected("not the same", "");
  }
  std::atomic<std::size_t> recipients = 0;
};

// At each hook it waits for DNS, then looks at everything.
class waits final : public filter::stage {
 public:
  explicit waits(base::resolver& names) : names_(names) {}
  std::string_view name() const noexcept override { return "waits"; }
  base::task<verdict> mail(filter::session_facts& s, const mail::smtp_envelope& e) override {
    return look(s, e, nullptr, {});
  }
  base::task<verdict> rcpt(filter::session_facts& s, const mail::smtp_envelope& e,
                           const mail::envelope_recipient& r) override {
    return look(s, e, &r, {});
  }
  base::task<verdict> message(filter::session_facts& s, const mail::smtp_envelope& e,
                              const filter::message_facts& m) override {
    return look(s, e, nullptr, m.octets);
  }
  std::atomic<int> ended = 0;
  std::atomic<std::size_t> octets = 0;

 private:
  base::task<verdict> look(filter::session_facts& session, const mail::smtp_envelope& envelope,
                           const mail::envelope_recipient* recipient, std::string_view message) {
    const std::string_view hello = session.hello;  // views, as a stage may hold them
    const std::string_view to = recipient ? std::string_view(recipient->address.local) : std::string_view();
    const std::string_view from = envelope.sender ? std::string_view(envelope.sender->local) : std::string_view();
    (void)co_await names_.query("slow.test", base::dns_type::a);
    octets = hello.size() + from.size() + to.size() + static_cast<std::size_t>(std::ranges::count(message, 'l'));
    session.notes["waits"] = 1;
    ++ended;
    co_return verdict::rejected("too late to say so", "");
  }
  base::resolver& names_;
};

void wait_until(const std::function<bool()>& done) {
  for (int i = 0; i < 2000 && !done(); ++i) std::this_thread::sleep_for(5ms);
}

}  // namespace

TEST_CASE("smtp: a stage's observer sees what the message will be") {
  mail_host host;
  const auto stage = std::make_shared<sees_all>();
  host.chain.add(stage);
  const std::string alice = host.add("alice@example.org");
  host.start();
  client peer(host.mx_port());
  peer.begin();
  for (int i = 0; i < 2; ++i) {
    CHECK(peer.send("a@elsewhere.test", "alice@example.org", stuffed(small_message)).starts_with("250"));
    CHECK(stage->recipients == 1);
  }
  std::string large = "Subject: x\r\n\r\n";
  while (large.size() < 300000) large += "..a line that begins with dots\r\n";
  CHECK(peer.send("a@elsewhere.test", "alice@example.org", stuffed(large)).starts_with("250"));
  CHECK(host.messages(alice).size() == 3);
}

TEST_CASE("smtp: the session goes on while late stages look at what they were given") {
  base::scripted_resolver names;
  const auto stage = std::make_shared<waits>(names);
  {
    mail_host host;
    host.chain.add(stage, {.on_failure = filter::failure_mode::open, .limit = 20ms});
    const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
    host.start();
    names.hold("slow.test");
    {
      client peer(host.mx_port());
      peer.begin();
      REQUIRE(peer.ask("MAIL FROM:<a-sender-with-a-long-name@elsewhere.test>").starts_with("250"));
      REQUIRE(peer.ask("RCPT TO:<alice@example.org>").starts_with("250"));
      REQUIRE(peer.ask("RCPT TO:<bob@example.org>").starts_with("250"));
      CHECK(peer.data(stuffed(small_message)).starts_with("250"));
      CHECK(stage->ended == 0);
      CHECK(peer.ask("EHLO another-name-that-needs-memory.test").starts_with("250"));
      CHECK(peer.ask("MAIL FROM:<b@elsewhere.test>").starts_with("250"));
      CHECK(peer.ask("RSET").starts_with("250"));
      CHECK(peer.ask("QUIT").starts_with("221"));
    }
    CHECK(host.messages(alice).size() == 1);
    CHECK(host.messages(bob).size() == 1);
    CHECK(names.held() == 5);  // two MAIL, two RCPT, one message
    names.release();
    wait_until([&] { return stage->ended == 5; });
    CHECK(stage->ended == 5);
    host.threads.stop(0ms);
  }
}

TEST_CASE("smtp: a late stage that counts as a refusal") {
  base::scripted_resolver names;
  const auto stage = std::make_shared<waits>(names);
  mail_host host;
  host.chain.add(stage, {.on_failure = filter::failure_mode::defer, .limit = 20ms});
  host.add("alice@example.org");
  host.start();
  names.hold("slow.test");
  client peer(host.mx_port());
  peer.begin();
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("451 4.3.0"));
  names.release();
  wait_until([&] { return stage->ended == 1; });
  CHECK(peer.ask("MAIL FROM:<a@elsewhere.test>").starts_with("550"));
  host.threads.stop(0ms);
}

TEST_CASE("smtp: what stages change is changed, and nothing else") {
  using mail::edit_kind;
  mail_host host;
  const std::string alice = host.add("alice@example.org"), bob = host.add("bob@example.org");
  const auto changes = [](auto&, auto&, const filter::message_facts&) {
    return verdict{.what = filter::action::tag,
                   .edits = {{.what = edit_kind::insert_header, .index = 0, .name = "X-First", .value = " yes"},
                             {.what = edit_kind::change_header, .index = 1, .name = "Subject", .value = " changed"},
                             {.what = edit_kind::replace_body, .value = "new body\r\n"},
                             {.what = edit_kind::change_sender, .name = "other@elsewhere.test"},
                             {.what = edit_kind::add_recipient, .name = "bob@example.org"},
                             {.what = edit_kind::remove_recipient, .name = "alice@example.org"}}};
  };
  host.chain.add(filter::message_stage("changes", changes));
  host.start();
  client peer(host.mx_port());
  peer.begin();
  CHECK(peer.send("a@elsewhere.test", "alice@example.org", stuffed("Subject: x\r\nTo: y\r\n\r\nbody\r\n")).starts_with("250"));
  CHECK(host.messages(alice).empty());
  REQUIRE(host.messages(bob).size() == 1);
  const std::string got = host.messages(bob).front();
  CHECK(got.starts_with("Return-Path: <other@elsewhere.test>\r\nReceived: "));
  CHECK(got.ends_with("\r\nX-First: yes\r\nSubject: changed\r\nTo: y\r\n\r\nnew body\r\n"));
}

TEST_CASE("smtp: a message whose recipients a stage removed is taken and dropped") {
  mail_host host;
  const std::string alice = host.add("alice@example.org");
  const auto changes = [](auto&, auto&, const filter::message_facts&) {
    return verdict{.edits = {{.what = mail::edit_kind::remove_recipient, .name = "alice@example.org"}}};
  };
  host.chain.add(filter::message_stage("changes", changes));
  host.start();
  client peer(host.mx_port());
  peer.begin();
  CHECK(peer.send("a@elsewhere.test", "alice@example.org", stuffed(small_message)).starts_with("250"));
  CHECK(host.messages(alice).empty());
}

TEST_CASE("smtp: submitted mail is complete before the chain sees it") {
  mail_host host;
  host.add("alice@example.org");
  guarded<bool> complete(false);
  host.chain.add(filter::message_stage("looks", [&complete](auto&, auto&, const filter::message_facts& message) {
    const mail::header_block header(message.octets);
    complete = header.count("Date") == 1 && header.count("Message-ID") == 1;
    return verdict::accepted();
  }));
  host.start();
  client peer(host.submission_port());
  peer.begin();
  peer.log_in("alice@example.org", "secret");
  CHECK(peer.send("alice@example.org", "alice@example.org", stuffed("From: alice@example.org\r\nSubject: x\r\n\r\nbody\r\n")).starts_with("250"));
  CHECK(complete == true);
}
