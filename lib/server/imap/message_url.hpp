#pragma once

// The URLs of IMAP that name a message or a part of one (RFC 5092), as CATENATE takes them. Pure.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace briefwerk::server::imap {

struct message_url {
  std::string mailbox;  // UTF-8; empty: the selected one
  std::optional<std::uint32_t> uid_validity;
  std::uint32_t uid = 0;
  std::string section;  // what stands in BODY[…]; empty: the whole message
  std::string partial;  // "0.100"; empty: all
};

// "/INBOX;UIDVALIDITY=7/;UID=20/;SECTION=1.2/;PARTIAL=0.100", ";UID=20" of the selected mailbox, or either with
// "imap://user@host" before it, where `login` is the user's name. Nothing for what is no such URL, or another user's.
std::optional<message_url> parse_message_url(std::string_view url, std::string_view login);

}  // namespace briefwerk::server::imap
