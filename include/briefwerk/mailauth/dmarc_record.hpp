#pragma once

// A domain's published policy as a value: the TXT record at _dmarc.DOMAIN (RFC 7489 §6.3, RFC 9989 §4.7).

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::mailauth::dmarc {

enum class policy : std::uint8_t { none, quarantine, reject };  // in the order of strictness
enum class alignment : std::uint8_t { relaxed, strict };
enum class suffix_flag : std::uint8_t { unknown, yes, no };  // psd: is the name a public suffix? (RFC 9989 §4.7)

std::string_view to_string(policy what) noexcept;                    // "none", "quarantine", "reject"
std::string_view to_string(alignment mode) noexcept;                 // "r", "s"
std::optional<policy> parse_policy(std::string_view word) noexcept;  // any case

struct report_uri {
  std::string uri;  // as written, without the size
  // Octets of the largest report that is wanted there ("!10m", RFC 7489 §6.2; RFC 9989 §4.7 calls it obsolete).
  std::optional<std::uint64_t> max_size;
  bool operator==(const report_uri&) const = default;
};
// The mailbox of a mailto URI (RFC 6068), percent-encoding resolved, header fields behind "?" dropped. Nothing for
// another scheme, for several addresses, and for what is no Mailbox of RFC 5321.
std::optional<std::string> mailto_address(std::string_view uri);

// When failure reports are wanted (fo).
struct failure_options {
  bool all_failed = true;   // 0: no mechanism gave an aligned pass
  bool any_failed = false;  // 1
  bool dkim = false;        // d
  bool spf = false;         // s
  bool operator==(const failure_options&) const = default;
};

// A tag that was passed over, or taken with its default.
struct record_issue {
  std::size_t position = 0;  // octet of the record
  std::string problem;       // for people, one line of printable ASCII: "p: neither none, quarantine nor reject"
  bool operator==(const record_issue&) const = default;
};

// Whose mail a tag speaks about: of the record's own name, of a name below it, of one that does not exist.
enum class subject : std::uint8_t { own, subdomain, missing_subdomain };

struct record {
  // Absent tags are empty; policy_for() has the defaults.
  std::optional<policy> p, sp, np;
  alignment adkim = alignment::relaxed;
  alignment aspf = alignment::relaxed;
  std::uint8_t pct = 100;  // RFC 7489; gone from RFC 9989
  bool testing = false;    // t=y
  suffix_flag psd = suffix_flag::unknown;
  failure_options fo;
  std::vector<std::string> rf;  // formats of failure reports, lower case; RFC 7489
  std::uint32_t ri = 86400;     // seconds between aggregate reports; RFC 7489
  std::vector<report_uri> rua;  // aggregate reports go there: any scheme, at most limits::dmarc_uris
  std::vector<report_uri> ruf;  // failure reports
  struct unknown_tag {
    std::string name, value;
    bool operator==(const unknown_tag&) const = default;
  };
  std::vector<unknown_tag> unknown;
  std::vector<record_issue> issues;
  // p cannot be used, or sp or np is there and cannot be, but somebody wants reports: all three are empty, and the
  // policy is none (RFC 7489 §6.6.3 (6), RFC 9989 §4.10.1).
  bool policy_unusable = false;

  policy policy_for(subject whom) const noexcept;  // np, else sp, else p, else none
  bool operator==(const record&) const = default;
};
std::string to_string(const failure_options& fo);  // "0", "1:d:s"

struct record_error {
  enum class kind_type : std::uint8_t {
    not_dmarc,  // does not begin with v=DMARC1: another TXT record, to be passed over
    unusable,   // as policy_unusable, and nobody wants reports: DMARC does not apply
    too_long,   // past limits::dmarc_record octets or limits::dmarc_tags tags
  };
  kind_type kind = kind_type::not_dmarc;
  std::size_t position = 0;
  std::string problem;
  bool operator==(const record_error&) const = default;
};

// What an absent p means: RFC 7489 §6.3 requires it, so a record without it is as one with a broken p; RFC 9989 §4.7
// reads none there, and keeps sp and np.
enum class edition : std::uint8_t { rfc7489, rfc9989 };

// Unknown tags are kept, unreadable ones noted in `issues` and replaced by their default; of a tag that occurs twice
// the first counts. Names of tags and keywords in any case, the version in its own; white space round "=" and ";".
std::expected<record, record_error> parse_record(std::string_view text, edition rules = edition::rfc9989);
// Does this TXT record claim to be DMARC: is v=DMARC1 its first tag?
bool is_record(std::string_view text) noexcept;

}  // namespace briefwerk::mailauth::dmarc
