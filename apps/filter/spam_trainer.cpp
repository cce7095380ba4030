#include "apps/filter/spam_trainer.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "briefwerk/base/clock.hpp"

namespace briefwerk::apps {
namespace {

using filter::kind_of_mail;
using steady = std::chrono::steady_clock;

constexpr std::chrono::seconds longest_end{3};

std::int64_t now() {
  return std::chrono::floor<std::chrono::seconds>(base::system_clock().now()).time_since_epoch().count();
}

void add(base::counter* to, std::int64_t n = 1) {
  if (to != nullptr) to->add(n);
}

}  // namespace

spam_trainer::spam_trainer(filter::bayes& by, store::mailbox_store& mail, options how)
    : by_(by), mail_(mail), options_(how) {
  if (how.metrics == nullptr) return;
  counted_ = {&how.metrics->get_counter("spam.learned.spam"),     &how.metrics->get_counter("spam.learned.ham"),
              &how.metrics->get_counter("spam.learned.nothing"),  &how.metrics->get_counter("spam.training.waiting"),
              &how.metrics->get_counter("spam.training.dropped"), &how.metrics->get_counter("spam.training.unreadable")};
}

spam_trainer::~spam_trainer() = default;

void spam_trainer::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void spam_trainer::report(store::account_id account, std::vector<store::blob_ref> messages, kind_of_mail as) {
  std::size_t dropped = 0;
  {
    std::lock_guard lock(mutex_);
    const std::size_t taken = std::min(messages.size(), options_.queue - std::min(options_.queue, waiting_));
    dropped = messages.size() - taken;
    messages.resize(taken);
    waiting_ += taken;
    add(counted_.waiting, static_cast<std::int64_t>(taken));
    if (taken != 0) lessons_.push_back({.account = std::move(account), .as = as, .stored = std::move(messages)});
  }
  add(counted_.dropped, static_cast<std::int64_t>(dropped));
  news_.notify_one();
}

base::task<std::uint64_t> spam_trainer::learn(std::string account, std::vector<std::string> messages, kind_of_mail as) {
  if (!thread_.joinable()) {  // a tool, which has nothing else to do
    std::uint64_t count = 0;
    for (const std::string& one : messages) count += teach_one(one, account, as, account.empty());
    co_return count;
  }
  const auto learned = co_await base::wait_for<base::result<std::uint64_t>>([&](auto done) {
    {
      std::lock_guard lock(mutex_);
      lessons_.push_back({.account = std::move(account),
                          .as = as,
                          .stored = {},
                          .messages = std::move(messages),
                          .done = std::move(done)});
    }
    news_.notify_one();
  });
  co_return learned.value_or(0);
}

std::size_t spam_trainer::forget(const std::string& account) {
  {
    std::lock_guard lock(mutex_);
    for (lesson& one : lessons_) {
      if (one.account != account || one.done) continue;
      waiting_ -= one.stored.size();
      add(counted_.waiting, -static_cast<std::int64_t>(one.stored.size()));
      one.stored.clear();
    }
  }
  std::lock_guard one(teaching_);
  return by_.forget(account);
}

void spam_trainer::run(const std::stop_token& stop) {
  auto deadline = steady::time_point::max();
  for (;;) {
    std::optional<lesson> next;
    {
      std::unique_lock lock(mutex_);
      news_.wait(lock, stop, [this] { return !lessons_.empty(); });
      if (lessons_.empty()) return;
      next = std::move(lessons_.front());
      lessons_.pop_front();
      waiting_ -= next->stored.size();
    }
    try {
      teach(std::move(*next), stop, deadline);
    } catch (const std::exception&) {
      options_.log->log(base::log_level::error, "spam.not_learned", {{"reason", "not enough memory"}});
    }
  }
}

void spam_trainer::teach(lesson what, const std::stop_token& stop, steady::time_point& deadline) {
  for (const store::blob_ref& one : what.stored) {
    add(counted_.waiting, -1);
    if (stop.stop_requested() && deadline == steady::time_point::max()) deadline = steady::now() + longest_end;
    if (steady::now() > deadline) {
      add(counted_.dropped);
      continue;
    }
    const auto octets = base::sync_wait(mail_.read(one));
    if (octets) {
      teach_one(octets->view(), what.account, what.as, is_shared(what.account));
    } else {
      add(counted_.unreadable);
    }
  }
  std::uint64_t count = 0;
  for (const std::string& one : what.messages) count += teach_one(one, what.account, what.as, what.account.empty());
  if (what.done) (*what.done)(count);
}

bool spam_trainer::is_shared(const std::string& account) {
  constexpr std::int64_t seconds_of_a_day = 86400;
  if (const std::int64_t today = now() / seconds_of_a_day; today != std::exchange(day_, today)) shared_.clear();
  return ++shared_[account] <= options_.share_a_day;
}

bool spam_trainer::teach_one(std::string_view message, const std::string& account, kind_of_mail as, bool share) {
  std::lock_guard one(teaching_);
  bool changed = false;
  if (!account.empty()) changed = by_.learn(message, as, account, now());
  if (share) changed = by_.learn(message, as, {}, now()) || changed;
  add(!changed ? counted_.nothing : as == kind_of_mail::spam ? counted_.spam : counted_.ham);
  return changed;
}

}  // namespace briefwerk::apps
