#pragma once

// What the sessions of one imap_service share.

#include <array>
#include <variant>

#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/server/imap_server.hpp"
#include "recent_messages.hpp"
#include "shared_texts.hpp"
#include "sort_tables.hpp"
#include "thread_state.hpp"

namespace briefwerk::server {

struct imap_service::impl {
  explicit impl(imap_options given);
  ~impl() {
    sort_tables->stop();
    text_tables->stop();
  }

  imap_options options;
  protocol::imap::server_options protocol;
  imap::thread_states threads;
  imap::recent_messages recent;
  std::shared_ptr<imap::sort_tables> sort_tables;  // shared with who sweeps them
  std::shared_ptr<imap::text_tables> text_tables;  // likewise

  // Null where nothing is counted.
  struct instruments {
    base::counter *sessions = nullptr, *connections = nullptr, *logins = nullptr, *failed_logins = nullptr,
                  *octets_sent = nullptr, *messages_fetched = nullptr, *messages_appended = nullptr;
    std::array<base::histogram*, std::variant_size_v<protocol::imap::command>> commands{};
    base::histogram* append = nullptr;
  } counted;
};

}  // namespace briefwerk::server
