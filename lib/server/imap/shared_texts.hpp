#pragma once

// The texts that SEARCH looks at, by mailbox, for all sessions of a service.

#include <mutex>

#include "searched_texts.hpp"
#include "table_cache.hpp"

namespace briefwerk::server::imap {

// Columns are copied out under the lock, and looked at without it.
struct shared_texts {
  std::mutex mutex;
  searched_texts texts;
};

using text_tables = table_cache<shared_texts>;

}  // namespace briefwerk::server::imap
