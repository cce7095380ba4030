#pragma once

// What the IMAP sessions of one thread share: buffers, which a session takes only while it has something to read or
// write, and one watch for each account, whatever the number of its sessions. Touched on that thread only.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server::imap {

// Free objects of one kind. What goes out comes back by itself; at most `kept` wait for the next user.
template <class T>
class pool {
 public:
  explicit pool(std::size_t kept) noexcept : kept_(kept) {}

  struct give_back {
    pool* home = nullptr;
    void operator()(T* object) const noexcept {
      if (home->free_.size() < home->kept_)
        home->free_.emplace_back(object);
      else
        delete object;
    }
  };
  using lease = std::unique_ptr<T, give_back>;

  lease take() {
    if (free_.empty()) return lease(new T, give_back{this});
    lease out(free_.back().release(), give_back{this});
    free_.pop_back();
    return out;
  }

 private:
  std::vector<std::unique_ptr<T>> free_;
  std::size_t kept_;
};

struct input_buffer {
  char octets[base::limits::session_input_buffer];
};

class account_watch;

// Told instead of a number when too much changed to say what.
inline constexpr store::mailbox_id any_mailbox = 0xffffffff;

// A session that wants to hear of changes in its account: a node of its account's list.
class watcher {
 public:
  watcher() = default;
  watcher(const watcher&) = delete;
  watcher& operator=(const watcher&) = delete;
  virtual ~watcher() { leave(); }

  // On the session's thread; `mailbox` 0 is the list of mailboxes, or any_mailbox. May call leave() of this watcher, not of others.
  virtual void store_changed(store::mailbox_id mailbox) = 0;
  bool is_watching() const noexcept { return watch_ != nullptr; }
  void leave() noexcept;

 private:
  friend class account_watch;
  account_watch* watch_ = nullptr;
  watcher* previous_ = nullptr;
  watcher* following_ = nullptr;
};

class thread_state;

// The store's watch on one account, for all sessions that this thread has of it.
class account_watch {
 public:
  account_watch(thread_state& home, base::executor& where, store::mailbox_store& mail, const store::account_id& account);
  ~account_watch();
  account_watch(const account_watch&) = delete;
  account_watch& operator=(const account_watch&) = delete;
  void add(watcher& session) noexcept;
  void remove(watcher& session) noexcept;  // destroys this when it was the last
  const store::account_id& account() const noexcept { return account_; }

 private:
  // Outlives the watch when a delivery is still on its way to the thread.
  struct mail_slot {
    std::mutex mutex;
    std::vector<store::mailbox_id> changed;
    bool posted = false;
    account_watch* owner = nullptr;  // of the thread; null when nobody watches any more
  };
  static void note(const std::shared_ptr<mail_slot>& slot, base::executor& where, store::mailbox_id mailbox);
  void deliver(std::vector<store::mailbox_id> changed);

  thread_state& home_;
  store::account_id account_;
  watcher* first_ = nullptr;
  watcher* next_to_tell_ = nullptr;  // while delivering
  bool delivering_ = false;
  std::shared_ptr<mail_slot> slot_ = std::make_shared<mail_slot>();
  store::subscription subscription_;
};

class thread_state {
 public:
  explicit thread_state(base::executor& where) noexcept : where_(where) {}

  pool<input_buffer> inputs{64};

  void watch(store::mailbox_store& mail, const store::account_id& account, watcher& session);

 private:
  friend class account_watch;
  void forget(const store::account_id& account) noexcept { watches_.erase(account); }

  base::executor& where_;
  std::unordered_map<store::account_id, std::unique_ptr<account_watch>> watches_;
};

// The state of each thread, for the sessions of one service.
class thread_states {
 public:
  // For the calling thread's executor; from any thread. Stays until this goes.
  thread_state& of(base::executor& where);

 private:
  std::mutex mutex_;
  std::unordered_map<base::executor*, std::unique_ptr<thread_state>> states_;
};

}  // namespace briefwerk::server::imap
