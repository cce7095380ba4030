#pragma once

// Who a message says it is from: what Submission compares with what the account may use.

#include <string_view>
#include <variant>
#include <vector>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"

namespace briefwerk::server {

// Every address of From and Sender, groups resolved (RFC 5322 §3.6.2, RFC 6854), each once; or the refusal of a header
// that names nobody, or in more than one field, since programs differ in which of two From fields they show.
std::variant<std::vector<mail::mailbox_address>, protocol::smtp::reply> authors_of(std::string_view message);

}  // namespace briefwerk::server
