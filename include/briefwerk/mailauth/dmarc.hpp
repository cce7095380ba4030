#pragma once

// DMARC (RFC 9989, and RFC 7489 before it): does a result of SPF or DKIM belong to the author's domain, and what does
// that domain want done with mail where none does?
//
//   const auto found = co_await mailauth::dmarc::evaluate(dns, mailauth::read_author(header), std::move(input));
//   if (found.disposition == mailauth::dmarc::policy::reject) …

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/author.hpp"
#include "briefwerk/mailauth/dmarc_record.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/trace.hpp"

namespace briefwerk::mailauth {
class public_suffix_list;
}

namespace briefwerk::mailauth::dmarc {

// What the methods below DMARC found out, as plain values.
struct spf_input {
  outcome result = outcome::none;
  std::string domain;  // of MAIL FROM; of HELO where the reverse-path is null (RFC 7208 §2.4)
};
struct dkim_input {
  outcome result = outcome::none;
  std::string domain;    // d=
  std::string selector;  // s=, for reports
};
struct input {
  spf_input spf;
  std::vector<dkim_input> dkim;  // every signature, in the message's order
};

// How the organizational domain is found.
enum class discovery : std::uint8_t {
  tree_walk,      // RFC 9989 §4.10: at most eight questions a domain
  public_suffix,  // RFC 7489 §3.2, §6.6.3: the author's domain, then its organizational domain
};

struct options {
  // The default is RFC 9989's, which obsoletes RFC 7489 and needs no list that may be out of date. It decides the
  // edition that records are read by, too.
  discovery method = discovery::tree_walk;
  // For discovery::public_suffix, which answers temperror without it. Must outlive the task.
  const public_suffix_list* suffixes = nullptr;
  // 0 to 99, asked once for a message that fails where pct is below 100: the policy applies where the number is below
  // pct. RFC 9989 has no pct any more; it is obeyed all the same, since a domain that still publishes it means it.
  // Without a function: a random number.
  std::function<unsigned()> sample;
};

// One identifier beside the author's domain.
struct identifier {
  outcome result = outcome::none;  // as put in
  std::string domain;              // A-labels, lower case; as put in where that cannot be
  std::string selector;            // DKIM
  bool aligned = false;            // its domain is the author's, in the mode that the record asks for, and it passed
};

struct evaluation {
  // none       no policy is published for the author's domain
  // pass       an aligned identifier passed
  // fail       none did
  // temperror  DNS did not answer where it mattered; nothing is asked to be done
  // permerror  the author's domain cannot be told (fault), or the record that counts is unusable
  outcome result = outcome::none;
  author_fault fault = author_fault::none;
  std::string author_domain;          // the only, or with a fault the one whose policy is told; may be empty
  std::string organizational_domain;  // of the author's domain; empty where no question needed it

  discovery method = discovery::tree_walk;
  std::optional<record> published;
  std::string policy_domain;  // `published` stands at _dmarc.POLICY_DOMAIN
  subject speaks_of = subject::own;
  policy requested = policy::none;  // what the record says for that subject

  // What is to be done by the domain's wish, after t and pct. none unless the result is fail, or the author is at
  // fault. With author_fault::several_domains: the strictest wish of those that do not pass (RFC 7489 §6.6.1); with any
  // other fault: of all, whether they pass or not; at least quarantine when domains were left out.
  policy disposition = policy::none;
  bool test_mode = false;    // t=y made it milder (RFC 9989 §4.7)
  bool sampled_out = false;  // pct did (RFC 7489 §6.6.4)

  identifier spf;                // domain empty: there was none
  std::vector<identifier> dkim;  // as put in; past limits::dmarc_identifiers none is looked at
  bool spf_aligned() const noexcept { return spf.aligned; }
  bool dkim_aligned() const noexcept;

  std::string reason;  // for people, one line of printable ASCII
};

// Asks `dns`, which must outlive the task, for TXT at _dmarc names and, where np is published, whether the author's
// domain exists. No name is asked twice in one call.
base::task<evaluation> evaluate(base::resolver& dns, author from, input found, options how = {}, tracer trace = {});

// The organizational domain of any name, by either way; empty after a temporary error of DNS, or when `domain` is none.
base::task<std::string> organizational_domain(base::resolver& dns, std::string domain, options how = {},
                                              tracer trace = {});

}  // namespace briefwerk::mailauth::dmarc
