#include "thread_state.hpp"

#include <algorithm>
#include <utility>

namespace briefwerk::server::imap {
namespace {

// More mailboxes than this changed before the thread came to it: everybody looks.
constexpr std::size_t most_noted = 64;

}  // namespace

void watcher::leave() noexcept {
  if (watch_ != nullptr) watch_->remove(*this);
}

account_watch::account_watch(thread_state& home, base::executor& where, store::mailbox_store& mail,
                             const store::account_id& account)
    : home_(home), account_(account) {
  slot_->owner = this;
  subscription_ = mail.watch(account, [slot = slot_, &where](store::mailbox_id mailbox) { note(slot, where, mailbox); });
}

account_watch::~account_watch() {
  subscription_ = store::subscription();
  slot_->owner = nullptr;
}

void account_watch::add(watcher& session) noexcept {
  session.watch_ = this;
  session.previous_ = nullptr;
  session.following_ = first_;
  if (first_ != nullptr) first_->previous_ = &session;
  first_ = &session;
}

void account_watch::remove(watcher& session) noexcept {
  if (next_to_tell_ == &session) next_to_tell_ = session.following_;
  if (session.previous_ != nullptr)
    session.previous_->following_ = session.following_;
  else
    first_ = session.following_;
  if (session.following_ != nullptr) session.following_->previous_ = session.previous_;
  session.watch_ = nullptr;
  session.previous_ = session.following_ = nullptr;
  if (first_ == nullptr && !delivering_) home_.forget(store::account_id(account_));
}

void account_watch::note(const std::shared_ptr<mail_slot>& slot, base::executor& where, store::mailbox_id mailbox) {
  {
    std::lock_guard lock(slot->mutex);
    auto& changed = slot->changed;
    if (changed.size() >= most_noted) {
      changed.assign(1, any_mailbox);
    } else if (changed.empty() || changed.front() != any_mailbox) {
      if (std::find(changed.begin(), changed.end(), mailbox) == changed.end()) changed.push_back(mailbox);
    }
    if (std::exchange(slot->posted, true)) return;
  }
  where.post([slot] {
    std::vector<store::mailbox_id> changed;
    {
      std::lock_guard lock(slot->mutex);
      slot->posted = false;
      changed.swap(slot->changed);
    }
    if (slot->owner != nullptr) slot->owner->deliver(std::move(changed));
  });
}

void account_watch::deliver(std::vector<store::mailbox_id> changed) {
  delivering_ = true;
  for (const store::mailbox_id mailbox : changed) {
    for (watcher* session = first_; session != nullptr; session = next_to_tell_) {
      next_to_tell_ = session->following_;
      session->store_changed(mailbox);
    }
  }
  next_to_tell_ = nullptr;
  delivering_ = false;
  if (first_ == nullptr) home_.forget(store::account_id(account_));
}

void thread_state::watch(store::mailbox_store& mail, const store::account_id& account, watcher& session) {
  auto& found = watches_[account];
  if (!found) found = std::make_unique<account_watch>(*this, where_, mail, account);
  found->add(session);
}

thread_state& thread_states::of(base::executor& where) {
  std::lock_guard lock(mutex_);
  auto& found = states_[&where];
  if (!found) found = std::make_unique<thread_state>(where);
  return *found;
}

}  // namespace briefwerk::server::imap
