#include "mailauth/spf/evaluation.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "briefwerk/mail/charset.hpp"
#include "mail/ascii.hpp"
#include "mailauth/dns_name.hpp"
#include "mailauth/printable.hpp"

namespace briefwerk::mailauth::spf {

using base::dns_answer;
using base::dns_status;
using base::dns_type;
using base::task;

namespace {

constexpr std::string_view self = "spf";

bool any_address_in(const dns_answer& answer, const base::ip_address& client, int prefix) {
  return std::ranges::any_of(answer.records, [&](const base::dns_record& record) {
    const auto* address = std::get_if<base::ip_address>(&record);
    return address != nullptr && base::ip_network{*address, prefix}.contains(client);
  });
}

bool is_in_domain(std::string_view name, std::string_view domain) noexcept {
  if (name.size() < domain.size()) return false;
  const std::size_t front = name.size() - domain.size();
  if (!mail::ascii::equals(name.substr(front), domain)) return false;
  return front == 0 || name[front - 1] == '.';
}

std::string without_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return std::string(name);
}

}  // namespace

evaluation::evaluation(base::resolver& dns, const request& about, identity_values who, std::string helo, tracer trace,
                       const check_options& options)
    : dns_(dns),
      about_(about),
      who_(std::move(who)),
      helo_(std::move(helo)),
      trace_(trace),
      options_(options),
      clock_(options.clock != nullptr ? *options.clock : base::system_clock()),
      deadline_(clock_.steady() + options.patience),
      ascii_local_(mail::is_ascii(who_.local)) {}

task<void> evaluation::run(verdict& out) {
  host_result found = co_await check_host(who_.domain, trace_);
  out.result = found.result;
  out.mechanism = std::move(found.mechanism);
  out.in_domain = found.in_domain;
  const bool decided =
      out.result != outcome::none && out.result != outcome::temperror && out.result != outcome::permerror;
  if (!decided) out.problem = problem_;
  out.lookups = lookups_;
  out.void_lookups = void_lookups_;
  if (out.result != outcome::fail || !found.explanation || !options_.explain) co_return;
  counting_ = false;
  out.explanation = co_await explain(*found.explanation, found.in_domain, trace_);
}

task<evaluation::host_result> evaluation::check_host(std::string domain, tracer trace) {
  host_result out;
  fetched got = co_await fetch_record(domain, trace);
  if (got.result != outcome::pass) {
    out.result = got.result;
    co_return out;
  }
  const record& rules = got.found;
  bool has_all = false;
  for (const mechanism& each : rules.mechanisms) {
    has_all = has_all || each.kind == mechanism_kind::all;
    const match matched = co_await try_mechanism(each, domain, trace);
    if (matched == match::no) continue;
    if (matched == match::yes) {
      out = {each.result, each.text, domain, rules.explanation};
      trace.step(self, [&] { return each.text + " matches: " + std::string(to_string(each.result)); });
    } else {
      out.result = matched == match::temperror ? outcome::temperror : outcome::permerror;
      trace.step(self, [&] { return each.text + ": " + std::string(to_string(out.result)) + ", " + problem_; });
    }
    co_return out;
  }
  // §5.1: "all" switches "redirect" off; it always matches, so control does not come here with one.
  if (rules.redirect && !has_all) co_return co_await follow_redirect(*rules.redirect, domain, trace);
  trace.step(self, [&] { return "no mechanism of " + domain + " matches: neutral"; });
  out = {outcome::neutral, "default", domain, {}};  // §4.7
  co_return out;
}

