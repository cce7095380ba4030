#pragma once

// Response codes: what stands in the brackets of OK, NO, BAD and BYE (RFC 9051 §7.1, RFC 5530).

#include <cstdint>
#include <string>
#include <string_view>

#include "briefwerk/mail/uid_set.hpp"

namespace briefwerk::protocol::imap::codes {

inline constexpr std::string_view alert = "ALERT", already_exists = "ALREADYEXISTS",
                                  authentication_failed = "AUTHENTICATIONFAILED",
                                  authorization_failed = "AUTHORIZATIONFAILED", bad_charset = "BADCHARSET (US-ASCII UTF-8)",
                                  cannot = "CANNOT", client_bug = "CLIENTBUG", closed = "CLOSED",
                                  contact_admin = "CONTACTADMIN", corruption = "CORRUPTION", expired = "EXPIRED",
                                  expunge_issued = "EXPUNGEISSUED", has_children = "HASCHILDREN", in_use = "INUSE",
                                  limit = "LIMIT", nonexistent = "NONEXISTENT", no_perm = "NOPERM", not_saved = "NOTSAVED",
                                  over_quota = "OVERQUOTA", parse = "PARSE", privacy_required = "PRIVACYREQUIRED",
                                  read_only = "READ-ONLY", read_write = "READ-WRITE", server_bug = "SERVERBUG",
                                  too_big = "TOOBIG", try_create = "TRYCREATE", unavailable = "UNAVAILABLE",
                                  uid_not_sticky = "UIDNOTSTICKY", use_attr = "USEATTR",
                                  notification_overflow = "NOTIFICATIONOVERFLOW",
                                  // RFC 5465 §3.1: with all events that there are.
                                  bad_event = "BADEVENT (MessageNew MessageExpunge FlagChange MailboxName "
                                              "SubscriptionChange MailboxMetadataChange ServerMetadataChange)",
                                  uid_required = "UIDREQUIRED", compression_active = "COMPRESSIONACTIVE", no_modseq = "NOMODSEQ";

std::string uid_validity(std::uint32_t value);
std::string uid_next(std::uint32_t value);
std::string unseen(std::uint32_t sequence);            // RFC 3501 §7.1, first message without \Seen
std::string highest_modseq(std::uint64_t value);       // RFC 7162 §3.1.2.1
std::string modified(const mail::uid_set& numbers);    // RFC 7162 §3.1.3
std::string append_uid(std::uint32_t uid_validity, const mail::uid_set& uids);  // RFC 4315 §3, RFC 3502
// Both sets in the same order (RFC 4315 §3). The numbers must be ascending in both, as stores give them.
std::string copy_uid(std::uint32_t uid_validity, const mail::uid_set& from, const mail::uid_set& to);
// RFC 9738 §3.1; `lowest`: the lowest UID that was dealt with, 0: none.
std::string message_limit(std::uint32_t most, std::uint32_t lowest);
std::string bad_url(std::string_view url);             // RFC 4469 §4.1
std::string mailbox_id(std::string_view id);           // RFC 8474 §4.1
inline constexpr std::string_view metadata_too_many = "METADATA TOOMANY";  // RFC 5464 §4.3
std::string metadata_max_size(std::uint64_t octets);
std::string metadata_long_entries(std::uint64_t octets);  // RFC 5464 §4.2.1

}  // namespace briefwerk::protocol::imap::codes
