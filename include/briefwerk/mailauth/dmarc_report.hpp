#pragma once

// Aggregate reports as values (RFC 7489 §7.2 and appendix C, RFC 9990), written as receivers expect them and read as
// reporters send them.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/mailauth/dmarc.hpp"
#include "briefwerk/mailauth/dmarc_record.hpp"
#include "briefwerk/mailauth/outcome.hpp"

namespace briefwerk::mailauth::dmarc {

// What a report does not say, or says in a word that nobody knows, is empty. Texts are valid UTF-8.

struct report_metadata {
  std::string org_name;
  std::string email;
  std::string extra_contact_info;
  std::string report_id;
  std::chrono::sys_seconds begin{}, end{};  // both belong to the period
  std::vector<std::string> errors;
  std::string generator;  // RFC 9990
  bool operator==(const report_metadata&) const = default;
};

struct published_policy {
  std::string domain;             // where the record was found
  std::string version_published;  // of RFC 7489's drafts
  std::optional<alignment> adkim, aspf;
  std::optional<policy> p, sp, np;
  std::optional<unsigned> pct;      // RFC 7489
  std::optional<bool> testing;      // RFC 9990
  std::optional<discovery> method;  // RFC 9990
  std::string fo;
  bool operator==(const published_policy&) const = default;
};

// What was done with the messages. RFC 9990 tells "none, since it passed" apart.
enum class action : std::uint8_t { none, quarantine, reject, pass };

enum class override_type : std::uint8_t {
  forwarded,    // RFC 7489 only
  sampled_out,  // RFC 7489 only
  trusted_forwarder,
  mailing_list,
  local_policy,
  policy_test_mode,  // RFC 9990
  other,             // also any word that nobody knows
};
struct override_reason {
  override_type type = override_type::other;
  std::string comment;
  bool operator==(const override_reason&) const = default;
};

struct dkim_result {
  std::string domain, selector;
  std::optional<outcome> result;
  std::string human_result;
  bool operator==(const dkim_result&) const = default;
};

enum class spf_scope : std::uint8_t { helo, mail_from };
struct spf_result {
  std::string domain;
  std::optional<spf_scope> scope;
  std::optional<outcome> result;
  std::string human_result;
  bool operator==(const spf_result&) const = default;
};

// One <record>: all messages that are alike in every member but the count.
struct report_row {
  std::string source_ip;  // as base::ip_address writes it, where it is one
  std::uint64_t count = 0;
  std::optional<action> disposition;
  std::optional<outcome> dkim, spf;  // aligned: pass or fail
  std::vector<override_reason> reasons;
  std::string header_from;
  std::optional<std::string> envelope_from;  // "": the null reverse-path
  std::optional<std::string> envelope_to;
  std::vector<dkim_result> dkim_results;  // uninterpreted
  std::vector<spf_result> spf_results;
  bool operator==(const report_row&) const = default;
};

struct report {
  std::string version;  // "1.0"; empty when absent
  report_metadata metadata;
  published_policy published;
  std::vector<report_row> rows;
  bool operator==(const report&) const = default;
};

// --- writing --------------------------------------------------------------------------------------------------

// Which schema the document follows. Receivers of RFC 7489 refuse neither's elements in practice, but a validating one
// knows only its own.
enum class report_format : std::uint8_t {
  rfc7489,  // no namespace, pct, HELO scope; what RFC 9990 added is left out
  rfc9990,  // urn:ietf:params:xml:ns:dmarc-2.0
};
// Well-formed XML in UTF-8 whatever the values hold; characters that XML forbids become "?".
std::string write_report(const report& what, report_format format = report_format::rfc7489);

// RFC 1952, one member. Never fails.
std::string gzip(std::string_view octets);

// receiver!policy-domain!begin!end[!id].xml.gz (RFC 7489 §7.2.1.1); what is no letter or digit in the id is left out.
std::string report_file_name(std::string_view receiver, const report& what, std::string_view id = {});

// The mail that carries one report: a text part and the compressed document.
struct report_mail {
  std::string from;        // mailbox, ASCII
  std::string from_name;   // display name, UTF-8; may be empty
  std::vector<std::string> to;   // mailboxes
  std::string submitter;   // domain of the receiver that reports
  std::string message_id;  // without angle brackets
  std::string boundary;    // of the MIME parts, 1 to 70 letters and digits; must not occur in the content
  std::chrono::sys_seconds date{};
  std::string compressed;  // gzip(write_report(…))
  std::string file_name;   // report_file_name(…)
};
// Lines end in CRLF; subject "Report Domain: … Submitter: … Report-ID: …".
std::string write_report_mail(const report& what, const report_mail& mail);

// --- reading --------------------------------------------------------------------------------------------------

// Against documents that were made to harm; each passed one is errc::limit_exceeded.
struct report_limits {
  std::size_t octets = base::limits::dmarc_report_octets;    // of one document, decompressed
  std::size_t ratio = base::limits::dmarc_report_ratio;      // decompressed octets for one compressed
  std::size_t entries = base::limits::dmarc_report_entries;  // files of a zip
  std::size_t depth = base::limits::dmarc_report_depth;      // nested elements
  std::size_t rows = base::limits::dmarc_report_rows;
};

// An XML document in any encoding that expat knows (UTF-8, UTF-16, ISO 8859-1, ASCII), with or without a byte order
// mark, in any namespace. A document type is refused, and with it every entity. Elements that are missing leave their
// members empty, unknown ones are passed over, of one that occurs twice where it may not the first counts.
// errc::malformed: no XML, or no <feedback>, or nothing in it that tells the domain.
base::result<report> parse_report(std::string_view xml, const report_limits& bounds = {});

// Reports in whatever they came in, told by the content and never by name or media type: a document, gzip, zip, or a
// message with one or more of them as attachments. errc::not_found when there is no report in it; else the first error
// when none of them can be read.
base::result<std::vector<report>> read_reports(std::string_view octets, const report_limits& bounds = {});

// --- summary --------------------------------------------------------------------------------------------------

struct summary_counts {
  std::uint64_t messages = 0;
  std::uint64_t passed = 0;  // DKIM or SPF aligned
  std::uint64_t dkim = 0, spf = 0;
  std::uint64_t quarantined = 0, rejected = 0;
  bool operator==(const summary_counts&) const = default;
};
struct source_summary {
  std::string source_ip;
  summary_counts counts;
  std::vector<std::string> header_from;  // sorted
};
struct domain_summary {
  std::string domain;
  std::size_t reports = 0;
  std::vector<std::string> reporters;  // organisations, sorted
  std::chrono::sys_seconds begin{}, end{};
  summary_counts counts;
  std::vector<source_summary> sources;  // most messages first
};
// One element a policy domain, sorted by name. A report that occurs twice (same reporter and id) counts once.
std::vector<domain_summary> summarise(std::span<const report> reports);

// Words of the schema.
std::string_view to_string(action what) noexcept;
std::string_view to_string(override_type type) noexcept;
std::string_view to_string(spf_scope scope) noexcept;   // "helo", "mfrom"
std::string_view to_string(discovery method) noexcept;  // "treewalk", "psl"

}  // namespace briefwerk::mailauth::dmarc
