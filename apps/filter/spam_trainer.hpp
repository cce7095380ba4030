#pragma once

// Teaches the classifier what users and the administrator say about messages, on a thread of its own: reading a message
// and counting its tokens takes a millisecond or two, which no session waits for.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/filter/bayes.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::apps {

// Thread-safe.
class spam_trainer {
 public:
  struct options {
    std::size_t queue = 10000;        // messages of report() that wait
    std::uint64_t share_a_day = 500;  // of them, of one account, count for all as well
    base::log_sink* log = &base::null_log();
    // spam.learned.spam, .ham and .nothing, spam.training.waiting, .dropped and .unreadable; null: not counted.
    base::metrics* metrics = nullptr;
  };
  // References outlive this.
  spam_trainer(filter::bayes& by, store::mailbox_store& mail, options how);
  // Learns for a few seconds at most what still waits.
  ~spam_trainer();

  void start();

  // Stored messages of an account that are spam, or are none. Returns at once.
  void report(store::account_id account, std::vector<store::blob_ref> messages, filter::kind_of_mail as);

  // Messages as they are, for that account alone, or for all (""). Answers when they are learned: how many of them
  // changed a count.
  base::task<std::uint64_t> learn(std::string account, std::vector<std::string> messages, filter::kind_of_mail as);

  // What was learned of the account, and what waits to be. Answers how many counts went.
  std::size_t forget(const std::string& account);

 private:
  struct lesson {
    std::string account;
    filter::kind_of_mail as;
    std::vector<store::blob_ref> stored;
    std::vector<std::string> messages{};
    std::optional<base::completion<base::result<std::uint64_t>>> done{};
  };
  struct instruments {
    base::counter *spam = nullptr, *ham = nullptr, *nothing = nullptr, *waiting = nullptr, *dropped = nullptr,
                  *unreadable = nullptr;
  };

  void run(const std::stop_token& stop);
  void teach(lesson what, const std::stop_token& stop, std::chrono::steady_clock::time_point& deadline);
  bool is_shared(const std::string& account);
  bool teach_one(std::string_view message, const std::string& account, filter::kind_of_mail as, bool share);

  filter::bayes& by_;
  store::mailbox_store& mail_;
  const options options_;
  instruments counted_;
  std::mutex teaching_;  // one message, or all that is forgotten
  std::mutex mutex_;
  std::condition_variable_any news_;
  std::deque<lesson> lessons_;
  std::size_t waiting_ = 0;  // stored messages in lessons_
  std::int64_t day_ = 0;     // of the following
  std::unordered_map<std::string, std::uint64_t> shared_;  // by account; of the thread alone
  std::jthread thread_;      // ends first
};

}  // namespace briefwerk::apps
