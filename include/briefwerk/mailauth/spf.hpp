#pragma once

// SPF (RFC 7208): may this address send mail for this domain? Records are values that can be read without DNS; the
// check asks a resolver.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/trace.hpp"

namespace briefwerk::mailauth::spf {

// --- the record (RFC 7208 §4.6.1, §12) ------------------------------------------------------------------------

// One piece of a macro-string (§7.1): literal text, with %%, %_ and %- resolved, or an expansion.
struct macro_part {
  std::string literal;
  char letter = 0;          // s l o d i p v h c r t, in lower case; 0: literal text
  bool url_escape = false;  // the letter was in upper case
  bool reverse = false;     // "r"
  unsigned keep = 0;        // right-hand labels that stay; 0: all
  std::string delimiters;   // of "." "-" "+" "," "/" "_" "="; empty: "."
  bool operator==(const macro_part&) const = default;
};
using macro_string = std::vector<macro_part>;

enum class mechanism_kind : std::uint8_t { all, include, a, mx, ptr, ip4, ip6, exists };

struct mechanism {
  mechanism_kind kind = mechanism_kind::all;
  outcome result = outcome::pass;       // of a match, by the qualifier: pass, fail, softfail, neutral
  std::optional<macro_string> domain;   // domain-spec; none: the domain that is checked
  base::ip_network network;             // of ip4 and ip6
  int prefix_v4 = 32, prefix_v6 = 128;  // of a and mx
  std::size_t position = 0;             // of the term in the record, in octets
  std::string text;                     // the term as written
};

struct modifier {
  std::string name;
  macro_string value;
};

struct record {
  std::vector<mechanism> mechanisms;  // in their order
  std::optional<macro_string> redirect;
  std::optional<macro_string> explanation;
  std::vector<modifier> unknown;  // §6: ignored by the check
};

struct syntax_error {
  std::size_t position = 0;  // octet of the text where reading failed; its length when something is missing at the end
  std::string problem;       // for people, one line of printable ASCII
};

// Does this TXT record claim to be SPF (§4.5)? "v=spf1" in any case, then a space or the end.
bool is_record(std::string_view text) noexcept;
// The whole text of a record, with "v=spf1". At most limits::spf_record octets.
std::expected<record, syntax_error> parse_record(std::string_view text);
// An explanation's text (§6.2, explain-string: macros and spaces; c, r and t are allowed).
std::expected<macro_string, syntax_error> parse_explanation(std::string_view text);

// --- the check ------------------------------------------------------------------------------------------------

enum class identity : std::uint8_t { helo, mail_from };
std::string_view to_string(identity which) noexcept;  // "helo", "mailfrom" (§9.1)

// What is known of the connection. Domains may have U-labels (RFC 8616 §4: they are converted).
struct request {
  base::ip_address ip;
  std::string helo;      // argument of HELO or EHLO, as given
  std::string sender;    // MAIL FROM, local@domain without angle brackets; empty for the null sender
  std::string receiver;  // name of the checking host: macro r, Received-SPF
};

// §4.6.4, all of them defaults of the RFC.
struct check_limits {
  unsigned lookups = base::limits::spf_lookups;            // mechanisms and modifiers that ask DNS
  unsigned void_lookups = base::limits::spf_void_lookups;  // of them without an answer
  unsigned mx_names = base::limits::spf_mx_names;          // of one mx mechanism; more: permerror
  unsigned ptr_names = base::limits::spf_ptr_names;        // of one ptr mechanism or macro p; the rest is not looked at
};

struct check_options {
  check_limits limits;
  bool explain = true;  // ask DNS for the explanation of a fail
  // §4.6.4: a check that takes longer ends with temperror; looked at before each question.
  std::chrono::seconds patience{base::limits::spf_seconds};
  const base::clock* clock = nullptr;  // for patience and macro t; null: system_clock()
};

struct verdict {
  outcome result = outcome::none;  // none pass fail softfail neutral temperror permerror
  identity checked = identity::mail_from;
  std::string sender;       // the identity with a local part; postmaster@… where there was none
  std::string domain;       // of the identity, in A-labels
  std::string mechanism;    // the term that matched, as written: "include:_spf.example.org"; "default" when none did;
                            // empty for none, temperror and permerror
  std::string in_domain;    // whose record holds that term; another one's after redirect
  std::string explanation;  // of a fail, by its domain: foreign text, printable ASCII, one line; often empty
  std::string problem;      // why none, temperror or permerror; one line of printable ASCII
  unsigned lookups = 0, void_lookups = 0;  // as counted against the limits
};

// §2.3, §2.4: each identity by itself. A null sender is postmaster@HELO, and the verdict says identity::helo then.
// `dns` lives until the end of the task.
base::task<verdict> check_helo(base::resolver& dns, request what, tracer trace = {}, check_options options = {});
base::task<verdict> check_mail_from(base::resolver& dns, request what, tracer trace = {}, check_options options = {});

// The field Received-SPF (§9.1), folded, with its final CRLF.
std::string received_spf(const verdict& found, const request& about);

}  // namespace briefwerk::mailauth::spf
