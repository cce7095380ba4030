#pragma once

// The mailbox store over an engine.

#include "store/mailbox/core.hpp"
#include "store/mailbox/mailbox_editor.hpp"
#include "store/mailbox/snapshot_loads.hpp"
#include "store/mailbox/snapshots.hpp"
#include "store/mailbox/watching.hpp"

namespace briefwerk::store {

class engine_mailbox_store final : public mailbox_store {
 public:
  explicit engine_mailbox_store(store_core& core)
      : core_(core),
        cache_(core.options.snapshot_cache),
        loads_(core.threads, core.report,
               [this](const account_reader& read, mailbox_id id) { return full_snapshot(read, id); }),
        watches_(core) {}

  // engine_mailbox_names.cpp
  base::task<base::status> create_account(account_id account) override;
  base::task<base::status> remove_account(account_id account) override;
  base::task<base::result<std::vector<mailbox_info>>> list(account_id account) override;
  base::task<base::result<std::unique_ptr<mailbox_names>>> names(account_id account) override;
  base::task<base::result<mailbox_info>> find(account_id account, std::string name) override;
  base::task<base::result<mailbox_info>> create(account_id account, std::string name,
                                                std::optional<mail::special_use> use) override;
  base::task<base::status> rename(account_id account, std::string from, std::string to) override;
  base::task<base::status> remove(account_id account, std::string name) override;
  base::task<base::status> subscribe(account_id account, std::string name, bool subscribed) override;
  base::task<base::result<quota_usage>> usage(account_id account) override;
  base::task<base::status> set_quota(account_id account, quota_limits limits) override;
  subscription watch(account_id account, std::function<void(mailbox_id)> changed) override;

  // engine_annotations.cpp
  base::task<base::result<std::vector<annotation>>> annotations(account_id account, mailbox_id mailbox,
                                                                account_id user) override;
  base::task<base::status> annotate(account_id account, mailbox_id mailbox, account_id user,
                                    std::vector<annotation_change> changes) override;

  // engine_access.cpp
  base::task<base::result<access_list>> access(account_id account, mailbox_id mailbox) override;
  base::task<base::result<std::vector<mailbox_access>>> access_of_all(account_id account) override;
  base::task<base::status> change_access(account_id account, mailbox_id mailbox, access_change change) override;
  base::task<base::result<std::vector<account_id>>> sharing_with(account_id user) override;
  base::task<base::result<uid_mapping>> transfer(transfer_request what) override;

  // engine_mailbox_store.cpp
  base::task<base::result<mailbox_status>> status(account_id account, mailbox_id mailbox) override;
  base::task<base::result<snapshot_ptr>> snapshot(account_id account, mailbox_id mailbox) override;
  base::task<base::result<opened_mailbox>> open(account_id account, mailbox_id mailbox) override;
  base::task<base::result<std::vector<base::result<appended>>>> deliver(message_source message,
                                                                        std::vector<local_target> targets,
                                                                        std::vector<queue_item> queue) override;
  base::task<base::result<std::vector<appended>>> append(std::vector<message_source> pieces,
                                                         std::vector<local_target> targets) override;
  base::task<base::result<appended>> replace(account_id account, mailbox_id from, std::uint32_t uid,
                                             message_source message, local_target target) override;
  base::task<base::result<flags_changed>> change_flags(account_id account, mailbox_id mailbox, mail::uid_set uids,
                                                       flag_change how, flag_list flags,
                                                       std::optional<std::uint64_t> unchanged_since) override;
  base::task<base::result<uid_mapping>> copy(account_id account, mailbox_id from, mail::uid_set uids,
                                             mailbox_id to) override;
  base::task<base::result<uid_mapping>> move(account_id account, mailbox_id from, mail::uid_set uids,
                                             mailbox_id to) override;
  base::task<base::result<std::vector<std::uint32_t>>> expunge(account_id account, mailbox_id mailbox,
                                                               std::optional<mail::uid_set> uids) override;
  base::task<base::result<stored_summaries>> summaries(account_id account, mailbox_id mailbox, std::uint32_t first,
                                                       std::uint32_t last, std::size_t most) override;
  base::task<base::status> visit_summaries(account_id account, mailbox_id mailbox, std::uint32_t first,
                                           std::uint32_t last, const summary_function& f) override;
  base::task<base::status> keep_digests(account_id account, mailbox_id mailbox, std::vector<digest> digests,
                                        std::uint64_t modseq) override;
  base::task<base::status> visit_digests(account_id account, mailbox_id mailbox, std::uint32_t first,
                                         std::uint32_t last, const digest_function& f) override;
  base::task<base::result<message_octets>> read(blob_ref blob) override;
  base::task<base::result<message_octets>> read_beginning(blob_ref blob, std::uint64_t most) override;
  base::task<base::result<std::optional<mail::uid_set>>> expunged_since(account_id account, mailbox_id mailbox,
                                                                        std::uint64_t modseq) override;

