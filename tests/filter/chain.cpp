#include "briefwerk/filter/chain.hpp"

#include <doctest/doctest.h>

#include <stdexcept>

using namespace briefwerk;
using filter::action;
using filter::verdict;

namespace {

verdict of(action what, double score = 0, std::string text = {}) {
  return {.what = what, .text = std::move(text), .score = score};
}

std::shared_ptr<filter::stage> says(std::string name, verdict v, int* asked = nullptr) {
  return filter::message_stage(std::move(name), [v, asked](auto&, auto&, auto&) {
    if (asked) ++*asked;
    return v;
  });
}

verdict judge(const filter::chain& chain, filter::scope where = filter::scope::inbound) {
  filter::session_facts session;
  session.where = where;
  mail::smtp_envelope envelope;
  return base::sync_wait(chain.message(session, envelope, {"Subject: x\r\n\r\n"}));
}

}  // namespace

TEST_CASE("verdicts combine by severity, scores and fields add up") {
  struct row {
    const char* why;
    std::vector<verdict> stages;
    action what;
    double score;
    const char* text;
  };
  const row rows[] = {
      {"no stage accepts", {}, action::accept, 0, ""},
      {"the most severe acts", {of(action::junk, 2), of(action::tag, 1)}, action::junk, 3, ""},
      {"scores count although nothing acts", {of(action::accept, 1.5), of(action::accept, 1)}, action::accept, 2.5, ""},
      {"of equals the first speaks", {of(action::junk, 0, "one"), of(action::junk, 0, "two")}, action::junk, 0, "one"},
      {"reject beats junk", {of(action::junk, 1), of(action::reject, 1, "no")}, action::reject, 2, "no"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    filter::chain chain;
    for (const verdict& v : r.stages) chain.add(says("s", v));
    const verdict got = judge(chain);
    CHECK(got.what == r.what);
    CHECK(got.score == r.score);
    CHECK(got.text == r.text);
  }
}

TEST_CASE("a reject ends the hook") {
  int asked = 0;
  filter::chain chain;
  chain.add(says("first", of(action::reject), &asked));
  chain.add(says("second", of(action::accept), &asked));
  CHECK(judge(chain).what == action::reject);
  CHECK(asked == 1);
}

TEST_CASE("a stage that throws counts by its failure mode") {
  auto broken = filter::message_stage("broken", [](auto&, auto&, auto&) -> verdict { throw std::runtime_error("x"); });
  filter::chain open, defer;
  open.add(broken, {.on_failure = filter::failure_mode::open});
  defer.add(broken, {.on_failure = filter::failure_mode::defer});
  CHECK(judge(open).what == action::accept);
  CHECK(judge(defer).what == action::defer);
}

TEST_CASE("scope and dry run") {
  std::vector<std::string> seen;
  filter::chain chain({.observer = [&](auto&, const filter::decision& made) {
    seen.push_back(std::string(made.stage) + (made.dry_run ? " dry" : ""));
  }});
  chain.add(says("inbound only", of(action::reject)), {.only = filter::scope::inbound});
  chain.add(says("dry", of(action::reject)), {.dry_run = true});
  CHECK(judge(chain, filter::scope::submission).what == action::accept);
  CHECK(seen == std::vector<std::string>{"dry dry"});
  CHECK(judge(chain, filter::scope::inbound).what == action::reject);
}

TEST_CASE("edits gather, and a stage sees those of the stages it waited for") {
  const auto edits = [](std::string name) {
    return filter::message_stage(name, [name](auto&, auto&, auto&) {
      return verdict{.what = action::tag, .edits = {{.name = name}}};
    });
  };
  std::string seen;
  filter::chain chain;
  chain.add(edits("a"));
  chain.add(edits("b"));
  chain.add(edits("dry"), {.dry_run = true});
  chain.add(filter::message_stage("looks", [&seen](auto&, auto&, const filter::message_facts& message) {
              for (const auto& one : message.edits) seen += one.name;
              return verdict::accepted();
            }),
            {.after = {"a", "dry"}});
  const verdict sum = judge(chain);
  CHECK(seen == "a");
  REQUIRE(sum.edits.size() == 2);
  CHECK(sum.edits[0].name + sum.edits[1].name == "ab");
}

TEST_CASE("a stage that cannot judge says why") {
  std::string reason;
  filter::chain chain({.observer = [&](auto&, const filter::decision& made) { reason = made.verdict->reason; }});
  const auto fails = [](auto&, auto&, auto&) -> verdict { throw filter::stage_failure("nobody answers"); };
  chain.add(filter::message_stage("fails", fails), {.on_failure = filter::failure_mode::open});
  CHECK(judge(chain).what == action::accept);
  CHECK(reason == "nobody answers");
}
