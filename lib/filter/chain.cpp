#include "briefwerk/filter/chain.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/mail/header.hpp"
#include "filter/chain_run.hpp"

namespace briefwerk::filter {
namespace {

bool is_listed(const std::vector<std::string>& list, std::string_view what) {
  return std::ranges::any_of(list, [&](const std::string& one) { return mail::equals_ignoring_case(one, what); });
}

bool covers(const stage_options& options, std::string_view local_part, std::string_view domain) {
  if (is_listed(options.domains, domain)) return true;
  if (options.accounts.empty()) return false;
  return is_listed(options.accounts, std::string(local_part) + "@" + std::string(domain));
}

// Several observers of one message as one.
class observers final : public message_observer {
 public:
  void add(std::shared_ptr<message_observer> one) { all_.push_back(std::move(one)); }
  void octets(std::string_view piece) noexcept override {
    for (const auto& one : all_) one->octets(piece);
  }

 private:
  std::vector<std::shared_ptr<message_observer>> all_;
};

}  // namespace

std::string_view to_string(hook at) noexcept {
  switch (at) {
    case hook::connect: return "connect";
    case hook::hello: return "hello";
    case hook::mail: return "mail";
    case hook::rcpt: return "rcpt";
    case hook::message: return "message";
  }
  return "message";
}

void combine(verdict& sum, verdict next) {
  sum.score += next.score;
  for (auto& field : next.add_fields) sum.add_fields.push_back(std::move(field));
  for (auto& edit : next.edits) sum.edits.push_back(std::move(edit));
  if (next.what > sum.what) {
    sum.what = next.what;
    sum.code = next.code;
    sum.enhanced = std::move(next.enhanced);
    sum.text = std::move(next.text);
    sum.reason = std::move(next.reason);
  }
}

void chain::add(std::shared_ptr<stage> stage, stage_options options) {
  auto made = std::make_shared<entry>();
  made->name = stage->name();
  made->hooks = stage->hooks();
  made->index = stages_.size();
  for (const std::string& name : options.after) {
    const auto before = std::ranges::find_if(stages_, [&](const auto& one) { return one->name == name; });
    if (before != stages_.end()) made->after.push_back((*before)->index);
  }
  made->stage = std::move(stage);
  made->options = std::move(options);
  if (base::metrics* metrics = options_.metrics) {
    const std::string prefix = "filter." + made->name + ".";
    entry::counters& counted = made->counted;
    counted.asked = &metrics->get_counter(prefix + "asked");
    counted.failed = &metrics->get_counter(prefix + "failed");
    counted.timed_out = &metrics->get_counter(prefix + "timed_out");
    counted.time = &metrics->get_histogram(prefix + "time");
    for (std::size_t i = 0; i < counted.said.size(); ++i) {
      counted.said[i] = &metrics->get_counter(prefix + std::string(to_string(static_cast<action>(i))));
    }
  }
  stages_.push_back(std::move(made));
}

std::vector<std::string> chain::names() const {
  std::vector<std::string> made;
  for (const auto& one : stages_) made.push_back(one->name);
  return made;
}

bool chain::entry::wants(const question& what) const {
  if (!contains(hooks, what.at)) return false;
  if (options.only && *options.only != what.session.where) return false;
  if (options.domains.empty() && options.accounts.empty()) return true;
  if (what.session.where == scope::submission) {
    const std::string_view login = what.session.login;
    const std::size_t at = login.rfind('@');
    return at != login.npos && covers(options, login.substr(0, at), login.substr(at + 1));
  }
  const auto covered = [this](const mail::envelope_recipient& one) {
    return covers(options, one.address.local, one.address.domain);
  };
  if (what.recipient) return covered(*what.recipient);
  return what.at == hook::message && std::ranges::any_of(what.envelope->recipients, covered);
}

base::task<verdict> chain::ask(question what) const {
  verdict sum;
  if (std::ranges::none_of(stages_, [&](const auto& one) { return one->wants(what); })) co_return sum;
  base::executor* const here = co_await base::this_executor();
  const auto all = std::make_shared<run>(*this, what, here);
  for (const auto& one : stages_) {
    if (!one->wants(what)) continue;
    std::shared_ptr<message_observer> observer;
    if (what.at == hook::message) {
      const auto& watching = what.session.observers;
      const auto found = std::ranges::find(watching, one->stage.get(), [](const auto& pair) { return pair.first; });
      if (found != watching.end()) observer = found->second;
    }
    all->add(one, std::move(observer));
  }
  co_await all->finish();
  all->sum_up(sum);
  co_return sum;
}

namespace {

verdict& said_at(session_facts& session, hook at) { return session.said[static_cast<std::size_t>(at)]; }

// What is carried to the message: it was not refused, so nothing of a refusal is left to say.
verdict carried(const verdict& v) { return v.what >= action::defer ? verdict() : v; }

}  // namespace

base::task<verdict> chain::connect(session_facts& session) const {
  verdict sum = co_await ask({hook::connect, session});
  said_at(session, hook::connect) = carried(sum);
  co_return sum;
}

base::task<verdict> chain::hello(session_facts& session) const {
  verdict sum = co_await ask({hook::hello, session});
  said_at(session, hook::hello) = carried(sum);
  co_return sum;
}

base::task<verdict> chain::mail(session_facts& session, const mail::smtp_envelope& envelope) const {
  forget_message(session);
  ++session.transactions;
  verdict sum = co_await ask({hook::mail, session, &envelope});
  said_at(session, hook::mail) = carried(sum);
  co_return sum;
}

base::task<verdict> chain::rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                                const mail::envelope_recipient& recipient) const {
  verdict sum = co_await ask({hook::rcpt, session, &envelope, &recipient});
  if (sum.what < action::defer) combine(said_at(session, hook::rcpt), sum);
  co_return sum;
}

