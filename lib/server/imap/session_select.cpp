#include "search_context.hpp"
#include "session.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

base::task<void> session::run(const wire::select_command& command) {
  leave_mailbox();
  const auto where = co_await locate(std::string(command.mailbox), mail::rights::read);
  if (!where) {
    complete(refusal_of(where.error()));
    co_return;
  }
  const auto& info = where->info;
  if (!info.selectable) {
    machine_.complete(condition::no, codes::nonexistent, "Not a mailbox that can be selected");
    co_return;
  }
  auto opened = co_await mail().open(where->account, info.id);
  if (!opened) {
    complete(refusal_of(opened.error()));
    co_return;
  }
  selected_ = info.id;
  owner_ = where->account;
  rights_ = where->rights;
  selected_name_ = command.mailbox;
  selected_use_ = owner_ == account_ ? info.use.value_or(mail::special_use::none) : mail::special_use::none;
  if (owner_ != account_) leave();
  if (notify_ && !is_watching()) thread_.watch(mail(), owner_, *this);
  news_ = false;
  announced_ = latest_ = opened->messages;
  if (!announced_) opening_ = opened->pending;
  // RFC 4314 §5.2.
  constexpr auto changes = mail::rights::insert | mail::rights::expunge | mail::rights::seen | mail::rights::write |
                           mail::rights::mark;
  const bool read_only = command.read_only || (rights_ & changes) == 0;
  machine_.selected(read_only);
  take_recent(opened->now.uid_next);
  // Who asks for more than the mailbox's state waits for its messages.
  if (opening_ && (command.qresync || !recent_.empty())) {
    const bool open = co_await finish_opening();
    if (!open) co_return;
  }
  write_select_data(info, command.mailbox, *opened);
  modseq_told_ = machine_.is_condstore();
  if (command.qresync) {
    const bool sent = co_await write_resync(*command.qresync);
    if (!sent) co_return;
  }
  machine_.complete(condition::ok, read_only ? codes::read_only : codes::read_write, "Selected");
}

// RFC 9051 §6.3.2; UNSEEN and RECENT for those who have not enabled IMAP4rev2 (RFC 3501 §6.3.1).
void session::write_select_data(const store::mailbox_info& info, std::string_view name,
                                const store::opened_mailbox& opened) {
  auto& out = machine_.output();
  const auto& now = opened.now;
  out.flags(opened.keywords);
  out.exists(now.messages);
  if (!machine_.is_rev2()) {
    out.recent(announced_ ? count_recent(*announced_) : 0);
    if (opened.first_unseen && !machine_.is_uid_only()) out.ok(codes::unseen(*opened.first_unseen + 1), "First unseen message");
  }
  write_permanent_flags(opened.keywords);
  out.ok(codes::uid_validity(now.uid_validity), "UIDs valid");
  out.ok(codes::uid_next(now.uid_next), "Predicted next UID");
  if (options().offered.condstore) out.ok(codes::highest_modseq(now.highest_modseq), "Highest");
  if (options().offered.objectid) out.ok(codes::mailbox_id(id_of(owner_, info.id)), "Mailbox");
  if (machine_.is_rev2()) {
    wire::list_entry entry;
    entry.name = owner_ == account_ ? std::string_view(info.name) : name;
    out.list(entry);
  }
}

base::task<bool> session::finish_opening() {
  const auto pending = std::move(opening_);
  auto messages = co_await pending->get();
  if (!messages) {
    machine_.abort("", "The mailbox cannot be read");
    co_return false;
  }
  announced_ = latest_ = std::move(*messages);
  co_return true;
}

bool session::take_recent(std::uint32_t uid_next) {
  if (machine_.is_rev2()) return false;
  const auto first = service_.recent.first(owner_, selected_, uid_next, announced_.get(), !machine_.is_read_only());
  if (first >= uid_next) return false;
  recent_.insert(first, uid_next - 1);
  return true;
}

std::uint32_t session::count_recent(const store::mailbox_snapshot& in) const noexcept {
  std::size_t count = 0;
  for (const auto& range : recent_.ranges()) count += in.lower_bound(range.last + 1) - in.lower_bound(range.first);
  return static_cast<std::uint32_t>(count);
}

void session::leave_mailbox() noexcept {
  if (selected_ != 0 && owner_ != account_) leave();  // the watch is on that account
  selected_ = 0;
  owner_.clear();
  rights_ = mail::rights::all;
  opening_.reset();
  announced_.reset();
  latest_.reset();
  told_.clear();
  keywords_told_.clear();
  recent_.clear();
  if (notify_) notify_->own_uids.clear();
  contexts_.clear();
  saved_.clear();
  news_ = false;
}

base::task<void> session::run_close(bool expunges) {
  if (expunges && !machine_.is_read_only() && may(mail::rights::expunge)) {
    // Nothing is told of it (RFC 9051 §6.4.1), HIGHESTMODSEQ neither (RFC 7162 §3.2.8): others' changes before it are
    // not known to the client. What cannot be removed now stays marked.
    const auto removed = co_await mail().expunge(owner_, selected_, std::nullopt);
    if (!removed && removed.error() != store::errc::no_such_mailbox) {
      complete(refusal_of(removed.error()));
      co_return;
    }
  }
  leave_mailbox();
  machine_.unselected();
  machine_.complete(condition::ok, "", "Closed");
}

