#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

namespace {

// list-select-opts (RFC 5258 §6, RFC 6154 §6); "(" is still to come.
bool read_selection(scanner& in, list_command& list) {
  if (!in.expect('(')) return false;
  if (in.accept(')')) return true;
  do {
    if (in.accept_word("SUBSCRIBED")) list.select_subscribed = true;
    else if (in.accept_word("REMOTE")) list.select_remote = true;
    else if (in.accept_word("RECURSIVEMATCH")) list.recursive_match = true;
    else if (in.accept_word("SPECIAL-USE")) list.select_special_use = true;
    else return in.refuse(errc::bad_option);
  } while (in.more());
  if (!in.expect(')')) return false;
  // RFC 5258 §3.1: RECURSIVEMATCH needs an option that selects.
  return !list.recursive_match || list.select_subscribed || list.select_special_use || in.refuse(errc::bad_option);
}

// list-return-opts: "RETURN" SP "(" … ")"
bool read_return(scanner& in, list_command& list) {
  if (!in.accept_word("RETURN")) return in.refuse(errc::bad_option);
  if (!in.space() || !in.expect('(')) return false;
  if (in.accept(')')) return true;
  do {
    if (in.accept_word("SUBSCRIBED")) list.return_subscribed = true;
    else if (in.accept_word("CHILDREN")) list.return_children = true;
    else if (in.accept_word("SPECIAL-USE")) list.return_special_use = true;
    else if (in.accept_word("MYRIGHTS")) list.return_my_rights = true;  // RFC 8440 §5
    else if (in.accept_word("STATUS")) {
      if (!in.space() || !in.status_items_list(list.return_status)) return false;
    } else if (in.accept_word("METADATA")) {  // RFC 9590 §5
      if (!in.space() || !read_entries(in, list.return_metadata)) return false;
    } else {
      return in.refuse(errc::bad_option);
    }
  } while (in.more());
  return in.expect(')');
}

// mbox-or-pat = list-mailbox / "(" list-mailbox *(SP list-mailbox) ")"
bool read_patterns(scanner& in, list_command& list) {
  arena_list<std::string_view> patterns(in.memory());
  std::string_view pattern;
  if (!in.accept('(')) {
    if (!in.list_mailbox(pattern)) return false;
    patterns.push_back(pattern);
  } else {
    list.extended = true;
    do {
      if (!in.list_mailbox(pattern)) return false;
      if (patterns.size() == 256) return in.refuse(errc::too_many);
      patterns.push_back(pattern);
    } while (in.more());
    if (!in.expect(')')) return false;
  }
  list.patterns = patterns.view();
  return true;
}

}  // namespace

// list = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
base::result<command> parse_list(scanner& in) {
  list_command list;
  if (!in.space()) return in.failure();
  if (in.peek() == '(') {
    list.extended = true;
    if (!read_selection(in, list) || !in.space()) return in.failure();
  }
  if (!in.mailbox(list.reference) || !in.space() || !read_patterns(in, list)) return in.failure();
  if (!in.at_end()) {
    list.extended = true;
    if (!in.space() || !read_return(in, list) || !in.end()) return in.failure();
  }
  return list;
}

}  // namespace briefwerk::protocol::imap