task<evaluation::fetched> evaluation::fetch_record(const std::string& domain, tracer trace) {
  fetched out;
  const dns_answer answer = co_await question(domain, dns_type::txt, trace);
  if (answer.status == dns_status::failed) {  // §4.4
    failed(outcome::temperror, "TXT of " + domain + " cannot be had");
    out.result = outcome::temperror;
    co_return out;
  }
  const std::string* text = nullptr;
  std::size_t count = 0;
  for (const base::dns_record& each : answer.records) {
    const auto* txt = std::get_if<base::dns_txt>(&each);
    if (txt == nullptr || !is_record(txt->text)) continue;
    text = &txt->text;
    ++count;
  }
  if (count == 0) {  // §4.5
    problem_ = "no SPF record at " + printable(domain);
    trace.step(self, [&] { return problem_; });
    out.result = outcome::none;
    co_return out;
  }
  if (count > 1) {
    failed(outcome::permerror, std::to_string(count) + " SPF records at " + domain);
    trace.step(self, [&] { return problem_; });
    out.result = outcome::permerror;
    co_return out;
  }
  // §4.6: an error anywhere in the record counts before anything of it is evaluated.
  auto parsed = parse_record(*text);
  if (parsed) {
    out.found = std::move(*parsed);
    co_return out;
  }
  failed(outcome::permerror, "the SPF record of " + domain + " cannot be read at character " +
                                 std::to_string(parsed.error().position + 1) + ": " + parsed.error().problem);
  trace.step(self, [&] { return problem_; });
  out.result = outcome::permerror;
  co_return out;
}

// §6.1: the target's record stands for this one, its explanation too (§6.2).
task<evaluation::host_result> evaluation::follow_redirect(const macro_string& target, const std::string& domain,
                                                          tracer trace) {
  host_result out;
  if (!count_lookup()) {
    out.result = outcome::permerror;
    trace.step(self, [&] { return "redirect: " + problem_; });
    co_return out;
  }
  const std::expected<std::string, match> name = co_await target_name(target, domain, trace);
  if (name) {
    trace.step(self, [&] { return "nothing of " + domain + " matches; redirect to " + *name; });
    out = co_await check_host(*name, trace);
  } else if (name.error() == match::no) {
    problem_ = "no such name";
  } else {
    out.result = name.error() == match::temperror ? outcome::temperror : outcome::permerror;
  }
  if (out.result != outcome::none) co_return out;
  out.result = outcome::permerror;
  problem_ = "redirect of " + printable(domain) + ": " + problem_;
  trace.step(self, [&] { return problem_; });
  co_return out;
}

task<std::expected<std::string, evaluation::match>> evaluation::target_name(const macro_string& spec,
                                                                            const std::string& domain, tracer trace) {
  // RFC 8616 §4: a local part that is not ASCII cannot be part of a name, so the term does not match.
  if (!ascii_local_ && (uses_letter(spec, 's') || uses_letter(spec, 'l'))) {
    trace.step(self, [&] { return std::string("macro with a local part that is not ASCII: no such name"); });
    co_return std::unexpected(match::no);
  }
  if (uses_letter(spec, 'p')) {
    const match asked = co_await find_validated(trace);
    if (asked != match::yes) co_return std::unexpected(asked);
  }
  std::string name = fit_name(expand(spec, values(domain), base::limits::spf_expansion));
  if (is_askable(name)) co_return name;
  trace.step(self, [&] { return "\"" + name + "\" cannot be a name of DNS: there is no such name"; });
  co_return std::unexpected(match::no);
}

// §6.2: whatever goes wrong here, there is no explanation, and the result stays.
task<std::string> evaluation::explain(const macro_string& spec, const std::string& domain, tracer trace) {
  const std::expected<std::string, match> name = co_await target_name(spec, domain, trace);
  if (!name) co_return std::string();
  const dns_answer answer = co_await question(*name, dns_type::txt, trace);
  if (answer.status != dns_status::found || answer.records.size() != 1) co_return std::string();
  const auto* txt = std::get_if<base::dns_txt>(&answer.records[0]);
  if (txt == nullptr) co_return std::string();
  const auto text = parse_explanation(txt->text);
  if (!text) {
    trace.step(self, [&] { return "the explanation cannot be read: " + text.error().problem; });
    co_return std::string();
  }
  if (!ascii_local_ && (uses_letter(*text, 's') || uses_letter(*text, 'l'))) co_return std::string();
  if (uses_letter(*text, 'p')) co_await find_validated(trace);
  std::string out = expand(*text, values(domain), base::limits::spf_expansion);
  if (out.size() > base::limits::spf_explanation) co_return std::string();
  co_return printable(std::move(out));
}