// Who never idles looks at the mailbox with each command anyway, and nobody has to be woken for it.
base::task<void> session::begin_idle() {
  // Before the mailbox is looked at, so that nothing slips in between.
  if (selected_ != 0 && !is_watching()) thread_.watch(mail(), owner_, *this);
  machine_.continue_idle();
  // What there is by now is told behind the continuation: Thunderbird hangs on what comes before it.
  news_ = selected_ != 0;
  co_return;
}

base::task<void> session::end_idle() { co_await finish(condition::ok, "", "Done", true, false); }

base::task<bool> session::refresh(bool may_expunge, bool by_uid) {
  news_ = false;
  if (selected_ == 0) co_return true;
  const bool allowed = co_await renew_rights();
  if (!allowed) co_return false;
  auto now = co_await mail().snapshot(owner_, selected_);
  if (!now) {
    // What else fails will be told by the command that needs it.
    if (now.error() != store::errc::no_such_mailbox) co_return true;
    machine_.abort("", "The mailbox was removed");
    co_return false;
  }
  // Another thread's older picture never replaces what this client has been told.
  if ((*now)->highest_modseq >= latest_->highest_modseq) latest_ = std::move(*now);
  if (machine_.is_condstore() && !std::exchange(modseq_told_, true)) {
    machine_.output().ok(codes::highest_modseq(announced_->highest_modseq), "Highest");  // RFC 7162 §3.1.2.1
  }
  if (latest_ == announced_) {
    told_.clear();
    co_return true;
  }
  // RFC 5465 §3.1: who asked for no events of the selected mailbox keeps the picture of it.
  if (notify_ && notify_->selected == 0 && !own_change_) co_return true;
  auto changes = wire::compare(*announced_, *latest_, told_, told_modseq_);
  if (!may_expunge && !changes.expunged.empty()) {
    news_ = notify_ && !notify_->delayed;  // told when no command is under way
    co_return true;
  }
  const auto first_new = static_cast<std::uint32_t>(latest_->lower_bound(announced_->uid_next));
  const bool tells_flags = !notify_ || (notify_->selected & wire::event_flag_change) != 0;
  if (!keywords_told_.empty() && latest_->keywords == keywords_told_) changes.keywords = false;
  if (!tells_flags && !own_change_) {
    changes.changed.clear();
    changes.keywords = false;
  }
  const bool more_recent = changes.arrived && take_recent(latest_->uid_next);
  index_ranges touched;
  if (!contexts_.empty()) {
    // What the client was told of by other answers changes results as well.
    const auto all = wire::compare(*announced_, *latest_);
    for (const auto index : all.changed) touched.push_back({index, index + 1});
    if (first_new < latest_->count()) touched.push_back({first_new, static_cast<std::uint32_t>(latest_->count())});
    tell_vanished_results(changes.vanished);
  }
  wire::write_changes(machine_.output(), *latest_, changes,
                      {.uid = by_uid || machine_.is_condstore() || notify_ != nullptr, .modseq = machine_.is_condstore(),
                       .vanished = machine_.is_qresync() || machine_.is_uid_only(),
                       .recent = &recent_, .tells_recent = more_recent,
                       .recent_count = count_recent(*latest_)});
  announced_ = latest_;
  told_.clear();
  told_modseq_ = 0;
  keywords_told_.clear();
  co_await tell_changed_results(touched, first_new);
  if (changes.arrived && notify_) co_await tell_new_messages(first_new);
  co_return !lost_;
}

base::task<void> session::finish(condition how, std::string_view code, std::string_view text, bool may_expunge, bool by_uid) {
  const bool alive = co_await refresh(may_expunge, by_uid);
  const bool shown = std::exchange(modseqs_shown_, false);
  if (!alive) co_return;
  // RFC 7162 §3.2: a client that is lost now must not take what it has not been told for known.
  if (shown && announced_ && latest_->highest_modseq > announced_->highest_modseq)
    machine_.output().ok(codes::highest_modseq(announced_->highest_modseq), "Later changes are still to be told");
  machine_.complete(how, code, text);
}

std::optional<session::selection> session::select_messages(const wire::number_set& set, bool by_uid) {
  auto ranges = wire::resolve(*announced_, set, by_uid, saved_);
  if (!ranges) {
    machine_.complete(condition::bad, "", "No such message");
    return std::nullopt;
  }
  selection out{.ranges = std::move(*ranges), .count = 0};
  out.count = wire::count_of(out.ranges);
  return out;
}

const store::message_entry* session::current(const store::message_entry& announced) const noexcept {
  return announced_ == latest_ ? &announced : latest_->find(announced.uid);
}

}  // namespace briefwerk::server::imap
