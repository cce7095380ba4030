#pragma once

// Which messages are \Recent (RFC 3501 §2.3.2): each is so in the first session that is told of it, and in no other of
// this process. Kept in memory only: a flag that IMAP4rev2 dropped is not worth a commit with every SELECT.

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server::imap {

class recent_messages {
 public:
  // The first uid that no session has been told of. `take`: the caller is that session, for all messages below
  // `uid_next`. A mailbox that nobody has opened since the start: those behind the last one with \Seen, since not
  // knowing means recent (RFC 3501 §2.3.2); none where `messages` are not at hand (null), which is no reason to wait
  // for them. From any thread.
  std::uint32_t first(const store::account_id& account, store::mailbox_id mailbox, std::uint32_t uid_next,
                      const store::mailbox_snapshot* messages, bool take);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::uint32_t>
      floors_;  // by account and mailbox; at most limits::imap_recent_mailboxes
};

}  // namespace briefwerk::server::imap
