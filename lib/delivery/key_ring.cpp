#include "briefwerk/delivery/key_ring.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mailauth/dkim.hpp"

namespace briefwerk::delivery {

using store::signing_key;
using store::signing_key_state;

namespace {

constexpr std::size_t longest_selector = 63;  // one label (RFC 1035 §2.3.4), which is all that is needed

base::result<std::string> fold_domain(const std::string& name) {
  auto ascii = mail::domain_to_ascii(name);
  if (!ascii || !mail::is_domain(*ascii)) return base::fail(base::errc::malformed);
  return ascii;
}

std::string_view kind_name(base::key_kind kind) { return kind == base::key_kind::rsa ? "rsa" : "ed25519"; }

bool is_selector(const std::string& text) {
  return !text.empty() && text.size() <= longest_selector && mail::is_domain(text) &&
         text.find('.') == std::string::npos;
}

std::string day_text(std::int64_t seconds) {
  const std::chrono::year_month_day day(
      std::chrono::floor<std::chrono::days>(std::chrono::sys_seconds(std::chrono::seconds(seconds))));
  const auto two = [](unsigned value) {
    return std::string(1, static_cast<char>('0' + value / 10)) + static_cast<char>('0' + value % 10);
  };
  return std::to_string(static_cast<int>(day.year())) + two(static_cast<unsigned>(day.month())) +
         two(static_cast<unsigned>(day.day()));
}

bool has(const std::vector<signing_key>& keys, const std::string& selector) {
  return std::ranges::any_of(keys, [&](const auto& one) { return one.selector == selector; });
}

// "20260301e", then "20260301e2" and so on.
std::string free_selector(const std::vector<signing_key>& taken, const std::string& day, base::key_kind kind) {
  const std::string first = day + std::string(kind_name(kind).substr(0, 1));
  std::string name = first;
  for (unsigned n = 2; has(taken, name); ++n) name = first + std::to_string(n);
  return name;
}

void retire_now(signing_key& key, std::int64_t now) {
  key.state = signing_key_state::retired;
  key.changed = now;
  key.ends = 0;
  key.private_key.clear();
}

void begin_retiring(signing_key& key, std::int64_t now, std::chrono::seconds overlap) {
  key.state = signing_key_state::retiring;
  key.changed = now;
  key.ends = now + overlap.count();
}

}  // namespace

std::string_view to_string(published what) noexcept {
  switch (what) {
    case published::yes:
      return "published";
    case published::missing:
      return "missing";
    case published::different:
      return "different";
    case published::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string key_record_name(const signing_key& key) { return key.selector + "._domainkey." + key.domain; }

std::string key_record_text(const signing_key& key) {
  return "v=DKIM1; k=" + std::string(kind_name(key.kind)) + "; p=" + base::base64_encode(key.public_key);
}

key_ring::key_ring(store::signing_key_store& keys, base::resolver& names, const base::crypto& crypto,
                   const base::clock& time, key_ring_options options)
    : keys_(keys), names_(names), crypto_(crypto), time_(time), options_(options) {}

std::int64_t key_ring::now() const {
  return std::chrono::floor<std::chrono::seconds>(time_.now()).time_since_epoch().count();
}

base::task<base::result<std::vector<signing_key>>> key_ring::list(std::string domain) {
  if (domain.empty()) co_return co_await keys_.list(std::string());
  auto name = fold_domain(domain);
  if (!name) co_return base::fail(name.error());
  co_return co_await keys_.list(std::move(*name));
}

// On a thread of their own: finding primes would hold up every session of the calling one.
base::task<base::result<std::vector<signing_key>>> key_ring::make_keys(std::vector<base::key_kind> kinds) {
  using keys = base::result<std::vector<signing_key>>;
  const auto make = [this, &kinds]() -> keys {
    std::vector<signing_key> made;
    for (const base::key_kind kind : kinds) {
      const auto key = crypto_.generate_key(kind, options_.rsa_bits);
      if (!key) return base::fail(key.error());
      signing_key one;
      one.kind = kind;
      one.public_key = (*key)->public_part()->encode();
      one.private_key = (*key)->pem();
      made.push_back(std::move(one));
    }
    return made;
  };
  std::thread worker;
  auto made = co_await base::wait_for<keys>([&](base::completion<keys> done) {
    worker = std::thread([&make, done = std::move(done)]() mutable { done(make()); });
  });
  worker.join();
  co_return made;
}

base::task<base::result<std::vector<signing_key>>> key_ring::generate(std::string domain,
                                                                      std::vector<base::key_kind> kinds,
                                                                      std::string selector) {
  auto name = fold_domain(domain);
  if (!name || kinds.empty()) co_return base::fail(base::errc::malformed);
  std::ranges::transform(selector, selector.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (!selector.empty() && !is_selector(selector)) co_return base::fail(base::errc::malformed);
  auto made = co_await make_keys(std::move(kinds));
  if (!made) co_return base::fail(made.error());
  const std::int64_t time = now();
  std::vector<signing_key> added;
  const auto done = co_await keys_.change(*name, [&](std::vector<signing_key>& all) -> base::status {
    added = *made;
    for (signing_key& one : added) {
      one.domain = *name;
      one.created = one.changed = time;
      if (selector.empty())
        one.selector = free_selector(all, day_text(time), one.kind);
      else
        one.selector = added.size() == 1 ? selector : selector + "-" + std::string(kind_name(one.kind));
      if (has(all, one.selector)) return base::fail(base::errc::already_exists);
      if (!is_selector(one.selector)) return base::fail(base::errc::malformed);
      all.push_back(one);
    }
    return {};
  });
  if (!done) co_return base::fail(done.error());
  for (const signing_key& one : added)
    options_.log->log(base::log_level::info, "dkim.key_made", {{"domain", one.domain}, {"selector", one.selector}});
  co_return added;
}

base::task<key_check> key_ring::look_up(signing_key key) {
  key_check seen{.key = std::move(key), .in_dns = published::unknown, .found = {}};
  const auto answer = co_await names_.query(key_record_name(seen.key), base::dns_type::txt);
  if (answer.status == base::dns_status::failed) co_return seen;
  seen.in_dns = published::missing;
  for (const auto& record : answer.records) {
    const auto* text = std::get_if<base::dns_txt>(&record);
    if (text == nullptr) continue;
    seen.found.push_back(text->text);
    seen.in_dns = published::different;
  }
  // With a second record beside it a verifier may try the wrong one (RFC 6376 §3.6.2.2 leaves it undefined).
  if (seen.found.size() != 1) co_return seen;
  const auto record = mailauth::parse_dkim_key_record(seen.found.front());
  if (!record || record->kind != seen.key.kind || !record->sha256) co_return seen;
  const auto material = crypto_.parse_public_key(record->kind, record->octets);
  if (material && (*material)->encode() == seen.key.public_key) seen.in_dns = published::yes;
  co_return seen;
}

base::task<base::result<std::vector<key_check>>> key_ring::check(std::string domain) {
  auto all = co_await list(std::move(domain));
  if (!all) co_return base::fail(all.error());
  std::vector<key_check> seen;
  for (signing_key& one : *all) {
    const bool retired = one.state == signing_key_state::retired;
    key_check row = co_await look_up(std::move(one));
    if (!retired || row.in_dns == published::yes) seen.push_back(std::move(row));
  }
  co_return seen;
}

base::task<base::status> key_ring::set_active(std::string domain, const std::vector<std::string>& selectors) {
  const std::int64_t time = now();
  const auto chosen = [&](const signing_key& key) {
    return std::ranges::find(selectors, key.selector) != selectors.end();
  };
  co_return co_await keys_.change(domain, [&](std::vector<signing_key>& all) -> base::status {
    for (signing_key& one : all) {
      if (!chosen(one) || one.state != signing_key_state::pending) continue;
      for (signing_key& old : all) {
        if (old.state == signing_key_state::active && old.kind == one.kind) begin_retiring(old, time, options_.overlap);
      }
      one.state = signing_key_state::active;
      one.changed = time;
    }
    return {};
  });
}

base::task<base::result<std::vector<key_check>>> key_ring::activate(std::string domain, std::string selector,
                                                                    bool force) {
  auto all = co_await list(domain);
  if (!all) co_return base::fail(all.error());
  std::vector<key_check> seen;
  std::vector<std::string> ready;
  for (signing_key& one : *all) {
    if (one.state != signing_key_state::pending || (!selector.empty() && one.selector != selector)) continue;
    key_check row = co_await look_up(std::move(one));
    if (force || row.in_dns == published::yes) ready.push_back(row.key.selector);
    seen.push_back(std::move(row));
  }
  if (seen.empty()) co_return base::fail(base::errc::not_found);
  if (ready.empty()) co_return seen;
  const auto done = co_await set_active(seen.front().key.domain, ready);
  if (!done) co_return base::fail(done.error());
  for (key_check& row : seen) {
    if (std::ranges::find(ready, row.key.selector) == ready.end()) continue;
    row.key.state = signing_key_state::active;
    row.key.changed = now();
    options_.log->log(base::log_level::info, "dkim.key_active",
                      {{"domain", row.key.domain}, {"selector", row.key.selector}, {"dns", to_string(row.in_dns)}});
  }
  co_return seen;
}

base::task<base::result<std::vector<key_check>>> key_ring::rotate(std::string domain) {
  auto all = co_await list(domain);
  if (!all) co_return base::fail(all.error());
  std::vector<base::key_kind> kinds;
  for (const signing_key& one : *all) {
    if (one.state == signing_key_state::pending) co_return co_await activate(std::move(domain), std::string(), false);
    if (one.state == signing_key_state::active) kinds.push_back(one.kind);
  }
  if (kinds.empty()) kinds = {base::key_kind::rsa, base::key_kind::ed25519};
  auto made = co_await generate(std::move(domain), std::move(kinds));
  if (!made) co_return base::fail(made.error());
  std::vector<key_check> rows;
  for (signing_key& one : *made) rows.push_back({.key = std::move(one), .in_dns = published::missing, .found = {}});
  co_return rows;
}

base::task<base::result<signing_key>> key_ring::retire(std::string domain, std::string selector, bool at_once) {
  auto name = fold_domain(domain);
  if (!name) co_return base::fail(name.error());
  const std::int64_t time = now();
  signing_key changed;
  const auto done = co_await keys_.change(*name, [&](std::vector<signing_key>& all) -> base::status {
    const auto found = std::ranges::find(all, selector, &signing_key::selector);
    if (found == all.end() || found->state == signing_key_state::retired) return base::fail(base::errc::not_found);
    if (at_once || found->state == signing_key_state::pending)
      retire_now(*found, time);
    else if (found->state == signing_key_state::active)
      begin_retiring(*found, time, options_.overlap);
    changed = *found;
    return {};
  });
  if (!done) co_return base::fail(done.error());
  options_.log->log(base::log_level::info, "dkim.key_retired",
                    {{"domain", changed.domain}, {"selector", changed.selector}, {"state", to_string(changed.state)}});
  co_return changed;
}

base::task<base::status> key_ring::end_overlaps() {
  const std::int64_t time = now();
  const auto over = [time](const signing_key& one) {
    return one.state == signing_key_state::retiring && one.ends <= time;
  };
  auto all = co_await keys_.list(std::string());
  if (!all) co_return base::fail(all.error());
  for (const signing_key& one : *all) {
    if (!over(one)) continue;
    const auto done = co_await keys_.change(one.domain, [&](std::vector<signing_key>& keys) -> base::status {
      for (signing_key& key : keys)
        if (over(key)) retire_now(key, time);
      return {};
    });
    if (!done) co_return done;
    options_.log->log(base::log_level::info, "dkim.key_retired",
                      {{"domain", one.domain}, {"selector", one.selector}, {"state", "retired"}});
  }
  co_return base::status{};
}

base::task<void> key_ring::look_after() {
  auto ended = co_await end_overlaps();
  auto all = co_await keys_.list(std::string());
  if (!ended || !all) {
    const std::error_code why = ended ? all.error() : ended.error();
    options_.log->log(base::log_level::error, "dkim.keys_unreadable", {{"reason", why.message()}});
    co_return;
  }
  std::string last;
  for (const signing_key& one : *all) {
    if (one.state != signing_key_state::pending || one.domain == last) continue;
    last = one.domain;
    const auto done = co_await activate(one.domain, std::string(), false);
    if (!done && done.error() != base::errc::not_found)
      options_.log->log(base::log_level::error, "dkim.key_not_activated",
                        {{"domain", one.domain}, {"reason", done.error().message()}});
  }
}

}  // namespace briefwerk::delivery
