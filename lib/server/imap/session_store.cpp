#include "session.hpp"

#include <algorithm>

#include "briefwerk/mail/header.hpp"
#include "yield.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

// As far as they may be changed (RFC 4314 §4).
store::flag_list to_store(const wire::flag_list& from, mail::flag_set changeable) {
  store::flag_list out;
  out.system = from.system & changeable;
  if ((changeable & mail::flags::keyword_mask) != 0) out.keywords.assign(from.keywords.begin(), from.keywords.end());
  out.kept = ~changeable & (mail::flags::system_mask | mail::flags::keyword_mask);
  return out;
}

// Whether nothing of a change may be made.
bool is_forbidden(const wire::store_command& command, mail::flag_set changeable, const store::flag_list& left) noexcept {
  const bool any = command.flags.system != 0 || !command.flags.keywords.empty();
  if (command.how == wire::store_how::replace) return changeable == 0;
  return any && left.system == 0 && left.keywords.empty();
}

store::flag_change to_store(wire::store_how how) noexcept {
  switch (how) {
    case wire::store_how::add: return store::flag_change::add;
    case wire::store_how::remove: return store::flag_change::remove;
    default: return store::flag_change::replace;
  }
}

mail::flag_set applied(mail::flag_set before, wire::store_how how, mail::flag_set change) noexcept {
  switch (how) {
    case wire::store_how::add: return before | change;
    case wire::store_how::remove: return before & ~change;
    default: return change;
  }
}

mail::flag_set bits_of(const wire::flag_list& list, std::span<const std::string> keywords) noexcept {
  mail::flag_set bits = list.system;
  for (const auto name : list.keywords)
    for (std::size_t slot = 0; slot < keywords.size() && slot < mail::flags::keyword_slots; ++slot)
      if (mail::equals_ignoring_case(keywords[slot], name)) bits |= mail::keyword_bit(static_cast<unsigned>(slot));
  return bits;
}

// Finds messages by ascending uid, without searching the mailbox for each that follows the one before.
class ascending_finder {
 public:
  explicit ascending_finder(const store::mailbox_snapshot& in) noexcept : pages_(in.pages()) {}
  // Null when there is none. `uid` is above that of the call before.
  const store::message_entry* find(std::uint32_t uid) {
    if (!pages_.empty() && pages_.front()->back().uid < uid) {
      const auto is_before = [&](const auto& page) { return page->back().uid < uid; };
      const bool next = pages_.size() > 1 && !is_before(pages_[1]);
      const auto skipped = next ? 1 : std::partition_point(pages_.begin(), pages_.end(), is_before) - pages_.begin();
      pages_ = pages_.subspan(static_cast<std::size_t>(skipped));
      at_ = 0;
    }
    if (pages_.empty()) return nullptr;
    const auto& page = *pages_.front();
    while (page[at_].uid < uid) ++at_;
    return page[at_].uid == uid ? &page[at_] : nullptr;
  }

 private:
  std::span<const store::mailbox_snapshot::page* const> pages_;
  std::size_t at_ = 0;
};

bool begins_with(std::span<const std::string> all, std::span<const std::string> beginning) noexcept {
  return all.size() >= beginning.size() && std::equal(beginning.begin(), beginning.end(), all.begin());
}

}  // namespace

base::task<void> session::run(const wire::store_command& command) {
  if (machine_.is_read_only()) {
    machine_.complete(condition::no, codes::no_perm, "Mailbox was opened read-only");
    co_return;
  }
  const bool alive = co_await refresh(false, command.by_uid);
  if (!alive) co_return;
  auto what = select_messages(command.messages, command.by_uid);
  if (!what) co_return;
  const std::uint32_t lowest = keep_highest(*what);
  if (what->count == 0) {
    co_await finish(condition::ok, "", "Nothing to do", command.by_uid, command.by_uid);
    co_return;
  }
  auto uids = wire::uids_of(*announced_, what->ranges);
  const auto changeable = mail::changeable_flags(rights_);
  auto flags = to_store(command.flags, changeable);
  if (is_forbidden(command, changeable, flags)) {
    co_await finish(condition::no, codes::no_perm, "These flags may not be changed", command.by_uid, command.by_uid);
    co_return;
  }
  auto done = co_await mail().change_flags(owner_, selected_, std::move(uids), to_store(command.how), std::move(flags),
                                           command.unchanged_since);
  if (!done) {
    const auto why = refusal_of(done.error());
    co_await finish(condition::no, why.code, why.text, command.by_uid, command.by_uid);
    co_return;
  }
  if (has_listener() && owner_ == account_) report_flags(command, done->changed, *latest_);
  if (done->after->highest_modseq >= latest_->highest_modseq) latest_ = done->after;
  if (command.silent && !command.unchanged_since && !machine_.is_condstore()) {  // RFC 7162 §3.1.3, §3.2: or MODSEQ is told
    remember_silent(command, *what, done->changed);
  } else {
    const bool sent = co_await write_stored(command, *what, done->changed);
    if (!sent) co_return;
  }
  if (done->modified.empty()) {
    const std::string code = limited("", lowest);
    co_await finish(condition::ok, code, "Stored", command.by_uid, command.by_uid);
    co_return;
  }
  mail::uid_set modified;
  for (const std::uint32_t uid : done->modified)
    modified.insert(command.by_uid ? uid : static_cast<std::uint32_t>(announced_->lower_bound(uid) + 1));
  const std::string code = limited(codes::modified(modified), lowest);
  co_await finish(condition::ok, code, "Some messages were changed by others", command.by_uid, command.by_uid);
}

