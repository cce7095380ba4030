#include "server/smtp/authors.hpp"

#include <algorithm>

#include "briefwerk/mail/header.hpp"

namespace briefwerk::server {
namespace {

using protocol::smtp::reply;
using list = std::vector<mail::mailbox_address>;

// RFC 7372 has no code for these; 5.7.1 is a refusal by policy.
constexpr reply no_author{550, {5, 7, 1}, "The message has no From address"};
constexpr reply two_fields{550, {5, 7, 1}, "The message has more than one From or Sender field"};
constexpr reply unreadable{550, {5, 7, 1}, "A From or Sender address of the message cannot be read"};

// False for an element that is no address.
bool add_addresses(std::string_view value, list& to) {
  for (mail::list_address& one : mail::parse_address_list(value)) {
    if (one.kind != mail::list_address::kind_type::mailbox) continue;
    if (one.local.empty() || one.domain.empty()) return false;
    mail::mailbox_address address{std::move(one.local), std::move(one.domain)};
    if (std::ranges::find(to, address) == to.end()) to.push_back(std::move(address));
  }
  return true;
}

}  // namespace

std::variant<list, reply> authors_of(std::string_view message) {
  list authors, senders;
  std::size_t from_fields = 0, sender_fields = 0;
  mail::header_reader reader(message);
  for (mail::header_field field; reader.next(field);) {
    const bool is_from = mail::equals_ignoring_case(field.name, "From");
    if (!is_from && !mail::equals_ignoring_case(field.name, "Sender")) continue;
    if (++(is_from ? from_fields : sender_fields) > 1) return two_fields;
    if (!add_addresses(field.value, is_from ? authors : senders)) return unreadable;
  }
  if (authors.empty()) return no_author;
  for (mail::mailbox_address& one : senders) {
    if (std::ranges::find(authors, one) == authors.end()) authors.push_back(std::move(one));
  }
  return authors;
}

}  // namespace briefwerk::server
