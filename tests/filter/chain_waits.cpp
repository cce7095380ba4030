// Stages that wait: side by side, one after another, too long.

#include <doctest/doctest.h>

#include <stdexcept>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/base/when_all.hpp"
#include "briefwerk/filter/chain.hpp"

using namespace briefwerk;
using namespace std::chrono_literals;
using filter::action;
using filter::verdict;

namespace {

// Asks DNS for its own name, then reads all it was given and says what it was told to say.
class asks_dns final : public filter::stage {
 public:
  asks_dns(std::string name, base::resolver& names, verdict says, int* ended = nullptr)
      : name_(std::move(name)), names_(names), says_(std::move(says)), ended_(ended) {}
  std::string_view name() const noexcept override { return name_; }
  filter::hook_set hooks() const noexcept override { return filter::hook::mail | filter::hook::message; }
  base::task<verdict> mail(filter::session_facts& session, const mail::smtp_envelope& envelope) override {
    (void)co_await names_.query(name_, base::dns_type::a);
    session.notes[name_] = envelope.envelope_id.size();
    if (ended_) ++*ended_;
    co_return says_;
  }
  base::task<verdict> message(filter::session_facts& session, const mail::smtp_envelope& envelope,
                              const filter::message_facts& message) override {
    (void)co_await names_.query(name_, base::dns_type::a);
    std::size_t sum = 0;
    for (const char c : message.octets) sum += static_cast<unsigned char>(c);
    session.notes[name_] = sum + envelope.envelope_id.size();
    if (ended_) ++*ended_;
    co_return says_;
  }

 private:
  std::string name_;
  base::resolver& names_;
  verdict says_;
  int* ended_;
};

// As a server keeps them: one block that late stages hold.
struct transaction {
  filter::session_facts session;
  mail::smtp_envelope envelope;
  std::string message = "Subject: x\r\n\r\n" + std::string(100, 'x');
};

std::shared_ptr<transaction> owned() {
  auto made = std::make_shared<transaction>();
  made->session.owner = made;
  made->envelope.envelope_id = "an id that is too long for the object itself";
  return made;
}

verdict of(action what, std::string text = {}) { return {.what = what, .text = std::move(text)}; }

}  // namespace

TEST_CASE("stages run side by side, and the order of the answers does not matter") {
  base::scripted_resolver names;
  names.hold("one");
  filter::chain chain;
  chain.add(std::make_shared<asks_dns>("one", names, of(action::junk, "one")));
  chain.add(std::make_shared<asks_dns>("two", names, of(action::junk, "two")));
  std::vector<base::task<verdict>> work;
  filter::session_facts session;
  const mail::smtp_envelope envelope;
  work.push_back(chain.mail(session, envelope));
  work.push_back([](base::scripted_resolver& all) -> base::task<verdict> {
    CHECK(all.asked().size() == 2);  // the second does not wait for the first
    all.release();
    co_return verdict();
  }(names));
  const auto got = base::sync_wait(base::when_all(std::move(work)));
  CHECK(got[0].what == action::junk);
  CHECK(got[0].text == "one");
}

TEST_CASE("a stage that names another waits for its end, and is not asked when that refuses") {
  base::scripted_resolver names;
  std::string order;
  const auto note = [&](std::string name, verdict says) {
    return filter::message_stage(std::move(name), [&order, says](auto&, auto&, auto&) {
      order += "+";
      return says;
    });
  };
  filter::chain chain;
  int asked = 0;
  chain.add(std::make_shared<asks_dns>("slow", names, of(action::accept), &asked));
  chain.add(note("after", verdict()), {.after = {"slow"}});
  chain.add(note("after nobody", verdict()), {.after = {"unknown"}});
  filter::session_facts session;
  CHECK(base::sync_wait(chain.message(session, {}, {"x"})).what == action::accept);
  CHECK(order == "++");

  filter::chain refusing;
  refusing.add(std::make_shared<asks_dns>("slow", names, of(action::reject), &asked));
  refusing.add(note("after", verdict()), {.after = {"slow"}});
  CHECK(base::sync_wait(refusing.message(session, {}, {"x"})).what == action::reject);
  CHECK(order == "++");
}

