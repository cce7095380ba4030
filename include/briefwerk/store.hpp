#pragma once

// The whole room.

#include "briefwerk/store/blob.hpp"
#include "briefwerk/store/committer.hpp"
#include "briefwerk/store/directory.hpp"
#include "briefwerk/store/engine.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/mailbox_store.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "briefwerk/store/queue_item.hpp"
#include "briefwerk/store/queue_store.hpp"
#include "briefwerk/store/rocksdb_engine.hpp"
#include "briefwerk/store/signing_keys.hpp"
#include "briefwerk/store/state_rows.hpp"
