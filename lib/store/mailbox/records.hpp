#pragma once

// The values of an account's partition: encoding and strict decoding (errc::corrupt for anything that the encoder
// cannot have written). Each begins with the version of its format.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::store {

// Page number n holds the uids n * 128 to n * 128 + 127. Pages below that of uid_next are finished, and stored as
// one value each; the entries of the page of uid_next are rows of their own, so that an append writes one entry.
inline constexpr std::uint32_t uids_per_page = mailbox_snapshot::page_size;
constexpr std::uint32_t page_of(std::uint32_t uid) noexcept { return uid / uids_per_page; }

struct account_record {
  mailbox_id next_mailbox = 1;
  std::uint32_t last_uid_validity = 0;
  std::uint64_t list_version = 0;  // counts changes of names and subscriptions
};
std::string encode(const account_record& record);
base::result<account_record> decode_account(std::string_view value);

std::string encode(const quota_usage& record);
base::result<quota_usage> decode_usage(std::string_view value);

struct name_record {
  mailbox_id id = 0;  // 0: a name that cannot be selected
  mail::special_use use = mail::special_use::none;
  std::uint32_t uid_validity = 0;
};
std::string encode(const name_record& record);
base::result<name_record> decode_name(std::string_view value);

struct head_record {
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::uint64_t highest_modseq = 1;
  std::uint64_t changes = 0;        // of stored entries, by flags or removal: numbers the ring of change records
  std::uint64_t history_floor = 0;  // the expunge history is complete above this modseq
  std::uint32_t history_rows = 0;
  std::uint32_t messages = 0, unseen = 0, deleted = 0;
  std::uint64_t total_size = 0;
  std::vector<std::string> keywords;
};
std::string encode(const head_record& record);
base::result<head_record> decode_head(std::string_view value);

std::string encode_page(std::span<const message_entry> entries);
// Appends nothing on error.
base::result<mailbox_snapshot::page> decode_page(
    std::string_view value, std::uint32_t page_number,
    std::pmr::memory_resource* room = std::pmr::get_default_resource());

// What changes of a message. Of a finished page it is a row of its own, which outdates what the page says: a change of
// flags writes some octets, and whoever needs no more than flags reads no page.
struct message_state {
  std::uint32_t uid = 0;
  std::uint64_t modseq = 0;
  std::uint64_t flags = 0;
  friend bool operator==(const message_state&, const message_state&) = default;
};
using page_states = std::vector<message_state>;  // of one page, ascending uid
inline message_state state_of(const message_entry& entry) noexcept { return {entry.uid, entry.modseq, entry.flags}; }
page_states states_of(std::span<const message_entry> entries);
// False, with some entries changed: the states are not of just these messages.
bool apply_states(std::span<const message_state> states, std::span<message_entry> entries) noexcept;

// `states`: 1 to 128 of the page's uids, ascending.
std::string encode_states(std::span<const message_state> states);
base::result<page_states> decode_states(std::string_view value, std::uint32_t page_number);

std::string encode_entry(const message_entry& entry);
base::result<message_entry> decode_entry(std::string_view value, std::uint32_t uid);

struct page_interval {
  std::uint32_t first = 0, last = 0;  // page numbers, both included
  bool operator==(const page_interval&) const = default;
};

// Which pages change number `number` touched. More than `most_intervals`: everything is to be read again.
struct change_record {
  static constexpr std::uint16_t ring_size = 256;
  static constexpr std::size_t most_intervals = 64;
  std::uint64_t number = 0;
  std::vector<page_interval> pages;  // ascending, disjoint
};
std::string encode(const change_record& record);
base::result<change_record> decode_change(std::string_view value);

std::string encode_expunged(const mail::uid_set& uids);
base::result<mail::uid_set> decode_expunged(std::string_view value);

std::string encode_access(const access_list& entries);
base::result<access_list> decode_access(std::string_view value);

std::string encode_annotation(std::string_view value);
base::result<std::string_view> decode_annotation(std::string_view row);  // a view of the row

}  // namespace briefwerk::store
