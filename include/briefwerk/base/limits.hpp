#pragma once

// Every bound of the library, with its name. Values are defaults; what an administrator may change is
// copied into the options of the part that obeys it. Sizes are in octets unless the name says otherwise.
// Here stands what many rooms need; a room's own bounds are in briefwerk/base/limits/ROOM.hpp, so that a new one does
// not compile everything anew.

#include <cstddef>
#include <cstdint>

namespace briefwerk::base::limits {

// SMTP, RFC 5321 §4.5.3.1 (minimum each server must take) and what is taken here.
inline constexpr std::size_t smtp_command_line = 2048;       // RFC 5321: 512, more with extensions (RFC 4954: 12288 for AUTH)
inline constexpr std::size_t smtp_auth_line = 12288;         // RFC 4954 §4.
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

// Cryptography.
inline constexpr std::size_t rsa_bits = 8192;                // of a key; RFC 8301 §3.2 asks verifiers for 4096

// Delivery.
inline constexpr std::size_t next_hop_addresses = 10;        // tried for one group of recipients in one attempt; the rest waits
inline constexpr std::size_t next_host_addresses = 4;        // of them, of one host that is not the last of its domain

// DNS.
inline constexpr std::size_t dns_records = 512;              // of one answer
inline constexpr std::size_t dns_cname_chain = 16;

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
