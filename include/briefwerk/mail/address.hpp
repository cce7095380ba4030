#pragma once

// Mail addresses: the Mailbox of SMTP (RFC 5321 §4.1.2, RFC 6531 §3.3) and the address lists of header fields
// (RFC 5322 §3.4, RFC 6532 §3.2, obsolete forms of §4.4 included).

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"

namespace briefwerk::mail {

// Equality compares the octets; compare normalised keys to ask whether two addresses are one.
struct mailbox_address {
  std::string local;   // the value: without quotes and backslashes
  std::string domain;  // as written; an address literal with its brackets: "[192.0.2.1]", "[IPv6:2001:db8::1]"
  auto operator<=>(const mailbox_address&) const = default;
};

// Whether UTF-8 may stand in an address: only in a transaction with SMTPUTF8 (RFC 6531 §3.4).
enum class utf8 : bool { refuse, allow };

// RFC 5321 Mailbox, strictly: Local-part "@" ( Domain / address-literal ), nothing round it, no comments, no
// obsolete forms. errc::malformed; errc::limit_exceeded past limits::address_local_part (octets, without quotes) or
// limits::address_domain.
base::result<mailbox_address> parse_mailbox(std::string_view text, utf8 allowed = utf8::refuse);

// The same without a copy: views into `text`, the local part as written, with its quotes and backslashes.
struct mailbox_view {
  std::string_view local;
  std::string_view domain;
};
base::result<mailbox_view> split_mailbox(std::string_view text, utf8 allowed = utf8::refuse) noexcept;

// RFC 5321 Domain (letters, digits, hyphens inside labels of at most 63 octets; UTF-8 labels when allowed), no
// trailing dot.
bool is_domain(std::string_view text, utf8 allowed = utf8::refuse) noexcept;
// RFC 5321 §4.1.3, with its brackets. IPv4 and IPv6 literals only: no General-address-literal is registered.
bool is_address_literal(std::string_view text) noexcept;

// RFC 5321 Dot-string? If not, the local part needs quotes.
bool is_dot_atom(std::string_view text) noexcept;

// local@domain, the local part in quotes only where it has to be.
std::string format_mailbox(const mailbox_address& address);
void append_mailbox(std::string& out, const mailbox_address& address);

// The domain as A-labels in lower case (UTS 46 non-transitional, RFC 5891); an ASCII domain is only lowered, so that
// names with underscores and the like pass. Address literals are lowered. errc::malformed.
base::result<std::string> domain_to_ascii(std::string_view domain);
// The domain with U-labels, for people to read; what cannot be converted stays as it is.
std::string domain_to_unicode(std::string_view domain);

// One key for one address: local@domain with the domain as domain_to_ascii (or merely lowered when that fails) and
// the local part as it is, since only its owner may fold it (RFC 5321 §2.4), in NFC when it is UTF-8.
std::string normalised_key(const mailbox_address& address);

// One element of an address list in a header field.
struct list_address {
  enum class kind_type : unsigned char { mailbox, group_begin, group_end };
  kind_type kind = kind_type::mailbox;
  std::string name;    // display name or group name: quotes and comments resolved, encoded-words left as they are
  std::string route;   // obs-route as written: "@a.example,@b.example"
  std::string local;   // unquoted
  std::string domain;  // "" when the element had none
  bool operator==(const list_address&) const = default;
};

// Reads the value of From, To and the like, folding included. Tolerant: never fails, a broken element is described
// as well as it can be and never loses the others. At most limits::addresses_per_field elements. A comment after an
// address without display name is taken as its name (RFC 5322 §3.4 mentions that old use). Bytes are not checked to be UTF-8.
std::vector<list_address> parse_address_list(std::string_view value);

// Formats a display name and an address for a header field: quotes where needed, encoded-words for what is not
// ASCII. Not folded: write_header_field does that.
std::string format_address(std::string_view display_name, const mailbox_address& address);

}  // namespace briefwerk::mail
