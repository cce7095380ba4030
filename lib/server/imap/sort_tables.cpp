#include "sort_tables.hpp"

#include <iterator>
#include <utility>

namespace briefwerk::server::imap {

std::string sort_tables::name_of(const store::account_id& account, store::mailbox_id mailbox) {
  return account + "/" + std::to_string(mailbox);
}

std::size_t sort_tables::most_messages() const noexcept {
  constexpr std::uint64_t octets_of_one = 96;
  return most_octets_ / octets_of_one;
}

std::shared_ptr<shared_sort_table> sort_tables::get(const store::account_id& account, store::mailbox_id mailbox,
                                                    std::uint32_t uid_validity) {
  const std::string name = name_of(account, mailbox);
  order gone;  // freed without the lock
  std::lock_guard lock(mutex_);
  const auto found = places_.find(name);
  if (found == places_.end()) return std::make_shared<shared_sort_table>();
  if (found->second->uid_validity != uid_validity) {
    move_out(found->second, gone);
    return std::make_shared<shared_sort_table>();
  }
  if (time_ != nullptr) found->second->used = time_->steady();
  used_.splice(used_.begin(), used_, found->second);
  return found->second->table;
}

void sort_tables::put(const store::account_id& account, store::mailbox_id mailbox, std::uint32_t uid_validity,
                      std::shared_ptr<shared_sort_table> table, std::uint64_t octets) {
  std::string name = name_of(account, mailbox);
  order gone;
  std::lock_guard lock(mutex_);
  if (const auto found = places_.find(name); found != places_.end()) move_out(found->second, gone);
  if (octets > most_octets_ || time_ == nullptr) return;
  used_.push_front({std::move(name), uid_validity, std::move(table), octets, time_->steady()});
  places_.emplace(used_.front().mailbox, used_.begin());
  count(static_cast<std::int64_t>(octets));
  while (octets_ > most_octets_) move_out(std::prev(used_.end()), gone);
}

void sort_tables::drop(const store::account_id& account, store::mailbox_id mailbox) {
  const std::string name = name_of(account, mailbox);
  order gone;
  std::lock_guard lock(mutex_);
  if (const auto found = places_.find(name); found != places_.end()) move_out(found->second, gone);
}

bool sort_tables::wants_sweeper() {
  std::lock_guard lock(mutex_);
  return !used_.empty() && !std::exchange(swept_, true);
}

bool sort_tables::drop_idle() {
  order gone;
  std::lock_guard lock(mutex_);
  if (time_ == nullptr) return false;
  const auto now = time_->steady();
  while (!used_.empty() && used_.back().used + idle <= now) move_out(std::prev(used_.end()), gone);
  return swept_ = !used_.empty();
}

void sort_tables::stop() {
  order gone;
  std::lock_guard lock(mutex_);
  while (!used_.empty()) move_out(used_.begin(), gone);
  time_ = nullptr;
  held_ = nullptr;
}

std::uint64_t sort_tables::octets() const {
  std::lock_guard lock(mutex_);
  return octets_;
}

void sort_tables::move_out(order::iterator at, order& gone) {
  count(-static_cast<std::int64_t>(at->octets));
  places_.erase(at->mailbox);
  gone.splice(gone.end(), used_, at);
}

void sort_tables::count(std::int64_t octets) noexcept {
  octets_ += static_cast<std::uint64_t>(octets);
  if (held_ != nullptr) held_->add(octets);
}

}  // namespace briefwerk::server::imap