task<dns_answer> evaluation::question(std::string name, dns_type type, tracer trace) {
  if (clock_.steady() <= deadline_) co_return co_await ask(dns_, std::move(name), type, trace);
  late_ = true;
  trace.step(self, [&] { return "the check takes longer than " + std::to_string(options_.patience.count()) + " s"; });
  co_return dns_answer();
}

macro_values evaluation::values(const std::string& domain) const {
  macro_values out;
  out.sender = who_.sender;
  out.local = who_.local;
  out.sender_domain = who_.domain;
  out.domain = domain;
  out.helo = helo_;
  out.receiver = about_.receiver;
  out.validated = validated_name(domain);
  out.ip = &about_.ip;
  out.now = std::chrono::floor<std::chrono::seconds>(clock_.now());
  return out;
}

// §7.3: the domain itself, else a name in it, else any.
std::string_view evaluation::validated_name(std::string_view domain) const noexcept {
  if (!validated_ || validated_->empty()) return "unknown";
  for (const std::string& each : *validated_)
    if (mail::ascii::equals(each, domain)) return each;
  for (const std::string& each : *validated_)
    if (is_in_domain(each, domain)) return each;
  return validated_->front();
}

bool evaluation::count_lookup() {
  if (++lookups_ <= options_.limits.lookups) return true;
  problem_ = "more than " + std::to_string(options_.limits.lookups) + " terms that ask DNS";
  return false;
}

// False when one was too many.
bool evaluation::count_void(const dns_answer& answer) {
  if (!counting_ || answer.status == dns_status::found || answer.status == dns_status::failed) return true;
  if (++void_lookups_ <= options_.limits.void_lookups) return true;
  problem_ = "more than " + std::to_string(options_.limits.void_lookups) + " look-ups without an answer";
  return false;
}

evaluation::match evaluation::failed(outcome how, std::string why) {
  problem_ = printable(std::move(why));
  return how == outcome::temperror ? match::temperror : match::permerror;
}

// --- mechanisms ----------------------------------------------------------------------------------------------

task<evaluation::match> evaluation::try_mechanism(const mechanism& which, const std::string& domain, tracer trace) {
  switch (which.kind) {
    case mechanism_kind::all:
      co_return match::yes;
    case mechanism_kind::ip4:
      co_return about_.ip.is_v4() && which.network.contains(about_.ip) ? match::yes : match::no;
    case mechanism_kind::ip6:
      co_return about_.ip.is_v6() && which.network.contains(about_.ip) ? match::yes : match::no;
    default:
      break;
  }
  if (!count_lookup()) co_return match::permerror;
  trace.step(self, [&] { return which.text + " of " + domain; });
  const tracer inner = trace.deeper();
  std::string target = domain;
  if (which.domain) {
    std::expected<std::string, match> name = co_await target_name(*which.domain, domain, inner);
    if (!name) {
      if (name.error() != match::no || which.kind != mechanism_kind::include) co_return name.error();
      co_return failed(outcome::permerror, which.text + ": no such name");  // §5.2: none becomes permerror
    }
    target = std::move(*name);
  }
  match out = match::no;
  switch (which.kind) {
    case mechanism_kind::include:
      out = co_await try_include(target, inner);
      break;
    case mechanism_kind::a:
      out = co_await try_addresses(target, which, inner);
      break;
    case mechanism_kind::mx:
      out = co_await try_mx(target, which, inner);
      break;
    case mechanism_kind::ptr:
      out = co_await try_ptr(target, inner);
      break;
    default:
      out = co_await try_exists(target, inner);
      break;
  }
  co_return out;
}

// §5.2, the table at its end.
task<evaluation::match> evaluation::try_include(const std::string& target, tracer trace) {
  const host_result found = co_await check_host(target, trace);
  switch (found.result) {
    case outcome::pass:
      co_return match::yes;
    case outcome::temperror:
      co_return match::temperror;
    case outcome::permerror:
      co_return match::permerror;
    case outcome::none:
      co_return failed(outcome::permerror, "include: " + problem_);
    default:
      co_return match::no;
  }
}