base::task<bool> session::write_stored(const wire::store_command& command, const selection& what,
                                       std::span<const std::uint32_t> changed) {
  const auto known = announced_;
  mail::uid_set told;
  tell_new_keywords();
  const auto bits = bits_of(command.flags, latest_->keywords);
  // RFC 9051 §6.4.6: after .SILENT the client reckons the flags itself, and is told what it cannot know.
  const bool reckons = command.silent && begins_with(latest_->keywords, known->keywords);
  const bool with_uid = command.by_uid || machine_.is_condstore(), with_modseq = machine_.is_condstore() || command.unchanged_since.has_value();
  modseqs_shown_ = with_modseq;
  for (const auto& range : what.ranges) {
    for (std::uint32_t i = range.first; i < range.last; ++i) {
      const std::uint32_t uid = known->at(i).uid;
      while (!changed.empty() && changed.front() < uid) changed = changed.subspan(1);
      if (changed.empty() || changed.front() != uid) continue;
      const auto* const fresh = latest_->find(uid);
      if (fresh == nullptr) continue;
      {
        auto row = machine_.output().fetch(i + 1, uid);
        if (with_uid) row.uid(uid);
        if (!reckons || told_.contains(uid) || fresh->flags != applied(known->at(i).flags, command.how, bits))
          row.flags(fresh->flags | recent_flag(uid), latest_->keywords);
        if (with_modseq) row.modseq(fresh->modseq);
      }
      told.insert(uid);
      if (!output_is_full()) continue;
      const bool sent = co_await send_collected();
      if (!sent) co_return false;
    }
  }
  remember_told(told);
  co_return true;
}

// RFC 9051 §7.3.5: the names, before the first message that is told to have one of them.
void session::tell_new_keywords() {
  const auto& keywords = latest_->keywords;
  if (keywords == announced_->keywords || keywords == keywords_told_) return;
  machine_.output().flags(keywords);
  keywords_told_ = keywords;
}

// After .SILENT the client reckons the flags itself: only where its result is the true one is nothing left to tell.
void session::remember_silent(const wire::store_command& command, const selection& what,
                              std::span<const std::uint32_t> changed) {
  if (!begins_with(latest_->keywords, announced_->keywords)) return;
  const auto bits = bits_of(command.flags, latest_->keywords);
  mail::uid_set told;
  ascending_finder latest(*latest_);
  wire::for_each_message(*announced_, what.ranges, [&](std::uint32_t, const store::message_entry& entry) {
    while (!changed.empty() && changed.front() < entry.uid) changed = changed.subspan(1);
    if (changed.empty() || changed.front() != entry.uid) return;
    const auto* const fresh = latest.find(entry.uid);
    if (fresh != nullptr && fresh->flags == applied(entry.flags, command.how, bits)) told.insert(entry.uid);
  });
  remember_told(told);
}

// The client knows the flags of these as latest_ has them. What it was told earlier and somebody changed since leaves
// the set.
void session::remember_told(const mail::uid_set& uids) {
  if (!told_.empty()) {
    mail::uid_set still;
    told_.for_each([&](std::uint32_t uid) {
      const auto* const entry = latest_->find(uid);
      if (entry != nullptr && entry->modseq <= told_modseq_) still.insert(uid);
    });
    told_ = std::move(still);
  }
  told_.insert(uids);
  told_modseq_ = latest_->highest_modseq;
}

base::task<void> session::run(const wire::copy_command& command) {
  co_await transfer(command.messages, command.by_uid, std::string(command.mailbox), false);
}

base::task<void> session::run(const wire::move_command& command) {
  if (machine_.is_read_only()) {
    machine_.complete(condition::no, codes::no_perm, "Mailbox was opened read-only");
    co_return;
  }
  co_await transfer(command.messages, command.by_uid, std::string(command.mailbox), true);
}

