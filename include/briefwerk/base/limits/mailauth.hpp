#pragma once

// Bounds of the room mailauth; see briefwerk/base/limits.hpp.

#include <cstddef>

namespace briefwerk::base::limits {

// SPF (RFC 7208 §4.6.4) and iprev (RFC 8601 §3).
inline constexpr unsigned spf_lookups = 10;                  // terms of one check that ask DNS
inline constexpr unsigned spf_void_lookups = 2;              // of them without an answer
inline constexpr unsigned spf_mx_names = 10;                 // of one mx mechanism
inline constexpr unsigned spf_ptr_names = 10;                // of one ptr mechanism or macro
inline constexpr unsigned spf_seconds = 20;                  // of one check
inline constexpr std::size_t spf_record = 8192;              // octets; real ones have to fit a DNS answer
inline constexpr std::size_t spf_explanation = 1024;         // octets after expansion; longer ones are dropped
inline constexpr std::size_t spf_expansion = 16384;          // octets of one macro-string on its way to a name of 253
inline constexpr unsigned iprev_names = 10;                  // names of one address

// Authentication-Results (RFC 8601).
inline constexpr std::size_t authentication_results = 65536; // octets of one field's value
inline constexpr std::size_t authentication_methods = 256;   // results of one field
inline constexpr std::size_t authentication_properties = 64; // of one result
inline constexpr std::size_t authentication_value = 640;     // octets of one value as written, longer than any address
inline constexpr std::size_t authentication_comment_depth = 32;

// DMARC.
inline constexpr std::size_t dmarc_record = 8192;            // one TXT record at _dmarc
inline constexpr std::size_t dmarc_tags = 100;               // of one record
inline constexpr std::size_t dmarc_uris = 10;                // of one rua or ruf
inline constexpr std::size_t dmarc_tree_walk = 8;            // questions for one domain (RFC 9989 §4.10)
inline constexpr std::size_t dmarc_from_field = 16384;       // From fields of one message together
inline constexpr std::size_t dmarc_author_domains = 4;       // of one message that are looked at; one is right
inline constexpr std::size_t dmarc_identifiers = 20;         // DKIM domains of one message that are compared
inline constexpr std::size_t dmarc_report_octets = 64u << 20; // one aggregate report, decompressed
inline constexpr std::size_t dmarc_report_ratio = 200;       // decompressed octets for one compressed
inline constexpr std::size_t dmarc_report_entries = 20;      // files of one zip, and reports of one message
inline constexpr std::size_t dmarc_report_depth = 32;        // nested elements
inline constexpr std::size_t dmarc_report_rows = 100000;     // of one report
inline constexpr std::size_t dmarc_report_text = 4096;       // of one element; the rest is cut
inline constexpr std::size_t dmarc_report_results = 100;     // DKIM results of one row (RFC 9990 §3.1.3), SPF results, reasons
inline constexpr std::size_t dmarc_collected_domains = 10000; // policy domains whose rows wait for their day's end
inline constexpr std::size_t dmarc_collected_rows = 50000;   // of all of them
inline constexpr std::size_t dmarc_collected_domain_rows = 10000; // of one

// DKIM (RFC 6376) and ARC (RFC 8617).
inline constexpr std::size_t dkim_signatures = 10;           // of one message that are checked, from the top
inline constexpr std::size_t dkim_body_hashes = 8;           // different ones of one message; l= makes one of its own
inline constexpr std::size_t dkim_signature_size = 16384;    // the value of one DKIM-Signature or ARC field
inline constexpr std::size_t dkim_tags = 50;                 // of one tag list
inline constexpr std::size_t dkim_signed_fields = 500;       // names in one h= tag
inline constexpr std::size_t dkim_key_record = 8192;         // the text of one key record
inline constexpr std::size_t dkim_key_records = 3;           // under one name that are tried
inline constexpr std::size_t dkim_cached_keys = 2000;        // parsed public keys that are kept
inline constexpr std::size_t arc_sets = 50;                  // RFC 8617 §4.2.1

}  // namespace briefwerk::base::limits
