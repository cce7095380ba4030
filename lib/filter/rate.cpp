#include "briefwerk/filter/rate.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/filter/client_network.hpp"
#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

constexpr std::int64_t second = 1000000;  // in microseconds
constexpr std::int64_t day = 86400;

std::string_view name_of(rate_unit unit) {
  switch (unit) {
    case rate_unit::connections: return "connections";
    case rate_unit::messages: return "messages";
    case rate_unit::recipients: return "recipients";
  }
  return "messages";
}

std::string_view name_of(rate_key key) {
  switch (key) {
    case rate_key::address: return "address";
    case rate_key::network: return "network";
    case rate_key::account: return "account";
    case rate_key::sender_domain: return "sender domain";
    case rate_key::recipient: return "recipient";
  }
  return "address";
}

}  // namespace

// What the rules are keyed by, as far as it is known at a hook.
struct rate::facts {
  const session_facts& session;
  std::string sender_domain, recipient;

  std::string_view by(rate_key key) const {
    switch (key) {
      case rate_key::address: return session.remote.address.octets();
      case rate_key::network: return client_network(session.remote.address);
      case rate_key::account: return session.account;
      case rate_key::sender_domain: return sender_domain;
      case rate_key::recipient: return recipient;
    }
    return {};
  }
};

rate::rate(rate_options options, const base::clock& time, base::siphash_key hash_key)
    : options_(std::move(options)), time_(time), table_(options_.entries, hash_key) {
  for (rate_rule& one : options_.rules) {
    one.count = std::max<std::uint32_t>(one.count, 1);
    one.in = std::max(one.in, std::chrono::seconds(1));
  }
}

std::int64_t rate::now() const noexcept {
  return std::chrono::floor<std::chrono::seconds>(time_.now()).time_since_epoch().count();
}

// The generic cell rate algorithm: a bucket is one moment. Each token moves it by the time that a token takes to come
// back; it may lie ahead of now by the time of a whole bucket.
std::optional<std::chrono::seconds> rate::take_one(std::size_t rule, std::string_view who, bool trial) {
  const rate_rule& limit = options_.rules[rule];
  const std::int64_t whole = limit.in.count() * second;
  const std::int64_t step = std::max<std::int64_t>(whole / limit.count, 1);
  const std::int64_t exact = time_.now().time_since_epoch().count() * 1000;
  const std::int64_t time = exact / second;
  const auto draw = [&](record& r) -> std::optional<std::chrono::seconds> {
    if (r.when > exact + whole) r.when = exact;  // further ahead than a bucket can be: the clock was set back
    const std::int64_t full = std::max(r.when, exact) + step;
    const std::int64_t over = full - exact - whole;
    // A step that does not divide the whole leaves a rest, which is nobody's token.
    if (over > 0) {
      r.expires = std::max(r.expires, time + 1);
      return std::chrono::seconds((over + second - 1) / second);
    }
    r.when = full;
    r.expires = full / second + 1;
    return std::nullopt;
  };
  const char number = static_cast<char>(rule);
  const state_key key = table_.key_of({"bucket", {&number, 1}, name_of(limit.by), name_of(limit.of), who});
  if (!trial) return table_.update(key, time, draw);
  record copy = table_.find(key, time).value_or(record{});
  return draw(copy);
}

// Draws from all buckets that count `unit`; at a recipient, those that are keyed by recipient count messages as well.
verdict rate::take(const facts& of, rate_unit unit, bool for_recipient) {
  if (is_in(options_.networks, of.session.remote.address)) return verdict::accepted();
  for (std::size_t i = 0; i < options_.rules.size(); ++i) {
    const rate_rule& rule = options_.rules[i];
    if (rule.only && *rule.only != of.session.where) continue;
    const bool counts = rule.of == unit || (for_recipient && rule.by == rate_key::recipient && rule.of == rate_unit::messages);
    const std::string_view who = of.by(rule.by);
    if (!counts || who.empty()) continue;
    if (const auto wait = take_one(i, who, of.session.trial)) {
      return verdict::deferred("Too many " + std::string(name_of(rule.of)) + ", please try again in " +
                                   std::to_string(wait->count()) + " seconds",
                               std::string(name_of(rule.of)) + " of one " + std::string(name_of(rule.by)));
    }
  }
  return verdict::accepted();
}

base::task<verdict> rate::connect(session_facts& session) { co_return take({session, {}, {}}, rate_unit::connections, false); }

base::task<verdict> rate::mail(session_facts& session, const mail::smtp_envelope& envelope) {
  const std::string domain = envelope.sender ? lower(envelope.sender->domain) : std::string();
  co_return take({session, domain, {}}, rate_unit::messages, false);
}

base::task<verdict> rate::rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                               const mail::envelope_recipient& recipient) {
  const std::string domain = envelope.sender ? lower(envelope.sender->domain) : std::string();
  const std::string to = lower(recipient.address.local) + "@" + lower(recipient.address.domain);
  verdict v = take({session, domain, to}, rate_unit::recipients, true);
  if (v.what == action::accept && session.where == scope::submission && !session.account.empty() && !session.trial) {
    count_day(session, to);
  }
  co_return v;
}

state_key rate::day_of(const session_facts& session) const {
  return table_.key_of({"day", std::to_string(now() / day), session.account});
}

void rate::count_day(const session_facts& session, std::string_view recipient) {
  if (options_.recipients_a_day == 0 && options_.new_recipients_a_day == 0) return;
  const std::int64_t time = now();
  const bool fresh = table_.update(table_.key_of({"known", session.account, recipient}), time, [&](record& r) {
    const bool first = r.expires == 0;
    r.expires = time + options_.remember_recipients.count();
    return first;
  });
  table_.update(day_of(session), time, [&](record& r) {
    r.expires = (time / day + 1) * day;
    ++r.recipients;
    if (fresh) ++r.fresh;
  });
}

std::optional<std::string> rate::over_the_day(const session_facts& session) const {
  const auto found = table_.find(day_of(session), now());
  if (!found) return std::nullopt;
  if (options_.new_recipients_a_day != 0 && found->fresh > options_.new_recipients_a_day) {
    return std::to_string(found->fresh) + " new recipients today";
  }
  if (options_.recipients_a_day != 0 && found->recipients > options_.recipients_a_day) {
    return std::to_string(found->recipients) + " recipients today";
  }
  return std::nullopt;
}

base::task<verdict> rate::message(session_facts& session, const mail::smtp_envelope&, const message_facts&) {
  if (session.where != scope::submission || session.account.empty()) co_return verdict::accepted();
  const auto why = over_the_day(session);
  if (!why) co_return verdict::accepted();
  if (!session.trial) {
    const std::int64_t time = now();
    const bool first = table_.update(day_of(session), time, [](record& r) { return std::exchange(r.when, 1) == 0; });
    if (first && options_.notify) options_.notify({session.account, session.login, *why});
  }
  co_return verdict::quarantined("held: " + *why);
}

}  // namespace briefwerk::filter
