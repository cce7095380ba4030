#pragma once

// What a session has asked to be told of (RFC 5465), and what its client knows. Touched on the session's thread only.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "kept_items.hpp"
#include "thread_state.hpp"

namespace briefwerk::server::imap {

struct notifications {
  struct group {
    protocol::imap::mailbox_scope scope;
    std::vector<std::string> names;
    protocol::imap::notify_events events;
  };
  // A mailbox by its name, as the client knows it.
  struct named {
    store::account_id account;
    store::mailbox_id id = 0;
    bool subscribed = false;
    protocol::imap::notify_events events = 0;
  };
  // A mailbox that is watched, as the client knows it.
  struct watched {
    std::string name;
    protocol::imap::notify_events events = 0;
    store::mailbox_status told;
    std::map<std::string, std::size_t> noted;  // entries (RFC 5464), and hashes of their values
  };
  using place = std::pair<store::account_id, store::mailbox_id>;

  // Hears of one account.
  class ear final : public watcher {
   public:
    ear(notifications& home, store::account_id account) : home_(home), account_(std::move(account)) {}
    void store_changed(store::mailbox_id mailbox) override { home_.heard(account_, mailbox); }
    const store::account_id& account() const noexcept { return account_; }

   private:
    notifications& home_;
    store::account_id account_;
  };

  explicit notifications(const protocol::imap::notify_command& asked);
  notifications(const notifications&) = delete;
  notifications& operator=(const notifications&) = delete;

  // Of the groups that mean a mailbox of this name, together.
  protocol::imap::notify_events events_of(std::string_view name, bool own, bool subscribed) const noexcept;
  void heard(const store::account_id& account, store::mailbox_id mailbox);
  bool has_news() const noexcept { return names_changed || everything || !changed.empty(); }

  protocol::imap::notify_events selected = 0;  // in the selected mailbox
  bool delayed = false;                        // SELECTED-DELAYED
  kept_items items;                            // of new messages there
  std::vector<group> groups;                   // of other mailboxes
  protocol::imap::notify_events others = 0;    // of all of them

  std::map<place, watched> mailboxes;
  std::map<std::string, named, std::less<>> names;  // where they are asked for
  std::map<std::string, std::size_t> server_noted;

  // What happened and is still to be looked at.
  std::set<place> changed;
  bool names_changed = false, everything = false;
  bool choosing = false;  // which mailboxes are watched is being found out: any may be one
  // What this session did itself: not told (§5).
  std::set<std::string, std::less<>> own_names;
  mail::uid_set own_uids;  // in the selected mailbox

  std::function<void()> wake;
  std::vector<std::unique_ptr<ear>> ears;
};

}  // namespace briefwerk::server::imap
