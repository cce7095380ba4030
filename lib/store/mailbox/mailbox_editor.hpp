#pragma once

// Changes of one mailbox's index, as part of a step: at most one change_states() or remove() of what is there, then any
// number of append(), then finish().

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "store/mailbox/account_writer.hpp"
#include "store/mailbox/snapshots.hpp"

namespace briefwerk::store {

class mailbox_editor {
 public:
  mailbox_editor(account_writer& account, mailbox_id id, head_record head)
      : account_(account), id_(id), head_(std::move(head)), opened_uid_next_(head_.uid_next) {}

  const head_record& head() const noexcept { return head_; }
  // The number of this change, taken at its first use.
  std::uint64_t modseq();

  enum class keywords : std::uint8_t {
    known,    // others are left out
    fitting,  // those that get no slot are left out
    all,      // errc::too_many_keywords, errc::malformed
  };
  base::result<mail::flag_set> bits(const flag_list& flags, keywords policy);

  // Takes all of the entry but uid and modseq, which it sets. The answer is the uid. errc::limit_exceeded: no uid left.
  base::result<std::uint32_t> append(message_entry entry, std::string_view summary);

  // Calls `f` for each message of `uids`, ascending; true: it changed the flags. What it sets beside them is not taken.
  using state_function = std::function<bool(message_state& state)>;
  // The pages that changed are put into `changed`, when given.
  base::status change_states(const mail::uid_set& uids, const state_function& f,
                             std::vector<changed_page>* changed = nullptr);

  // Calls `f` for each message of `uids`, ascending; true: the message goes. Quota is not touched.
  using entry_function = std::function<bool(const message_entry& entry)>;
  base::status remove(const mail::uid_set* uids, const entry_function& f);  // null: all

  base::status finish();

 private:
  class selection;
  base::result<unsigned> slot_of(const std::string& keyword, keywords policy);
  base::result<mail::flag_set> used_flags() const;
  base::status load_tail();
  // True when something changed.
  bool change(std::span<message_state> states, selection& wanted, const state_function& f);
  bool take_out(mailbox_snapshot::page& entries, selection& wanted, const entry_function& f);
  void count(const message_entry& entry, bool in);
  void touched(std::uint32_t page);
  void put_page(std::uint32_t number, std::span<const message_entry> entries);
  void write_tail();
  base::status fold_tail();
  void write_change();
  base::status write_history();

  account_writer& account_;
  mailbox_id id_;
  head_record head_;
  const std::uint32_t opened_uid_next_;
  bool modseq_taken_ = false;
  mail::flag_set reserved_ = 0;  // keyword slots that changed their name in this step
  bool tail_loaded_ = false;
  mailbox_snapshot::page tail_before_, tail_;  // entries of the unfinished page
  mailbox_snapshot::page pending_;             // appended
  std::vector<page_interval> touched_;
  mail::uid_set erased_;
};

// The page numbers that hold `uids`, up to page `last`, as ascending disjoint intervals.
std::vector<page_interval> pages_of(const mail::uid_set& uids, std::uint32_t last);

}  // namespace briefwerk::store
