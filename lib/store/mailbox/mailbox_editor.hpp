#pragma once

// Changes of one mailbox's index, as part of a step: at most one edit() of what is there, then any number of
// append(), then finish().

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "store/mailbox/account_writer.hpp"

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

  enum class action : std::uint8_t { keep, change, erase };
  using entry_function = std::function<action(message_entry& entry)>;
  // Calls `f` for each message of `uids` (null: for all), ascending. Quota is not touched.
  base::status edit(const mail::uid_set* uids, const entry_function& f);

  base::status finish();

 private:
  class selection;
  base::result<unsigned> slot_of(const std::string& keyword, keywords policy);
  base::result<mail::flag_set> used_flags() const;
  base::status load_tail();
  // True when something changed.
  bool apply(std::vector<message_entry>& entries, selection& wanted, const entry_function& f);
  void count(const message_entry& entry, bool in);
  void touched(std::uint32_t page);
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
  std::vector<message_entry> tail_before_, tail_;  // entries of the unfinished page
  std::vector<message_entry> pending_;             // appended
  std::vector<page_interval> touched_;
  mail::uid_set erased_;
};

// The page numbers that hold `uids`, up to page `last`, as ascending disjoint intervals.
std::vector<page_interval> pages_of(const mail::uid_set& uids, std::uint32_t last);

}  // namespace briefwerk::store
