#include "mailauth/dmarc_discovery.hpp"

#include <utility>
#include <variant>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/public_suffix.hpp"
#include "mailauth/domain_name.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

namespace limits = base::limits;
using state = lookup::state_type;

constexpr std::string_view prefix = "_dmarc.";
constexpr std::size_t longest_name = 253;

// The records among all TXT records of one name. RFC 9989 §4.10 (2): several are as none.
lookup read_answer(const base::dns_answer& answer, edition rules, tracer trace) {
  std::string_view text;
  std::size_t count = 0;
  for (const auto& one : answer.records) {
    const auto* txt = std::get_if<base::dns_txt>(&one);
    if (txt == nullptr || !is_record(txt->text)) continue;
    text = txt->text;
    ++count;
  }
  if (count > 1) trace.step("dmarc", [] { return std::string("several records at one name count as none"); });
  if (count != 1) return {};
  auto parsed = parse_record(text, rules);
  if (parsed) {
    for (const auto& issue : parsed->issues)
      trace.step("dmarc", [&] { return "octet " + std::to_string(issue.position) + ": " + issue.problem; });
    return {.state = state::found, .found = std::move(*parsed), .problem = {}};
  }
  trace.step("dmarc", [&] { return "the record cannot be used: " + parsed.error().problem; });
  return {.state = state::unusable, .found = {}, .problem = std::move(parsed.error().problem)};
}

// RFC 9989 §4.10 (4): from a long name the walk goes to seven labels at once.
std::string_view next_target(std::string_view name) noexcept {
  const auto labels = label_count(name);
  return last_labels(name, labels < limits::dmarc_tree_walk ? labels - 1 : limits::dmarc_tree_walk - 1);
}

}  // namespace

base::task<const lookup*> directory::look_up(std::string name) {
  if (const auto known = lookups_.find(name); known != lookups_.end()) co_return &known->second;
  lookup found;
  if (prefix.size() + name.size() <= longest_name) {
    const auto answer = co_await ask(dns_, std::string(prefix) + name, base::dns_type::txt, trace_);
    const auto rules = how_.method == discovery::tree_walk ? edition::rfc9989 : edition::rfc7489;
    if (answer.status == base::dns_status::failed)
      found.state = state::temperror;
    else if (answer.status == base::dns_status::found)
      found = read_answer(answer, rules, trace_);
  }
  co_return &lookups_.emplace(std::move(name), std::move(found)).first->second;
}

base::task<const walk*> directory::walk_up(std::string name) {
  if (const auto known = walks_.find(name); known != walks_.end()) co_return &known->second;
  walk found;
  std::optional<std::string> fewest;
  for (std::string_view target = name; !target.empty(); target = next_target(target)) {
    const auto* at = co_await look_up(std::string(target));
    if (at->state == state::temperror) {
      found.temperror = true;
      break;
    }
    if (!at->is_record()) continue;
    found.names.emplace_back(target);
    fewest = target;
    if (at->found.psd == suffix_flag::no) break;
    if (at->found.psd == suffix_flag::yes) {
      // RFC 9989 §4.10.2 (2): the name where the walk began is no suffix of itself.
      if (target.size() != name.size()) {
        found.suffix = target;
        fewest = last_labels(name, label_count(target) + 1);
      }
      break;
    }
  }
  if (!found.temperror) {
    found.organizational = fewest.value_or(name);
    trace_.step("dmarc", [&] { return "organizational domain of " + name + ": " + found.organizational; });
  }
  co_return &walks_.emplace(std::move(name), std::move(found)).first->second;
}

base::task<std::string> directory::organizational_domain(std::string name) {
  if (how_.method == discovery::public_suffix) {
    if (how_.suffixes == nullptr) co_return std::string();
    auto found = how_.suffixes->organizational_domain(name).value_or(name);
    trace_.step("dmarc", [&] { return "organizational domain of " + name + " by the suffix list: " + found; });
    co_return found;
  }
  const auto* up = co_await walk_up(std::move(name));
  co_return up->organizational;
}

base::task<directory::policy_place> directory::discover(std::string author) {
  policy_place place;
  const auto* own = co_await look_up(author);
  place.temperror = own->state == state::temperror;
  if (own->is_record()) {
    place.at = own;
    place.domain = std::move(author);
  }
  if (place.temperror || place.at != nullptr) co_return place;

  std::string where;
  if (how_.method == discovery::public_suffix) {
    where = co_await organizational_domain(author);
    place.temperror = where.empty();
  } else {
    const auto* up = co_await walk_up(author);
    place.temperror = up->temperror;
    // The organizational domain's record, else the public suffix's; the walk has asked for both.
    if (!up->names.empty()) {
      const auto* organizational = co_await look_up(up->organizational);
      where = organizational->is_record() ? up->organizational : up->suffix;
    }
  }
  if (place.temperror || where.empty() || where == author) co_return place;
  const auto* there = co_await look_up(where);
  place.temperror = there->state == state::temperror;
  if (there->is_record()) {
    place.at = there;
    place.domain = std::move(where);
  }
  co_return place;
}

base::task<directory::existence> directory::exists(std::string name) {
  // Any record makes a name exist; NXDOMAIN is the same whatever type was asked for (RFC 2308 §2.1).
  const auto answer = co_await ask(dns_, std::move(name), base::dns_type::a, trace_);
  if (answer.status == base::dns_status::failed) co_return existence::temperror;
  co_return answer.status == base::dns_status::no_name ? existence::missing : existence::exists;
}

base::task<std::string> organizational_domain(base::resolver& dns, std::string domain, options how, tracer trace) {
  auto name = domain_name(domain);
  if (!name) co_return std::string();
  directory names(dns, how, trace);
  co_return co_await names.organizational_domain(std::move(*name));
}

}  // namespace briefwerk::mailauth::dmarc
