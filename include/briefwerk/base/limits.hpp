#pragma once

// Every bound of the library, with its name. Values are defaults; what an administrator may change is
// copied into the options of the part that obeys it. Sizes are in octets unless the name says otherwise.

#include <cstddef>
#include <cstdint>

namespace briefwerk::base::limits {

// SMTP, RFC 5321 §4.5.3.1 (minimum each server must take) and what is taken here.
inline constexpr std::size_t smtp_command_line = 2048;       // RFC 5321: 512, more with extensions (RFC 4954: 12288 for AUTH)
inline constexpr std::size_t smtp_auth_line = 12288;         // RFC 4954 §4.
inline constexpr std::size_t smtp_text_line = 1000;          // RFC 5321 §4.5.3.1.6, CRLF included; longer lines are stored as they are
inline constexpr std::size_t smtp_reply_line = 512;          // RFC 5321 §4.5.3.1.5; longer replies of a peer are cut
inline constexpr std::size_t smtp_reply_lines = 128;         // lines of one reply of a peer
inline constexpr std::size_t smtp_recipients = 1000;         // a transaction; RFC 5321 asks for 100
inline constexpr std::size_t smtp_transactions = 10000;      // a connection (LIMITS MAILMAX)
inline constexpr std::size_t smtp_bad_commands = 20;         // then 421
inline constexpr std::size_t smtp_auth_failures = 5;          // failed authentications of one connection, then 421
inline constexpr std::size_t smtp_received_headers = 100;    // RFC 5321 §6.3, loop detection
inline constexpr std::uint64_t message_size = 50ull << 20;   // SIZE, APPENDLIMIT

// Message format.
inline constexpr std::size_t address_local_part = 256;       // RFC 5321 §4.5.3.1.1: at least 64; VERP senders of lists exceed it
inline constexpr std::size_t address_domain = 255;           // RFC 5321 §4.5.3.1.2
inline constexpr std::size_t address_path = 998;             // SMTPUTF8 and quoting included
inline constexpr std::size_t header_fields = 2000;           // fields of one header block; the rest counts as body
inline constexpr std::size_t header_field_size = 256u << 10; // one field with its folding
inline constexpr std::size_t header_block_size = 1u << 20;
inline constexpr std::size_t mime_depth = 50;                // nested multiparts and messages; deeper is one opaque part
inline constexpr std::size_t mime_parts = 2000;              // of one message
inline constexpr std::size_t mime_parameters = 100;          // of one field
inline constexpr std::size_t addresses_per_field = 5000;

// IMAP.
inline constexpr std::size_t imap_command_line = 65536;      // without literals (RFC 7162 §4 asks for 8192)
inline constexpr std::size_t imap_literals_total = 1u << 20; // all literals of one command but APPEND's messages
inline constexpr std::size_t imap_nesting = 50;              // parentheses of one command
inline constexpr std::size_t imap_search_depth = 100;
inline constexpr std::size_t imap_search_keys = 2000;
inline constexpr std::size_t imap_set_ranges = 20000;        // ranges of one sequence set
inline constexpr std::size_t imap_bad_commands = 20;         // then BYE
inline constexpr std::size_t imap_auth_failures = 5;          // failed logins of one connection, then BYE
inline constexpr std::size_t imap_literals_before_login = 8192; // all literals of one command before the login
inline constexpr std::uint64_t imap_drained_octets = 256ull << 20; // a refused literal that is sent anyway; more: BYE
inline constexpr std::size_t imap_append_pieces = 1000;      // messages of one APPEND (RFC 3502)
inline constexpr std::size_t imap_mailbox_name = 1000;       // octets of UTF-8
inline constexpr std::size_t imap_mailbox_levels = 50;
inline constexpr std::uint64_t imap_append_total = 64u << 20; // their octets; one message alone has message_size as its limit
inline constexpr std::size_t imap_keywords = 48;             // a mailbox; fits beside the system flags in 64 bits

// SASL.
inline constexpr std::size_t sasl_message = 12288;
inline constexpr std::uint32_t scram_iterations_min = 4096;  // RFC 7677 §4
inline constexpr std::uint32_t scram_iterations_max = 1u << 20;
inline constexpr std::uint32_t scram_iterations_default = 10000; // of new passwords

// Delivery.
inline constexpr std::size_t next_hop_addresses = 10;        // tried for one group of recipients in one attempt; the rest waits

// DNS.
inline constexpr std::size_t dns_records = 512;              // of one answer
inline constexpr std::size_t dns_cname_chain = 16;

// SPF (RFC 7208 §4.6.4) and iprev (RFC 8601 §3).
inline constexpr unsigned spf_lookups = 10;                  // terms of one check that ask DNS
inline constexpr unsigned spf_void_lookups = 2;              // of them without an answer
inline constexpr unsigned spf_mx_names = 10;                 // of one mx mechanism
inline constexpr unsigned spf_ptr_names = 10;                // of one ptr mechanism or macro
inline constexpr std::size_t spf_record = 8192;              // octets; real ones have to fit a DNS answer
inline constexpr std::size_t spf_explanation = 1024;         // octets after expansion; longer ones are dropped
inline constexpr std::size_t spf_expansion = 16384;          // octets of one macro-string on its way to a name of 253
inline constexpr unsigned iprev_names = 10;                  // names of one address

// Authentication-Results (RFC 8601).
inline constexpr std::size_t authentication_results = 65536; // octets of one field's value
inline constexpr std::size_t authentication_methods = 256;   // results of one field
inline constexpr std::size_t authentication_properties = 64; // of one result
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
inline constexpr std::size_t dmarc_collected_domains = 10000; // policy domains between two writes to the store
inline constexpr std::size_t dmarc_collected_rows = 50000;   // rows of all of them

// DKIM (RFC 6376) and ARC (RFC 8617).
inline constexpr std::size_t rsa_bits = 8192;                // of a key; RFC 8301 §3.2 asks verifiers for 4096
inline constexpr std::size_t dkim_signatures = 10;           // of one message that are checked, from the top
inline constexpr std::size_t dkim_signature_size = 16384;    // the value of one DKIM-Signature or ARC field
inline constexpr std::size_t dkim_tags = 50;                 // of one tag list
inline constexpr std::size_t dkim_signed_fields = 500;       // names in one h= tag
inline constexpr std::size_t dkim_key_record = 8192;         // the text of one key record
inline constexpr std::size_t dkim_key_records = 3;           // under one name that are tried
inline constexpr std::size_t dkim_cached_keys = 2000;        // parsed public keys that are kept
inline constexpr std::size_t arc_sets = 50;                  // RFC 8617 §4.2.1
// PROXY protocol.
inline constexpr std::size_t proxy_header_v1 = 107;          // its own longest line, CRLF included
inline constexpr std::size_t proxy_header_v2 = 4096;         // with its additional fields; proxies send a few hundred octets
inline constexpr std::size_t proxy_headers_pending = 4096;   // connections of one listening socket whose header is to come

// Login guard.
inline constexpr std::size_t guard_manual_bans = 10000;      // networks that an administrator banned
inline constexpr std::size_t guard_reason = 200;             // of such a ban; longer ones are cut
inline constexpr std::size_t guard_allow = 1000;             // networks that are never banned

// Log.
inline constexpr std::size_t log_value = 1024;               // of one field

// Store.
inline constexpr std::size_t store_partition = 200;               // the name of a partition
inline constexpr std::size_t store_key = 2048;
inline constexpr std::size_t store_value = 16u << 20;
inline constexpr std::uint64_t store_blob = 1ull << 30;           // one message as stored
inline constexpr std::size_t store_expunge_history = 8192;        // removals of a mailbox that are remembered (RFC 7162 §3.2.7)
inline constexpr std::size_t state_pending = 200000;              // rows of one part that wait to be written
inline constexpr std::size_t alias_depth = 16;                    // aliases that lead to aliases
inline constexpr std::size_t alias_targets = 10000;               // of one alias
inline constexpr std::size_t alias_expansion = 20000;             // addresses looked at for one recipient
inline constexpr std::size_t store_encode_inline = 8192;          // blobs up to here are never compressed, so encoding costs nothing

// Sessions.
inline constexpr std::size_t session_input_buffer = 16384;   // taken while there is input, given back when idle
inline constexpr std::size_t message_in_memory = 1u << 20;   // larger messages arrive in a mapped temporary file

}  // namespace briefwerk::base::limits
