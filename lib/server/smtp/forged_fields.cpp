#include "server/smtp/forged_fields.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"

namespace briefwerk::server {
namespace {

using mail::equals_ignoring_case;

bool begins_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return equals_ignoring_case(text.substr(0, prefix.size()), prefix);
}

bool is_arc_results(const mail::header_field& field) {
  return equals_ignoring_case(field.name, "ARC-Authentication-Results");
}

bool is_own_set(std::string_view value, const std::vector<unsigned>& own) {
  const auto read = mailauth::parse_arc_authentication_results(value);
  return read && read->instance && std::ranges::find(own, *read->instance) != own.end();
}

bool is_forged(const mail::header_field& field, const forgery_rules& rules) {
  // RFC 5321 §4.4: Return-Path is of the server that delivers.
  if (equals_ignoring_case(field.name, "Return-Path")) return true;
  if (rules.from_outside && (begins_with_ignoring_case(field.name, "X-Spam-") ||
                             begins_with_ignoring_case(field.name, "X-Briefwerk-"))) {
    return true;
  }
  if (equals_ignoring_case(field.name, "Authentication-Results"))
    return mailauth::claims_authserv_id(field.value, rules.authserv_id);
  if (!is_arc_results(field)) return false;
  return mailauth::claims_authserv_id(field.value, rules.authserv_id) && !is_own_set(field.value, rules.own_arc_sets);
}

}  // namespace

std::size_t remove_forged_fields(message_buffer& message, const forgery_rules& rules) {
  std::vector<std::pair<std::size_t, std::size_t>> found;
  std::size_t of_arc = 0;
  mail::header_reader reader(message.view());
  for (mail::header_field field; reader.next(field);) {
    if (!is_forged(field, rules)) continue;
    of_arc += is_arc_results(field);
    found.emplace_back(static_cast<std::size_t>(field.whole.data() - message.view().data()), field.whole.size());
  }
  for (auto it = found.rbegin(); it != found.rend(); ++it) message.erase(it->first, it->second);
  return of_arc;
}

std::size_t remove_forged_fields(edited_message& message, const forgery_rules& rules) {
  std::size_t of_arc = 0;
  message.remove_if([&](const mail::header_field& field) {
    const bool forged = is_forged(field, rules);
    of_arc += forged && is_arc_results(field);
    return forged;
  });
  return of_arc;
}

}  // namespace briefwerk::server
