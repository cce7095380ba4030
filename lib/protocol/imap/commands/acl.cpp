#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

namespace {

constexpr std::size_t longest_identifier = 1000;

// identifier = astring
bool read_identifier(scanner& in, std::string_view& identifier) {
  if (!in.astring(identifier)) return false;
  return (!identifier.empty() && identifier != "-" && identifier.size() <= longest_identifier) ||
         in.refuse(errc::bad_argument);
}

// mod-rights = astring: "+" to add, "-" to remove, else in place of what there was
bool read_rights(scanner& in, set_acl_command& set) {
  std::string_view text;
  if (!in.astring(text)) return false;
  if (text.starts_with('+')) set.how = rights_change::add;
  if (text.starts_with('-')) set.how = rights_change::remove;
  if (set.how != rights_change::replace) text.remove_prefix(1);
  const auto rights = mail::parse_rights(text);
  if (!rights) return in.refuse(errc::bad_right);
  set.rights = *rights;
  return true;
}

}  // namespace

// setacl = "SETACL" SP mailbox SP identifier SP mod-rights (RFC 4314 §7)
base::result<command> parse_set_acl(scanner& in) {
  set_acl_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.space() || !read_identifier(in, parsed.identifier) || !in.space() ||
      !read_rights(in, parsed) || !in.end()) {
    return in.failure();
  }
  return parsed;
}

// deleteacl = "DELETEACL" SP mailbox SP identifier
base::result<command> parse_delete_acl(scanner& in) {
  delete_acl_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.space() || !read_identifier(in, parsed.identifier) || !in.end())
    return in.failure();
  return parsed;
}

// getacl = "GETACL" SP mailbox
base::result<command> parse_get_acl(scanner& in) {
  get_acl_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.end()) return in.failure();
  return parsed;
}

// listrights = "LISTRIGHTS" SP mailbox SP identifier
base::result<command> parse_list_rights(scanner& in) {
  list_rights_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.space() || !read_identifier(in, parsed.identifier) || !in.end())
    return in.failure();
  return parsed;
}

// myrights = "MYRIGHTS" SP mailbox
base::result<command> parse_my_rights(scanner& in) {
  my_rights_command parsed;
  if (!in.space() || !in.mailbox(parsed.mailbox) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap
