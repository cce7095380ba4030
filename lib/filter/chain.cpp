#include "briefwerk/filter/chain.hpp"

#include <exception>

namespace briefwerk::filter {
namespace {

verdict of_failure(failure_mode mode) {
  verdict v;
  v.reason = "stage failed";
  if (mode == failure_mode::defer) {
    v.what = action::defer;
    v.code = 451;
    v.enhanced = "4.3.0";
    v.text = "A check of this mail is not available, please try again later";
  }
  return v;
}

bool says_something(const verdict& v) noexcept {
  return v.what != action::accept || v.score != 0 || !v.add_fields.empty() || !v.reason.empty();
}

}  // namespace

void combine(verdict& sum, verdict next) {
  sum.score += next.score;
  for (auto& field : next.add_fields) sum.add_fields.push_back(std::move(field));
  if (next.what > sum.what) {
    sum.what = next.what;
    sum.code = next.code;
    sum.enhanced = std::move(next.enhanced);
    sum.text = std::move(next.text);
    sum.reason = std::move(next.reason);
  }
}

void chain::add(std::shared_ptr<stage> stage, stage_options options) {
  stages_.push_back({std::move(stage), options});
}

template <class Hook>
base::task<verdict> chain::run(session_facts& session, Hook hook) const {
  verdict sum;
  for (const entry& one : stages_) {
    if (one.options.only && *one.options.only != session.where) continue;
    verdict next;
    bool failed = false;
    try {
      next = co_await hook(*one.stage);
    } catch (const std::exception&) {
      failed = true;
    }
    if (failed) next = of_failure(one.options.on_failure);
    if (observer_ && says_something(next)) observer_(session, one.stage->name(), next, one.options.dry_run);
    if (one.options.dry_run) continue;
    combine(sum, std::move(next));
    if (sum.what >= action::defer) break;
  }
  co_return sum;
}

base::task<verdict> chain::connect(session_facts& session) const {
  co_return co_await run(session, [&](stage& s) { return s.connect(session); });
}

base::task<verdict> chain::hello(session_facts& session) const {
  co_return co_await run(session, [&](stage& s) { return s.hello(session); });
}

base::task<verdict> chain::mail(session_facts& session, const mail::smtp_envelope& envelope) const {
  co_return co_await run(session, [&](stage& s) { return s.mail(session, envelope); });
}

base::task<verdict> chain::rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                                const mail::envelope_recipient& recipient) const {
  co_return co_await run(session, [&](stage& s) { return s.rcpt(session, envelope, recipient); });
}

base::task<verdict> chain::message(session_facts& session, const mail::smtp_envelope& envelope,
                                   const message_facts& message) const {
  co_return co_await run(session, [&](stage& s) { return s.message(session, envelope, message); });
}

}  // namespace briefwerk::filter