TEST_CASE("a stage without an answer in time counts by its failure mode") {
  for (const auto mode : {filter::failure_mode::open, filter::failure_mode::defer}) {
    base::scripted_resolver names;
    names.hold("late");
    base::metrics metrics;
    filter::chain chain({.metrics = &metrics});
    chain.add(std::make_shared<asks_dns>("late", names, of(action::reject)), {.on_failure = mode, .limit = 20ms});
    chain.add(std::make_shared<asks_dns>("quick", names, of(action::junk)));
    auto all = owned();
    std::weak_ptr<transaction> watched = all;
    base::blocking_executor loop;  // outlives the late stage, as a server's loop does
    std::atomic<bool> done = false;
    verdict got;
    const auto judge = [](const filter::chain& by, transaction& what, verdict& out, std::atomic<bool>& end) -> base::task<void> {
      out = co_await by.message(what.session, what.envelope, {what.message});
      end = true;
    };
    base::spawn(loop, judge(chain, *all, got, done));
    loop.run_until(done);
    CHECK(got.what == (mode == filter::failure_mode::defer ? action::defer : action::junk));
    CHECK(all->session.is_shared());
    CHECK(metrics.get_counter("filter.late.timed_out").value() == 1);
    CHECK(metrics.get_counter("filter.late.reject").value() == 0);
    CHECK(metrics.get_counter("filter.quick.junk").value() == 1);
    all.reset();
    CHECK(!watched.expired());  // the late stage reads it when its answer comes
    names.release();
    std::atomic<bool> drained = false;
    loop.post([&] { drained = true; });
    loop.run_until(drained);
    CHECK(watched.expired());
  }
}

TEST_CASE("without an owner a late stage is waited for, and its answer is still ignored") {
  base::scripted_resolver names;
  names.hold("late");
  int ended = 0;
  filter::chain chain;
  chain.add(std::make_shared<asks_dns>("late", names, of(action::reject), &ended),
            {.on_failure = filter::failure_mode::open, .limit = 10ms});
  std::vector<base::task<verdict>> work;
  filter::session_facts session;
  const mail::smtp_envelope envelope;
  work.push_back(chain.mail(session, envelope));
  work.push_back([](base::scripted_resolver& all) -> base::task<verdict> {
    base::executor* const here = co_await base::this_executor();
    std::unique_ptr<base::timer> timer;
    (void)co_await base::wait_for<base::status>([&](base::completion<base::status> done) {
      timer = here->start_timer(50ms, [done = std::move(done)]() mutable { done(base::status()); });
    });
    all.release();
    co_return verdict();
  }(names));
  const auto got = base::sync_wait(base::when_all(std::move(work)));
  CHECK(got[0].what == action::accept);
  CHECK(ended == 1);
}

namespace {

class counts_octets final : public filter::message_observer {
 public:
  void octets(std::string_view piece) noexcept override { seen += piece.size(); }
  std::size_t seen = 0;
};

class wants_octets final : public filter::stage {
 public:
  explicit wants_octets(std::string name) : name_(std::move(name)) {}
  std::string_view name() const noexcept override { return name_; }
  filter::hook_set hooks() const noexcept override { return filter::only(filter::hook::message); }
  std::shared_ptr<filter::message_observer> observe(filter::session_facts&, const mail::smtp_envelope&) override {
    return std::make_shared<counts_octets>();
  }
  base::task<verdict> message(filter::session_facts&, const mail::smtp_envelope&,
                              const filter::message_facts& message) override {
    const auto* seen = dynamic_cast<counts_octets*>(message.observer);
    co_return verdict::tagged(seen ? static_cast<double>(seen->seen) : -1, "");
  }

 private:
  std::string name_;
};

}  // namespace

TEST_CASE("observers see the message arrive, and their stages find them again") {
  for (const int stages : {0, 1, 2}) {
    filter::chain chain;
    for (int i = 0; i < stages; ++i) chain.add(std::make_shared<wants_octets>("s" + std::to_string(i)));
    filter::session_facts session;
    const auto watching = chain.observe(session, {});
    CHECK((watching != nullptr) == (stages != 0));
    if (watching) {
      watching->octets("abc");
      watching->octets("de");
    }
    CHECK(base::sync_wait(chain.message(session, {}, {"abcde"})).score == 5.0 * stages);
    CHECK(session.observers.empty());
    if (stages == 1) CHECK(base::sync_wait(chain.message(session, {}, {"abcde"})).score == -1);
  }
}

