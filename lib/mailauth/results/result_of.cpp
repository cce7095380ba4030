// What each method usually says in Authentication-Results (RFC 8601 §2.7; the registry "Email Authentication Methods").

#include <string>
#include <string_view>

#include "briefwerk/mailauth/authentication_results.hpp"

namespace briefwerk::mailauth {
namespace {

method_result start(std::string_view method, outcome result, std::string_view comment = {},
                    std::string_view reason = {}) {
  method_result out;
  out.method = method;
  out.result = to_string(result);
  out.comment = comment;
  out.reason = reason;
  return out;
}

}  // namespace

// §2.7.2
method_result result_of(const spf::verdict& found) {
  method_result out = start("spf", found.result, {}, found.problem);
  if (found.checked == spf::identity::helo)
    out.add("smtp", "helo", found.domain);
  else
    out.add("smtp", "mailfrom", found.sender);
  return out;
}

// §2.7.3
method_result result_of(const iprev_verdict& found, const base::ip_address& ip) {
  method_result out = start("iprev", found.result, found.name, found.problem);
  out.add("policy", "iprev", ip.to_string());
  return out;
}

// §2.7.4
method_result result_of(const auth_facts& facts) {
  method_result out = start("auth", facts.result, facts.mechanism);
  out.add("smtp", "auth", facts.user).add("smtp", "mailfrom", facts.mailfrom);
  return out;
}

// §2.7.1
method_result result_of(const dkim_facts& facts) {
  method_result out = start("dkim", facts.result, facts.comment, facts.reason);
  out.add("header", "d", facts.domain).add("header", "i", facts.identity).add("header", "s", facts.selector);
  out.add("header", "a", facts.algorithm);
  out.add("header", "b", std::string_view(facts.signature).substr(0, facts.signature_characters));
  return out;
}

// RFC 7489 §11.2
method_result result_of(const dmarc_facts& facts) {
  method_result out = start("dmarc", facts.result, facts.comment, facts.reason);
  out.add("header", "from", facts.from_domain).add("policy", "dmarc", facts.policy);
  return out;
}

// RFC 8617 §10.2
method_result result_of(const arc_facts& facts) {
  method_result out = start("arc", facts.result, facts.comment, facts.reason);
  if (facts.oldest_pass) out.add("header", "oldest-pass", std::to_string(*facts.oldest_pass));
  if (facts.remote_ip) out.add("smtp", "remote-ip", facts.remote_ip->to_string());
  out.add("arc", "chain", facts.chain);
  return out;
}

}  // namespace briefwerk::mailauth
