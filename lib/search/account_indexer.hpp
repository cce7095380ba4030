#pragma once

// Brings the index of one account up to date, in turns of bounded length. Blocks; belongs to one thread.

#include <functional>
#include <map>

#include "briefwerk/search/service.hpp"

namespace briefwerk::search {

class account_indexer {
 public:
  struct turn {
    std::uint32_t indexed = 0, removed = 0;
    bool more = false;     // the turn was over, or the work was stopped, before everything was done
    bool waiting = false;  // new mail is left for later, since it is little
  };
  // `stopped`: whether to come to an end soon. `stand_aside` is called between two messages and documents, and returns when they may go on.
  account_indexer(index& where, store::mailbox_store& mail, const service_options& options, std::function<bool()> stopped,
                  std::function<void()> stand_aside)
      : where_(where), mail_(mail), options_(options), stopped_(std::move(stopped)), stand_aside_(std::move(stand_aside)) {}

  // `all`: however little there is to do. Errors: those of the store; corrupt and unavailable of the index.
  base::result<turn> run(const store::account_id& account, bool all);

 private:
  struct work;
  base::status look_at_mailbox(work& of, const store::mailbox_info& mailbox);
  base::status index_mailbox(work& of, const store::mailbox_snapshot& mailbox, std::uint32_t below);
  base::status index_batch(work& of, const store::mailbox_snapshot& mailbox, std::size_t first, std::size_t end);
  base::status remove_vanished(work& of, const store::mailbox_snapshot& mailbox, const indexed_mailbox& known);
  base::status open_writer(work& of);

  index& where_;
  store::mailbox_store& mail_;
  const service_options& options_;
  std::function<bool()> stopped_;
  std::function<void()> stand_aside_;
};

}  // namespace briefwerk::search