TEST_CASE("what earlier hooks said reaches the message; a refused recipient says nothing") {
  filter::chain chain({.junk_score = 5});
  chain.add(filter::connect_stage("connect", [](auto&) { return verdict::tagged(2, "listed"); }));
  chain.add(filter::rcpt_stage("rcpt", [](auto&, auto&, const mail::envelope_recipient& to) {
    if (to.address.local == "no") return verdict{.what = action::reject, .score = 50};
    return verdict{.what = action::tag, .score = 1, .add_fields = {{"X-R", to.address.local}}};
  }));
  filter::session_facts session;
  mail::smtp_envelope envelope;
  const mail::envelope_recipient a{.address = {"a", "x.test"}}, no{.address = {"no", "x.test"}};
  const auto deliver = [&](std::initializer_list<mail::envelope_recipient> to) {
    REQUIRE(base::sync_wait(chain.mail(session, envelope)).what == action::accept);
    for (const auto& one : to) (void)base::sync_wait(chain.rcpt(session, envelope, one));
    return base::sync_wait(chain.message(session, envelope, {"x"}));
  };
  REQUIRE(base::sync_wait(chain.connect(session)).score == 2);
  const verdict first = deliver({a, no});
  CHECK(first.score == 3);
  CHECK(first.what == action::tag);
  CHECK(first.add_fields.size() == 1);
  CHECK(deliver({a, a, a}).what == action::junk);  // 2 + 3 times 1
  CHECK(deliver({}).score == 2);                   // nothing is left of the mail before
}

TEST_CASE("domains and accounts") {
  struct row {
    const char* why;
    filter::stage_options options;
    filter::scope where;
    const char* login;
    std::vector<mail::envelope_recipient> to;
    bool asked;
  };
  const mail::envelope_recipient a{.address = {"a", "One.Test"}}, b{.address = {"b", "two.test"}};
  const row rows[] = {
      {"a recipient's domain", {.domains = {"one.test"}}, filter::scope::inbound, "", {b, a}, true},
      {"no recipient's domain", {.domains = {"one.test"}}, filter::scope::inbound, "", {b}, false},
      {"a recipient's address", {.accounts = {"a@one.test"}}, filter::scope::inbound, "", {a}, true},
      {"another address", {.accounts = {"a@one.test"}}, filter::scope::inbound, "", {b}, false},
      {"who logged in", {.accounts = {"a@one.test"}}, filter::scope::submission, "a@one.test", {b}, true},
      {"whose domain", {.domains = {"one.test"}}, filter::scope::submission, "c@one.test", {b}, true},
      {"recipients do not matter there", {.domains = {"two.test"}}, filter::scope::submission, "c@one.test", {b}, false},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    filter::chain chain;
    chain.add(filter::message_stage("s", [](auto&, auto&, auto&) { return verdict::junked("s"); }), r.options);
    filter::session_facts session;
    session.where = r.where;
    session.login = r.login;
    mail::smtp_envelope envelope;
    envelope.recipients = r.to;
    CHECK((base::sync_wait(chain.message(session, envelope, {"x"})).what == action::junk) == r.asked);
  }
}

TEST_CASE("explain asks everybody, at every hook") {
  filter::chain chain({.reject_score = 3});
  chain.add(filter::connect_stage("a", [](auto& s) { return verdict::tagged(s.trial ? 1 : 0, "trial"); }));
  chain.add(filter::message_stage("b", [](auto&, auto&, auto&) { return verdict::deferred("later", "b"); }));
  chain.add(filter::message_stage("c", [](auto&, auto&, auto&) { return verdict::tagged(2, "c"); }), {.after = {"b"}});
  chain.add(filter::message_stage("d", [](auto&, auto&, auto&) { return verdict::tagged(7, "d"); }), {.dry_run = true});
  filter::session_facts session;
  const auto got = base::sync_wait(chain.explain(session, {}, {"x"}));
  REQUIRE(got.stages.size() == 4);
  CHECK(got.stages[0].stage == "a");
  CHECK(got.stages[1].verdict.reason == "b");
  CHECK(got.stages[2].verdict.score == 2);
  CHECK(got.stages[3].dry_run);
  CHECK(got.sum.score == 3);
  CHECK(got.sum.what == action::reject);
}
