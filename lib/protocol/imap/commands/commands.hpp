#pragma once

// One parser a command. Each is called with the scanner behind the name, and reads to the end of the command.

#include <span>
#include <string_view>

#include "briefwerk/base/result.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "protocol/imap/scanner.hpp"

namespace briefwerk::protocol::imap {

base::result<command> parse_authenticate(scanner& in);
base::result<command> parse_cancel_update(scanner& in);
base::result<command> parse_compress(scanner& in);
base::result<command> parse_copy(scanner& in, bool by_uid);
base::result<command> parse_create(scanner& in);
base::result<command> parse_delete(scanner& in);
base::result<command> parse_delete_acl(scanner& in);
base::result<command> parse_enable(scanner& in);
base::result<command> parse_expunge(scanner& in, bool by_uid);
base::result<command> parse_fetch(scanner& in, bool by_uid);
base::result<command> parse_get_acl(scanner& in);
base::result<command> parse_get_metadata(scanner& in);
base::result<command> parse_get_quota(scanner& in);
base::result<command> parse_get_quota_root(scanner& in);
base::result<command> parse_id(scanner& in);
base::result<command> parse_list(scanner& in);
base::result<command> parse_list_rights(scanner& in);
base::result<command> parse_login(scanner& in);
base::result<command> parse_lsub(scanner& in);
base::result<command> parse_move(scanner& in, bool by_uid);
base::result<command> parse_multisearch(scanner& in);
base::result<command> parse_my_rights(scanner& in);
base::result<command> parse_notify(scanner& in);
base::result<command> parse_rename(scanner& in);
base::result<command> parse_search(scanner& in, bool by_uid);
base::result<command> parse_select(scanner& in, bool read_only);
base::result<command> parse_set_acl(scanner& in);
base::result<command> parse_set_metadata(scanner& in);
base::result<command> parse_set_quota(scanner& in);
base::result<command> parse_sort(scanner& in, bool by_uid);
base::result<command> parse_status(scanner& in);
base::result<command> parse_store(scanner& in, bool by_uid);
base::result<command> parse_subscribe(scanner& in, bool subscribe);
base::result<command> parse_thread(scanner& in, bool by_uid);

// entry (RFC 5464 §3.2): its name, checked.
bool read_entry(scanner& in, std::string_view& entry);
// "(" entry *(SP entry) ")"
bool read_entries(scanner& in, std::span<const std::string_view>& entries);

// A command without arguments.
template <class Command>
base::result<command> parse_bare(scanner& in) {
  if (!in.end()) return in.failure();
  return Command{};
}

}  // namespace briefwerk::protocol::imap
