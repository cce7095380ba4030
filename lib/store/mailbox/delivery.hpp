#pragma once

// One message on its way into mailboxes and the queue: the steps that a transaction needs for it.

#include <cstdint>
#include <optional>
#include <vector>

#include "store/mailbox/core.hpp"
#include "store/mailbox/mailbox_editor.hpp"

namespace briefwerk::store {

struct message_facts {
  std::uint32_t size = 0;
  std::array<std::uint8_t, 16> email_id{};
  std::string_view summary;
};
message_facts facts_of(const message_source& message, const base::crypto& crypto);

// Must stay where it is from add_to() to the commit's answer.
class delivery {
 public:
  enum class refusal : std::uint8_t {
    target_alone,  // what is one mailbox's own (quota, no such mailbox, a damaged row) is its own result
    everything,    // fails the transaction
  };
  delivery(store_core& core, message_source message, std::vector<local_target> targets, std::vector<queue_item> queue,
           refusal policy);
  delivery(const delivery&) = delete;

  void add_to(transaction& work);
  // After the commit, one for each target.
  std::vector<base::result<appended>> take_results() { return std::move(results_); }

 private:
  struct place {
    mailbox_id id = 0;
    head_record head;
  };
  base::status store(std::size_t target, const view& now, const blob_ref& blob, batch& out);
  base::result<appended> store_one(const local_target& target, account_writer& account, const blob_ref& blob);
  base::result<place> locate(const local_target& target, account_writer& account);
  base::status enqueue(const view& now, const blob_ref& blob, batch& out);

  store_core& core_;
  message_source message_;
  message_facts facts_;
  std::vector<local_target> targets_;
  std::vector<queue_item> queue_;
  refusal policy_;
  std::int64_t seconds_;
  std::vector<base::result<appended>> results_;
};

}  // namespace briefwerk::store