  // Ends removals that were cut short. Blocks; for collect_garbage().
  base::status finish_removals();

 private:
  using change = std::function<base::status(account_writer& account)>;
  // `f` as a step of a transaction; both arguments must outlive it.
  change_function step_of(const std::string& partition, const change& f);
  // Runs `f` as one step; `f` may run again. `brief` as in transaction.
  base::task<base::status> change_account(const std::string& partition, const change& f, bool brief = false);
  base::task<base::status> room_for_name(const std::string& partition, char kind);
  base::task<base::status> erase_rows(const std::string& partition, std::vector<key_range> ranges);
  base::task<base::status> purge_mailbox(const std::string& partition, mailbox_id mailbox);
  base::task<base::status> purge_account(account_id account);
  base::task<base::result<uid_mapping>> transfer_inside(account_id account, mailbox_id from, mail::uid_set uids,
                                                        mailbox_id to, bool moves);
  // From the cache; null when anything of the account changed since.
  snapshot_ptr unchanged_snapshot(const std::string& partition, mailbox_id mailbox);
  // From the cache, or with little reading; nothing when much is to be read.
  base::result<std::optional<snapshot_ptr>> quick_snapshot(const account_reader& read, mailbox_id mailbox);
  base::result<snapshot_ptr> full_snapshot(const account_reader& read, mailbox_id mailbox);

  base::result<std::optional<octets>> one_summary(const std::string& partition, mailbox_id mailbox,
                                                  std::uint32_t uid) const;

  store_core& core_;
  snapshot_cache cache_;
  snapshot_loads loads_;
  account_watches watches_;
};

// The head of a mailbox that must be there: errc::no_such_mailbox.
base::result<head_record> require_head(const account_reader& read, mailbox_id mailbox);

// Copies the messages of `uids` (null: all) to the end of mailbox `to`, and removes them from `from` if it moves them.
base::status transfer_messages(account_writer& account, mailbox_id from, const head_record& from_head,
                               const mail::uid_set* uids, mailbox_id to, const head_record& to_head, bool moves,
                               uid_mapping& mapping);

// Messages on their way from one account's mailbox to another's.
struct messages_under_way {
  std::vector<std::string> keywords;  // of the flags' slots
  std::vector<message_entry> entries;
  std::vector<std::string> summaries;
};
base::status take_messages(account_writer& account, mailbox_id from, const head_record& head, const mail::uid_set& uids,
                           bool moves, messages_under_way& taken);
base::status put_messages(account_writer& account, mailbox_id to, const head_record& head, mail::flag_set flags_kept,
                          const messages_under_way& what, uid_mapping& mapping);

// Gives `to`, a new mailbox, the rights that others have of `from`.
base::status copy_access(account_writer& account, mailbox_id from, mailbox_id to);

// Notes to `to`, a new mailbox, all that is noted at `from`.
base::status copy_annotations(account_writer& account, mailbox_id from, mailbox_id to);
// Removes what is noted at a mailbox, and gives its room back.
base::status erase_annotations(account_writer& account, mailbox_id mailbox);

// Calls mark() for every blob that the account's messages refer to.
base::status mark_account(const view& now, std::string_view partition, const faults& report,
                          const std::function<void(const blob_ref&)>& mark);

}  // namespace briefwerk::store
