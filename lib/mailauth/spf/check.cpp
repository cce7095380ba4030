// The two identities: RFC 7208 §2.3, §2.4 and the initial processing of §4.3.

#include <utility>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mailauth/spf.hpp"
#include "mail/ascii.hpp"
#include "mailauth/dns_name.hpp"
#include "mailauth/printable.hpp"
#include "mailauth/spf/evaluation.hpp"

namespace briefwerk::mailauth::spf {
namespace {

using base::task;

// RFC 8616 §4: A-labels, before anything is done with it. What cannot be converted stays: no such name exists.
std::string ascii_domain(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (mail::is_ascii(domain)) return std::string(domain);  // with its case, which explanations show
  base::result<std::string> out = mail::domain_to_ascii(domain);
  return out ? std::move(*out) : std::string(domain);
}

task<verdict> check(base::resolver& dns, request what, identity which, std::string sender, tracer trace,
                    check_options options) {
  verdict out;
  out.checked = which;
  const std::size_t at = sender.rfind('@');
  std::string local = at == std::string::npos ? std::string() : sender.substr(0, at);
  if (local.empty()) local = "postmaster";  // §4.3
  std::string domain = ascii_domain(std::string_view(sender).substr(at == std::string::npos ? 0 : at + 1));
  out.sender = local + '@' + domain;
  out.domain = mail::ascii::to_lower(domain);
  // §4.3: none for a malformed domain, a single label, an address literal.
  if (!is_askable(out.domain) || out.domain.find('.') == std::string::npos || out.domain.front() == '[') {
    out.problem = printable("\"" + out.domain + "\" is no domain with two labels or more");
    trace.step("spf", [&] { return std::string(to_string(which)) + " " + out.problem + ": none"; });
    co_return out;
  }
  trace.step("spf", [&] {
    return "may " + what.ip.to_string() + " send for " + out.domain + "? (" + std::string(to_string(which)) + " " +
           out.sender + ")";
  });
  evaluation work(dns, what, {out.sender, std::move(local), std::move(domain)}, ascii_domain(what.helo), trace.deeper(),
                  options);
  co_await work.run(out);
  trace.step("spf", [&] {
    std::string text(to_string(out.result));
    if (!out.mechanism.empty()) text += " by " + out.mechanism + " of " + out.in_domain;
    if (!out.problem.empty()) text += ": " + out.problem;
    if (!out.explanation.empty()) text += ", explained as: " + out.explanation;
    return text;
  });
  co_return out;
}

}  // namespace

std::string_view to_string(identity which) noexcept { return which == identity::helo ? "helo" : "mailfrom"; }

task<verdict> check_helo(base::resolver& dns, request what, tracer trace, check_options options) {
  std::string sender = "postmaster@" + what.helo;
  return check(dns, std::move(what), identity::helo, std::move(sender), trace, options);
}

task<verdict> check_mail_from(base::resolver& dns, request what, tracer trace, check_options options) {
  if (what.sender.empty()) return check_helo(dns, std::move(what), trace, options);  // §2.4
  std::string sender = what.sender;
  return check(dns, std::move(what), identity::mail_from, std::move(sender), trace, options);
}

}  // namespace briefwerk::mailauth::spf
