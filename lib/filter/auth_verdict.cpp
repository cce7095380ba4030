#include "filter/auth_verdict.hpp"

#include <algorithm>

namespace briefwerk::filter {

using mailauth::outcome;

namespace {

mailauth::dmarc_facts facts_of(const mailauth::dmarc::evaluation& found) {
  mailauth::dmarc_facts facts;
  facts.result = found.result;
  facts.from_domain = found.author_domain;
  if (found.published) {
    facts.policy = to_string(found.requested);
    facts.comment = "p=" + facts.policy + " dis=" + std::string(to_string(found.disposition));
  }
  if (found.result != outcome::pass && found.result != outcome::none) facts.reason = found.reason;
  return facts;
}

bool says_good(const mailauth::arc_set& set) {
  const auto read = mailauth::parse_authentication_results(set.results);
  if (!read) return false;
  const auto passed = [&](std::string_view method) {
    return std::ranges::any_of(read->results,
                               [&](const auto& one) { return one.method == method && one.result == "pass"; });
  };
  const mailauth::method_result* dmarc = read->find("dmarc");
  if (dmarc != nullptr && dmarc->result != "none") return passed("dmarc");
  return passed("spf") || passed("dkim");
}

}  // namespace

mailauth::authentication_results results_of(const mail_authentication& found, const std::string& authserv_id,
                                            const base::ip_address& client, std::span<const allow_listing> listings) {
  mailauth::authentication_results all;
  all.authserv_id = authserv_id;
  all.results.push_back(mailauth::result_of(found.iprev, client));
  if (found.helo.result != outcome::none && found.mail_from.checked != mailauth::spf::identity::helo) {
    all.results.push_back(mailauth::result_of(found.helo));
  }
  all.results.push_back(mailauth::result_of(found.mail_from));
  for (const auto& one : found.dkim) all.results.push_back(mailauth::result_of(mailauth::facts_of(one)));
  if (found.dkim.empty()) all.results.push_back(mailauth::result_of(mailauth::dkim_facts{}));
  if (found.arc.what != outcome::none) {
    mailauth::arc_facts arc = mailauth::facts_of(found.arc);
    arc.remote_ip = client;
    all.results.push_back(mailauth::result_of(arc));
  }
  all.results.push_back(mailauth::result_of(facts_of(found.dmarc)));
  for (const allow_listing& one : listings) {
    mailauth::method_result dnswl{.method = "dnswl", .result = "pass"};
    // Whether DNSSEC proves the answer, this side of the resolver does not know: "na".
    dnswl.add("dns", "zone", one.zone).add("policy", "ip", one.answer.to_string()).add("dns", "sec", "na");
    all.results.push_back(std::move(dnswl));
  }
  return all;
}

bool is_vouched_for(const mailauth::arc_result& chain, const std::vector<std::string>& trusted_sealers) {
  if (chain.what != outcome::pass) return false;
  for (auto set = chain.sets.rbegin(); set != chain.sets.rend(); ++set) {
    if (std::ranges::find(trusted_sealers, set->domain) == trusted_sealers.end()) return false;
    if (says_good(*set)) return true;
  }
  return false;
}

}  // namespace briefwerk::filter
