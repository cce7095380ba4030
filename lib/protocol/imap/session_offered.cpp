// Refuses parts of commands whose capability is switched off.

#include "protocol/imap/session_work.hpp"

namespace briefwerk::protocol::imap {
namespace {

// Whether everything the command uses is offered. IMAP4rev2 includes what RFC 9051 appendix E lists.
struct offered_parts {
  const server_options& options;
  const capabilities& offered = options.offered;

  bool operator()(const create_command& create) const {
    return offered.create_special_use || (create.use.empty() && !create.unknown_use);
  }
  bool operator()(const select_command& select) const {
    return (!select.condstore || offered.condstore) && (!select.qresync || offered.qresync);
  }
  bool operator()(const list_command& list) const {
    if (list.extended && !offered.list_extended && !offered.imap4rev2) return false;
    if (list.return_status != 0 && ((!offered.list_status && !offered.imap4rev2) || !items(list.return_status))) return false;
    if (list.return_my_rights && !offered.acl) return false;
    if (!list.return_metadata.empty() && !offered.list_metadata) return false;
    return offered.special_use || (!list.select_special_use && !list.return_special_use);
  }
  bool operator()(const status_command& status) const { return items(status.items); }
  bool items(status_items wanted) const {
    return ((wanted & status_size) == 0 || offered.status_size || offered.imap4rev2) &&
           ((wanted & status_highest_modseq) == 0 || offered.condstore) &&
           ((wanted & status_deleted_storage) == 0 || offered.quota) &&
           ((wanted & status_append_limit) == 0 || offered.append_limit) &&
           ((wanted & status_mailbox_id) == 0 || offered.objectid);
  }
  bool operator()(const fetch_command& fetch) const {
    const auto uses = [&](fetch_kind kind) { return (fetch.kinds & bit(kind)) != 0; };
    if (uses(fetch_kind::binary) || uses(fetch_kind::binary_size)) {
      if (!offered.binary && !offered.imap4rev2) return false;
    }
    if ((uses(fetch_kind::modseq) || fetch.changed_since) && !offered.condstore) return false;
    if ((uses(fetch_kind::email_id) || uses(fetch_kind::thread_id)) && !offered.objectid) return false;
    if (uses(fetch_kind::save_date) && !offered.savedate) return false;
    if (uses(fetch_kind::preview) && !offered.preview) return false;
    if (fetch.partial && !offered.partial) return false;
    return !fetch.vanished || offered.qresync;
  }
  bool operator()(const store_command& store) const { return !store.unchanged_since || offered.condstore; }
  bool operator()(const search_command& search) const {
    if (search.extended && !offered.esearch && !offered.imap4rev2) return false;
    if ((search.returns & return_update) != 0 && !offered.context) return false;
    if (!search.update_items.empty() && !offered.notify) return false;
    if ((search.returns & return_partial) != 0 && !offered.context && !offered.partial) return false;
    if ((search.returns & return_save) != 0 && !offered.searchres && !offered.imap4rev2) return false;
    if (!offered.fuzzy && ((search.returns & return_relevancy) != 0 || search.program.is_fuzzy())) return false;
    for (const auto& node : search.program.nodes) {
      switch (node.key) {
        case search_key::younger:
        case search_key::older:
          if (!offered.within) return false;
          break;
        case search_key::modseq:
          if (!offered.condstore) return false;
          break;
        case search_key::uid_after:
        case search_key::uid_before:
          if (options.message_limit == 0) return false;
          break;
        case search_key::email_id:
        case search_key::thread_id:
          if (!offered.objectid) return false;
          break;
        case search_key::saved_before:
        case search_key::saved_on:
        case search_key::saved_since:
          if (!offered.savedate) return false;
          break;
        default: break;
      }
    }
    return true;
  }
  bool operator()(const sort_command& sort) const { return (*this)(sort.search); }
  bool operator()(const multisearch_command& search) const { return (*this)(search.search); }
  bool operator()(const thread_command& thread) const { return (*this)(search_command{.program = thread.program}); }
  template <class Other>
  bool operator()(const Other&) const {
    return true;
  }
};

// RFC 7162 §3.1: a command that uses CONDSTORE turns it on.
struct enables_condstore {
  bool operator()(const select_command& select) const { return select.condstore; }
  bool operator()(const status_command& status) const { return (status.items & status_highest_modseq) != 0; }
  bool operator()(const fetch_command& fetch) const {
    return fetch.changed_since.has_value() || (fetch.kinds & bit(fetch_kind::modseq)) != 0;
  }
  bool operator()(const store_command& store) const { return store.unchanged_since.has_value(); }
  bool operator()(const search_command& search) const { return has_modseq(search.program); }
  bool operator()(const sort_command& sort) const { return has_modseq(sort.search.program); }
  bool operator()(const multisearch_command& search) const { return has_modseq(search.search.program); }
  bool operator()(const thread_command& thread) const { return has_modseq(thread.program); }
  static bool has_modseq(const search_program& program) {
    for (const auto& node : program.nodes) {
      if (node.key == search_key::modseq) return true;
    }
    return false;
  }
  template <class Other>
  bool operator()(const Other&) const {
    return false;
  }
};

// RFC 9586 §3: no sequence numbers in what is asked.
struct names_sequence_numbers {
  bool operator()(const select_command& select) const { return select.qresync && select.qresync->match_sequences; }
  bool operator()(const search_command& search) const { return of(search.program); }
  bool operator()(const sort_command& sort) const { return of(sort.search.program); }
  bool operator()(const multisearch_command& search) const { return of(search.search.program); }
  bool operator()(const thread_command& thread) const { return of(thread.program); }
  static bool of(const search_program& program) {
    for (const auto& node : program.nodes) {
      if (node.key == search_key::sequence && !node.set.saved) return true;
    }
    return false;
  }
  template <class Other>
  bool operator()(const Other&) const {
    return false;
  }
};

}  // namespace

std::optional<server_session::refusal> server_session::check_offered(const imap::command& parsed) const {
  if (!std::visit(offered_parts{options_}, parsed)) return refusal{condition::bad, {}, "Not offered"};
  if (uid_only_ && std::visit(names_sequence_numbers{}, parsed)) {
    return refusal{condition::bad, codes::uid_required, "Only UIDs are used here"};
  }
  // RFC 7162 §3.2.5, §3.2.6: after ENABLE QRESYNC only.
  const auto* const select = std::get_if<select_command>(&parsed);
  const auto* const fetch = std::get_if<fetch_command>(&parsed);
  if (!qresync_ && ((select != nullptr && select->qresync) || (fetch != nullptr && fetch->vanished))) {
    return refusal{condition::bad, {}, "QRESYNC is not enabled"};
  }
  return {};
}

void server_session::note_condstore(const imap::command& parsed) {
  if (!condstore_ && options_.offered.condstore) condstore_ = std::visit(enables_condstore{}, parsed);
}

}  // namespace briefwerk::protocol::imap
