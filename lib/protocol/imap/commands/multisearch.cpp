#include "briefwerk/base/limits/imap.hpp"
#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/commands/mailbox_filters.hpp"
#include "protocol/imap/commands/search_parts.hpp"

namespace briefwerk::protocol::imap {
namespace {

// esearch-source-opts = "IN" SP "(" filter-mailboxes *(SP filter-mailboxes) ")"; "IN" SP is read. There are no scope
// options.
bool read_sources(scanner& in, multisearch_command& search) {
  arena_list<mailbox_filter> sources(in.memory());
  if (!in.expect('(')) return false;
  do {
    mailbox_filter source;
    if (!read_mailbox_filter(in, source)) return false;
    if (source.scope == mailbox_scope::selected_delayed) return in.refuse(errc::bad_option);
    if (sources.size() == base::limits::imap_notify_groups) return in.refuse(errc::too_many);
    sources.push_back(source);
  } while (in.more());
  search.sources = sources.view();
  return in.expect(')');
}

}  // namespace

// esearch = "ESEARCH" [SP esearch-source-opts] [SP search-return-opts] SP search-program (RFC 7377 §4)
base::result<command> parse_multisearch(scanner& in) {
  multisearch_command parsed;
  auto& search = parsed.search;
  search.by_uid = search.extended = true;  // §2.1
  if (!in.space()) return in.failure();
  if (in.accept_text("IN ") && (!read_sources(in, parsed) || !in.space())) return in.failure();
  if (!read_search_arguments(in, search) && !keep_refused(in, search)) return in.failure();
  if (search.returns == 0) search.returns = return_all;
  return parsed;
}

}  // namespace briefwerk::protocol::imap
