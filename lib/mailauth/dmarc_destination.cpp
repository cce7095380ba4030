#include "briefwerk/mailauth/dmarc_destination.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include "briefwerk/mail/address.hpp"
#include "mailauth/domain_name.hpp"
#include "mailauth/printable.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

struct target {
  std::string local, host;
  std::string address() const { return mail::format_mailbox({local, host}); }
};

std::optional<target> parse_target(std::string_view uri) {
  const auto address = mailto_address(uri);
  if (!address) return std::nullopt;
  auto mailbox = mail::parse_mailbox(*address);
  if (!mailbox) return std::nullopt;
  auto host = domain_name(mailbox->domain);
  if (!host) return std::nullopt;
  return target{std::move(mailbox->local), std::move(*host)};
}

// The answer of a host that was named by somebody else.
struct permission {
  enum class state_type : std::uint8_t { granted, refused, temperror };
  state_type state = state_type::refused;
  std::string problem;
  std::vector<report_uri> instead;  // rua of the host's own record
};

permission read_permission(const base::dns_answer& answer) {
  permission out{.problem = "the host does not say that it wants these reports"};
  if (answer.status == base::dns_status::failed) out.state = permission::state_type::temperror;
  if (answer.status != base::dns_status::found) return out;
  for (const auto& one : answer.records) {
    const auto* txt = std::get_if<base::dns_txt>(&one);
    if (txt == nullptr || !is_record(txt->text)) continue;
    out.state = permission::state_type::granted;
    // RFC 9990 §4 (9). Its other tags mean nothing here.
    const auto parsed = parse_record(txt->text);
    if (parsed && out.instead.empty()) out.instead = parsed->rua;
  }
  return out;
}

class verifier {
 public:
  verifier(base::resolver& dns, std::string policy_domain, options how, tracer trace)
      : dns_(dns), policy_domain_(std::move(policy_domain)), how_(std::move(how)), trace_(trace) {}

  base::task<destinations> run(std::vector<report_uri> rua) {
    for (auto& uri : rua) co_await take(std::move(uri));
    co_return std::move(out_);
  }

 private:
  base::task<void> take(report_uri uri) {
    const auto wanted = parse_target(uri.uri);
    if (!wanted) {
      refuse(uri.uri, "no mailto address");
      co_return;
    }
    const auto same = co_await same_organization(wanted->host);
    if (!same) {
      out_.temperror = true;
      co_return;
    }
    if (*same) {
      add(wanted->address(), uri.max_size);
      co_return;
    }
    const auto answer = co_await ask_host(wanted->host);
    if (answer.state == permission::state_type::temperror)
      out_.temperror = true;
    else if (answer.state == permission::state_type::refused)
      refuse(uri.uri, answer.problem);
    else if (answer.instead.empty())
      add(wanted->address(), uri.max_size);
    else
      redirect(uri, *wanted, answer.instead);
  }

  // Nothing after a temporary error.
  base::task<std::optional<bool>> same_organization(std::string host) {
    if (host == policy_domain_) co_return true;
    if (own_.empty()) own_ = co_await organizational_domain(dns_, policy_domain_, how_, trace_);
    const auto other = co_await organizational_domain(dns_, std::move(host), how_, trace_);
    if (own_.empty() || other.empty()) co_return std::nullopt;
    co_return own_ == other;
  }

  base::task<permission> ask_host(std::string host) {
    constexpr std::size_t longest_name = 253;
    auto name = policy_domain_ + "._report._dmarc." + host;
    // RFC 9990 §4 (4)
    if (name.size() > longest_name) co_return permission{.problem = "the name to ask for permission is too long"};
    const auto answer = co_await ask(dns_, std::move(name), base::dns_type::txt, trace_);
    co_return read_permission(answer);
  }

  // The host may name other mailboxes of its own; one elsewhere spoils the permission as a whole.
  void redirect(const report_uri& uri, const target& wanted, const std::vector<report_uri>& instead) {
    std::vector<destination> found;
    for (const auto& one : instead) {
      const auto other = parse_target(one.uri);
      if (!other || other->host != wanted.host) return refuse(uri.uri, "the host sends reports on to another");
      found.push_back({other->address(), one.max_size ? one.max_size : uri.max_size});
    }
    for (auto& one : found) add(std::move(one.address), one.max_size);
  }

  void add(std::string address, std::optional<std::uint64_t> max_size) {
    if (std::ranges::find(out_.to, address, &destination::address) != out_.to.end()) return;
    trace_.step("dmarc", [&] { return "reports about " + policy_domain_ + " go to " + address; });
    out_.to.push_back({std::move(address), max_size});
  }

  void refuse(const std::string& uri, std::string problem) {
    trace_.step("dmarc", [&] { return "no reports to " + uri + ": " + problem; });
    out_.refused.push_back({uri, printable(std::move(problem))});
  }

  base::resolver& dns_;
  std::string policy_domain_;
  options how_;
  tracer trace_;
  std::string own_;  // organizational domain of the policy's
  destinations out_;
};

}  // namespace

base::task<destinations> report_destinations(base::resolver& dns, std::string policy_domain,
                                             std::vector<report_uri> rua, options how, tracer trace) {
  auto name = domain_name(policy_domain);
  if (!name) co_return destinations{};
  verifier work(dns, std::move(*name), std::move(how), trace);
  co_return co_await work.run(std::move(rua));
}

}  // namespace briefwerk::mailauth::dmarc