task<evaluation::match> evaluation::try_addresses(const std::string& target, const mechanism& which, tracer trace) {
  const bool v4 = about_.ip.is_v4();
  const dns_answer answer = co_await question(target, v4 ? dns_type::a : dns_type::aaaa, trace);
  if (answer.status == dns_status::failed)
    co_return failed(outcome::temperror, "addresses of " + target + " cannot be had");
  if (!count_void(answer)) co_return match::permerror;
  co_return any_address_in(answer, about_.ip, v4 ? which.prefix_v4 : which.prefix_v6) ? match::yes : match::no;
}

task<evaluation::match> evaluation::try_mx(const std::string& target, const mechanism& which, tracer trace) {
  const dns_answer answer = co_await question(target, dns_type::mx, trace);
  if (answer.status == dns_status::failed) co_return failed(outcome::temperror, "MX of " + target + " cannot be had");
  if (!count_void(answer)) co_return match::permerror;
  if (answer.records.size() > options_.limits.mx_names)  // §4.6.4
    co_return failed(outcome::permerror,
                     target + " has more than " + std::to_string(options_.limits.mx_names) + " MX records");
  std::vector<base::dns_mx> exchanges;
  for (const base::dns_record& each : answer.records)
    if (const auto* mx = std::get_if<base::dns_mx>(&each)) exchanges.push_back(*mx);
  std::ranges::stable_sort(exchanges, {}, &base::dns_mx::preference);
  for (const base::dns_mx& each : exchanges) {
    const std::string name = without_dot(each.exchange);
    if (!is_askable(name)) continue;  // also the null MX (RFC 7505)
    const match found = co_await try_addresses(name, which, trace);
    if (found != match::no) co_return found;
  }
  co_return match::no;
}

task<evaluation::match> evaluation::try_ptr(const std::string& target, tracer trace) {
  const match asked = co_await find_validated(trace);
  if (asked != match::yes) co_return asked;
  const bool found =
      std::ranges::any_of(*validated_, [&](const std::string& name) { return is_in_domain(name, target); });
  co_return found ? match::yes : match::no;
}

// §5.7: the type is A, whatever the client's address is.
task<evaluation::match> evaluation::try_exists(const std::string& target, tracer trace) {
  const dns_answer answer = co_await question(target, dns_type::a, trace);
  if (answer.status == dns_status::failed) co_return failed(outcome::temperror, "A of " + target + " cannot be had");
  if (!count_void(answer)) co_return match::permerror;
  co_return answer.status == dns_status::found ? match::yes : match::no;
}

// §5.5: trouble with DNS makes names fewer, never an error. Macro p counts as no look-up, since it is a part of a
// term that counts; all questions of a check for it are asked once.
task<evaluation::match> evaluation::find_validated(tracer trace) {
  if (validated_) co_return match::yes;
  validated_.emplace();  // also when it fails half-way: nobody asks again
  const dns_answer names = co_await question(about_.ip.reverse_name(), dns_type::ptr, trace);
  if (late_) co_return failed(outcome::temperror, "out of time");
  if (!count_void(names)) co_return match::permerror;
  const dns_type type = about_.ip.is_v4() ? dns_type::a : dns_type::aaaa;
  std::size_t left = options_.limits.ptr_names;
  for (const base::dns_record& each : names.records) {
    const auto* record = std::get_if<base::dns_name>(&each);
    if (record == nullptr) continue;
    if (left-- == 0) break;  // §4.6.4: the others MUST be ignored
    const std::string name = without_dot(record->name);
    if (!is_askable(name)) continue;
    const dns_answer addresses = co_await question(name, type, trace);
    if (late_) co_return failed(outcome::temperror, "out of time");
    if (!count_void(addresses)) co_return match::permerror;
    if (!any_address_in(addresses, about_.ip, about_.ip.is_v4() ? 32 : 128)) continue;
    validated_->push_back(name);
    trace.step(self, [&] { return about_.ip.to_string() + " is " + name + ", and the other way round"; });
  }
  co_return match::yes;
}

}  // namespace briefwerk::mailauth::spf
