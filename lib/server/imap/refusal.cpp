#include "refusal.hpp"

#include "briefwerk/base/result.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server::imap {
namespace {

namespace codes = protocol::imap::codes;

refusal of_store(store::errc why) noexcept {
  using enum store::errc;
  switch (why) {
    case no_such_mailbox: return {codes::nonexistent, "No such mailbox"};
    case mailbox_exists: return {codes::already_exists, "Mailbox exists already"};
    case bad_mailbox_name: return {codes::cannot, "Mailbox name cannot be used"};
    case has_children: return {codes::has_children, "Mailbox has mailboxes below it"};
    case not_permitted: return {codes::cannot, "Not possible with this mailbox"};
    case over_quota: return {codes::over_quota, "Quota exceeded"};
    case too_many_keywords: return {codes::limit, "Too many keywords in this mailbox"};
    case annotation_too_big: return {codes::limit, "Too big"};
    case too_many_annotations: return {codes::metadata_too_many, "Too many annotations"};
    case no_such_account: return {codes::unavailable, "Account is not available"};
    default: return {codes::server_bug, "Internal error"};
  }
}

refusal of_base(base::errc why) noexcept {
  using enum base::errc;
  switch (why) {
    case no_space: return {codes::unavailable, "No space left"};
    case conflict:
    case timed_out:
    case cancelled:
    case unavailable: return {codes::unavailable, "Try again later"};
    case limit_exceeded: return {codes::limit, "Too much"};
    case denied: return {codes::no_perm, "Not permitted"};
    case not_found: return {codes::nonexistent, "Not found"};
    case malformed:
    case unsupported: return {codes::cannot, "Not possible"};
    case corrupt: return {codes::corruption, "Stored data is damaged"};
    default: return {codes::server_bug, "Internal error"};
  }
}

}  // namespace

refusal refusal_of(std::error_code why) noexcept {
  if (why.category() == store::store_category()) return of_store(static_cast<store::errc>(why.value()));
  if (why.category() == base::base_category()) return of_base(static_cast<base::errc>(why.value()));
  if (why.category() == std::generic_category() || why.category() == std::system_category())
    return {codes::unavailable, "Try again later"};
  return {codes::server_bug, "Internal error"};
}

refusal refusal_of_target(std::error_code why) noexcept {
  if (why == make_error_code(store::errc::no_such_mailbox)) return {codes::try_create, "No such mailbox"};
  return refusal_of(why);
}

}  // namespace briefwerk::server::imap