base::task<void> session::transfer(const wire::number_set& messages, bool by_uid, std::string name, bool move) {
  const bool alive = co_await refresh(false, by_uid);
  if (!alive) co_return;
  auto what = select_messages(messages, by_uid);
  if (!what) co_return;
  if (!move && most_saved() != 0 && what->count > most_saved()) {
    // RFC 9738 §3.1: COPY is done for all or for none; told is where a smaller one could begin.
    narrow(*what, {.first = -1, .last = -std::int64_t{most_saved()}});
    const std::string code = codes::message_limit(most_saved(), announced_->at(what->ranges.front().first).uid);
    co_await finish(condition::no, code, "Too many messages", true, by_uid);
    co_return;
  }
  std::uint32_t lowest = 0;
  if (move) lowest = keep_highest(*what);
  if (move && !may(mail::rights::mark | mail::rights::expunge)) {
    co_await finish(condition::no, codes::no_perm, "Messages may not be removed here", true, by_uid);
    co_return;
  }
  const auto target = co_await locate(std::move(name), mail::rights::insert);
  if (!target || !target->info.selectable) {
    const auto why = target ? refusal{codes::cannot, "Not a mailbox that holds messages"} : refusal_of_target(target.error());
    co_await finish(condition::no, why.code, why.text, true, by_uid);
    co_return;
  }
  auto uids = wire::uids_of(*announced_, what->ranges);
  if (uids.empty()) {
    co_await finish(condition::ok, "", "Nothing to do", true, by_uid);
    co_return;
  }
  base::result<store::uid_mapping> mapping;
  if (owner_ != account_ || target->account != account_) {
    store::transfer_request request{.from_account = owner_, .from = selected_, .uids = std::move(uids),
                                 .to_account = target->account, .to = target->info.id, .moves = move,
                                 .flags_kept = ~mail::flag_set{0}};
    if (target->account != account_) request.flags_kept = mail::changeable_flags(target->rights);
    mapping = co_await mail().transfer(std::move(request));
  } else if (move) {
    mapping = co_await mail().move(account_, selected_, std::move(uids), target->info.id);
  } else {
    mapping = co_await mail().copy(account_, selected_, std::move(uids), target->info.id);
  }
  if (!mapping) {
    const auto why = refusal_of_target(mapping.error());
    co_await finish(condition::no, why.code, why.text, true, by_uid);
    co_return;
  }
  if (has_listener() && owner_ == account_ && target->account == account_)
    report_transfer(mapping->from, selected_use_, target->info.use.value_or(mail::special_use::none));
  std::string code;
  if (!mapping->from.empty()) {
    mail::uid_set from, to;
    for (const std::uint32_t uid : mapping->from) from.insert(uid);
    for (const std::uint32_t uid : mapping->to) to.insert(uid);
    code = codes::copy_uid(mapping->uid_validity, from, to);
    co_await did_append(target->account, target->info.id, std::move(to));
  }
  if (!move) {
    co_await finish(condition::ok, code, "Copied", true, by_uid);
    co_return;
  }
  own_change_ = true;
  // RFC 6851 §4.3: COPYUID goes before the EXPUNGE responses.
  if (!code.empty()) machine_.output().ok(code, "Moved");
  // RFC 6851 §4.4.
  const bool still_there = co_await refresh(true, by_uid);
  own_change_ = false;
  if (!still_there) co_return;
  code.clear();
  if (machine_.is_qresync() && !mapping->from.empty()) code = codes::highest_modseq(latest_->highest_modseq);
  code = limited(std::move(code), lowest);
  machine_.complete(condition::ok, code, "Moved");
}

base::task<void> session::run(const wire::expunge_command& command) {
  if (machine_.is_read_only()) {
    machine_.complete(condition::no, codes::no_perm, "Mailbox was opened read-only");
    co_return;
  }
  if (!may(mail::rights::expunge)) {
    machine_.complete(condition::no, codes::no_perm, "Messages may not be removed here");
    co_return;
  }
  std::optional<mail::uid_set> uids;
  std::uint32_t lowest = 0;
  const bool by_uid = command.uids.has_value();
  if (by_uid) {
    const auto what = select_messages(*command.uids, true);
    if (!what) co_return;
    uids = wire::uids_of(*announced_, what->ranges);
    const bool alive = co_await refresh(false, true);
    if (!alive) co_return;
    lowest = keep_highest_deleted(*uids);
  }
  const auto removed = co_await mail().expunge(owner_, selected_, std::move(uids));
  if (!removed) {
    const auto why = refusal_of(removed.error());
    co_await finish(condition::no, why.code, why.text, true, by_uid);
    co_return;
  }
  own_change_ = true;
  const bool alive = co_await refresh(true, by_uid);
  own_change_ = false;
  if (!alive) co_return;
  // RFC 7162 §3.2.7.
  std::string code;
  if (machine_.is_qresync() && !removed->empty()) code = codes::highest_modseq(latest_->highest_modseq);
  code = limited(std::move(code), lowest);
  machine_.complete(condition::ok, code, "Expunged");
}

}  // namespace briefwerk::server::imap