void chain::judge_score(verdict& sum) const {
  if (options_.reject_score != 0 && sum.score >= options_.reject_score) {
    combine(sum, verdict::rejected("The message looks like spam", "score"));
  } else if (options_.junk_score != 0 && sum.score >= options_.junk_score) {
    combine(sum, verdict::junked("score"));
  }
}

base::task<verdict> chain::message(session_facts& session, const mail::smtp_envelope& envelope,
                                   const message_facts& message) const {
  verdict sum;
  for (const hook at : {hook::connect, hook::hello, hook::mail, hook::rcpt}) combine(sum, said_at(session, at));
  verdict now = co_await ask({hook::message, session, &envelope, nullptr, message.octets});
  combine(sum, std::move(now));
  judge_score(sum);
  for (const auto& one : stages_) {
    if (!one->options.dry_run && one->wants({hook::message, session, &envelope})) {
      one->stage->settled(session, envelope, sum);
    }
  }
  forget_message(session);
  co_return sum;
}

std::shared_ptr<message_observer> chain::observe(session_facts& session, const mail::smtp_envelope& envelope) const {
  session.observers.clear();
  for (const auto& one : stages_) {
    if (!one->wants({hook::message, session, &envelope})) continue;
    if (auto made = one->stage->observe(session, envelope)) {
      session.observers.emplace_back(one->stage.get(), std::move(made));
    }
  }
  if (session.observers.empty()) return nullptr;
  if (session.observers.size() == 1) return session.observers.front().second;
  auto all = std::make_shared<observers>();
  for (const auto& [stage, one] : session.observers) all->add(one);
  return all;
}

void chain::forget_message(session_facts& session) noexcept {
  said_at(session, hook::mail) = {};
  said_at(session, hook::rcpt) = {};
  session.observers.clear();
}

base::task<chain::explained> chain::explain(session_facts& session, const mail::smtp_envelope& envelope,
                                            const message_facts& message) const {
  explained out;
  session.trial = true;
  for (const hook at : {hook::connect, hook::hello, hook::mail}) {
    verdict sum = co_await ask({at, session, &envelope, nullptr, {}, &out.stages});
    combine(out.sum, std::move(sum));
  }
  for (const auto& recipient : envelope.recipients) {
    verdict sum = co_await ask({hook::rcpt, session, &envelope, &recipient, {}, &out.stages});
    combine(out.sum, std::move(sum));
  }
  verdict sum = co_await ask({hook::message, session, &envelope, nullptr, message.octets, &out.stages});
  combine(out.sum, std::move(sum));
  judge_score(out.sum);
  co_return out;
}

}  // namespace briefwerk::filter
