#include "store/mailbox/records.hpp"

#include <bit>
#include <cstddef>
#include <cstring>

#include "briefwerk/base/limits.hpp"
#include "store/mailbox/octet_codec.hpp"

namespace briefwerk::store {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t head_version = 2;  // 1: the same, of a mailbox without rows F
constexpr std::size_t entry_size = sizeof(message_entry);
constexpr std::size_t page_header = 4;  // version, width of an entry, number of entries
constexpr std::size_t states_header = 17, states_run = 17;

// The memory layout is the stored one; changing message_entry needs a new version of pages and entry rows.
static_assert(std::is_trivially_copyable_v<message_entry> && entry_size == 72 && alignof(message_entry) == 8);
static_assert(offsetof(message_entry, size) == 4 && offsetof(message_entry, modseq) == 8 &&
              offsetof(message_entry, flags) == 16 && offsetof(message_entry, internal_date) == 24 &&
              offsetof(message_entry, save_date) == 32 && offsetof(message_entry, blob) == 40 &&
              offsetof(message_entry, email_id) == 56);

auto corrupt() { return base::fail(base::errc::corrupt); }

// Little-endian to the machine's order and back.
void to_stored_order([[maybe_unused]] std::span<message_entry> entries) noexcept {
  if constexpr (std::endian::native == std::endian::big) {
    for (message_entry& e : entries) {
      e.uid = std::byteswap(e.uid);
      e.size = std::byteswap(e.size);
      e.modseq = std::byteswap(e.modseq);
      e.flags = std::byteswap(e.flags);
      e.internal_date = std::byteswap(e.internal_date);
      e.save_date = std::byteswap(e.save_date);
    }
  }
}

void append_entries(std::string& out, std::span<const message_entry> entries) {
  if constexpr (std::endian::native == std::endian::big) {
    for (message_entry e : entries) {
      to_stored_order({&e, 1});
      out.append(reinterpret_cast<const char*>(&e), entry_size);
    }
  } else {
    out.append(reinterpret_cast<const char*>(entries.data()), entries.size_bytes());
  }
}

}  // namespace

std::string encode(const account_record& record) {
  return octet_writer().u8(version).u32(record.next_mailbox).u32(record.last_uid_validity).u64(record.list_version).take();
}

base::result<account_record> decode_account(std::string_view value) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  account_record record;
  record.next_mailbox = in.u32();
  record.last_uid_validity = in.u32();
  record.list_version = in.u64();
  if (!known || !in.complete() || record.next_mailbox == 0) return corrupt();
  return record;
}

std::string encode(const quota_usage& record) {
  return octet_writer()
      .u8(version)
      .u64(record.used_octets)
      .u64(record.used_messages)
      .u64(record.limits.octets)
      .u64(record.limits.messages)
      .take();
}

base::result<quota_usage> decode_usage(std::string_view value) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  quota_usage record;
  record.used_octets = in.u64();
  record.used_messages = in.u64();
  record.limits.octets = in.u64();
  record.limits.messages = in.u64();
  if (!known || !in.complete()) return corrupt();
  return record;
}

std::string encode(const name_record& record) {
  return octet_writer()
      .u8(version)
      .u32(record.id)
      .u8(static_cast<std::uint8_t>(record.use))
      .u32(record.uid_validity)
      .take();
}

base::result<name_record> decode_name(std::string_view value) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  name_record record;
  record.id = in.u32();
  const std::uint8_t use = in.u8();
  record.use = static_cast<mail::special_use>(use);
  record.uid_validity = in.u32();
  if (!known || !in.complete() || use > static_cast<std::uint8_t>(mail::special_use::important)) return corrupt();
  return record;
}

std::string encode(const head_record& record) {
  octet_writer out;
  out.reserve(96);
  out.u8(head_version).u32(record.uid_validity).u32(record.uid_next).u64(record.highest_modseq).u64(record.changes);
  out.u64(record.history_floor).u32(record.history_rows);
  out.u32(record.messages).u32(record.unseen).u32(record.deleted).u64(record.total_size);
  out.u8(static_cast<std::uint8_t>(record.keywords.size()));
  for (const auto& name : record.keywords) out.u8(static_cast<std::uint8_t>(name.size())).fixed(name);
  return out.take();
}

base::result<head_record> decode_head(std::string_view value) {
  octet_reader in(value);
  const std::uint8_t format = in.u8();
  const bool known = format == version || format == head_version;
  head_record record;
  record.uid_validity = in.u32();
  record.uid_next = in.u32();
  record.highest_modseq = in.u64();
  record.changes = in.u64();
  record.history_floor = in.u64();
  record.history_rows = in.u32();
  record.messages = in.u32();
  record.unseen = in.u32();
  record.deleted = in.u32();
  record.total_size = in.u64();
  const std::uint8_t keywords = in.u8();
  if (!known || !in.ok() || keywords > base::limits::imap_keywords || record.uid_next == 0) return corrupt();
  if (record.messages >= record.uid_next || record.unseen > record.messages || record.deleted > record.messages)
    return corrupt();
  record.keywords.reserve(keywords);
  for (std::uint8_t i = 0; i < keywords; ++i) record.keywords.emplace_back(in.fixed(in.u8()));
  if (!in.complete()) return corrupt();
  return record;
}

std::string encode_page(std::span<const message_entry> entries) {
  octet_writer header;
  header.reserve(page_header + entries.size_bytes());
  std::string out = header.u8(version)
                        .u8(static_cast<std::uint8_t>(entry_size))
                        .u16(static_cast<std::uint16_t>(entries.size()))
                        .take();
  append_entries(out, entries);
  return out;
}

base::result<mailbox_snapshot::page> decode_page(std::string_view value, std::uint32_t page_number,
                                                std::pmr::memory_resource* room) {
  octet_reader in(value);
  const bool known = in.u8() == version && in.u8() == entry_size;
  const std::size_t count = in.u16();
  if (!known || count == 0 || count > uids_per_page || in.left() != count * entry_size) return corrupt();
  mailbox_snapshot::page entries(count, room);
  std::memcpy(entries.data(), value.data() + page_header, count * entry_size);
  to_stored_order(entries);
  std::uint64_t least = std::uint64_t{page_number} * uids_per_page;
  for (const message_entry& e : entries) {
    if (e.uid < least || page_of(e.uid) != page_number || e.uid == 0) return corrupt();
    least = std::uint64_t{e.uid} + 1;
  }
  return entries;
}

page_states states_of(std::span<const message_entry> entries) {
  page_states states;
  states.reserve(entries.size());
  for (const message_entry& e : entries) states.push_back(state_of(e));
  return states;
}

bool apply_states(std::span<const message_state> states, std::span<message_entry> entries) noexcept {
  if (states.size() != entries.size()) return false;
  for (std::size_t i = 0; i < states.size(); ++i) {
    if (states[i].uid != entries[i].uid) return false;
    entries[i].modseq = states[i].modseq;
    entries[i].flags = states[i].flags;
  }
  return true;
}

// Version, which uids of the page are there (one bit each, least first), runs of messages that are alike.
std::string encode_states(std::span<const message_state> states) {
  std::uint64_t there[2] = {};
  for (const auto& s : states) there[s.uid % uids_per_page / 64] |= 1ull << (s.uid % 64);
  octet_writer out;
  out.reserve(states_header + 4 * states_run);
  out.u8(version).u64(there[0]).u64(there[1]);
  for (std::size_t i = 0; i < states.size();) {
    std::size_t end = i + 1;
    while (end < states.size() && states[end].modseq == states[i].modseq && states[end].flags == states[i].flags) ++end;
    out.u8(static_cast<std::uint8_t>(end - i)).u64(states[i].modseq).u64(states[i].flags);
    i = end;
  }
  return out.take();
}

base::result<page_states> decode_states(std::string_view value, std::uint32_t page_number) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  const std::uint64_t there[2] = {in.u64(), in.u64()};
  if (!known || !in.ok() || (there[0] | there[1]) == 0 || (page_number == 0 && (there[0] & 1) != 0)) return corrupt();
  page_states states;
  states.reserve(static_cast<std::size_t>(std::popcount(there[0]) + std::popcount(there[1])));
  for (std::uint32_t half = 0; half < 2; ++half)
    for (std::uint64_t left = there[half]; left != 0; left &= left - 1)
      states.push_back(
          {page_number * uids_per_page + half * 64 + static_cast<std::uint32_t>(std::countr_zero(left)), 0, 0});
  std::size_t at = 0;
  message_state before;
  while (at < states.size()) {
    const std::size_t run = in.u8();
    const std::uint64_t modseq = in.u64(), flags = in.u64();
    if (!in.ok() || run == 0 || run > states.size() - at) return corrupt();
    if (at != 0 && before.modseq == modseq && before.flags == flags) return corrupt();  // one run, as encoded
    before = {0, modseq, flags};
    for (const std::size_t end = at + run; at < end; ++at) {
      states[at].modseq = modseq;
      states[at].flags = flags;
    }
  }
  if (!in.complete()) return corrupt();
  return states;
}

std::string encode_entry(const message_entry& entry) {
  octet_writer header;
  header.reserve(1 + entry_size);
  std::string out = header.u8(version).take();
  append_entries(out, {&entry, 1});
  return out;
}

base::result<message_entry> decode_entry(std::string_view value, std::uint32_t uid) {
  if (value.size() != 1 + entry_size || value[0] != static_cast<char>(version)) return corrupt();
  message_entry entry;
  std::memcpy(&entry, value.data() + 1, entry_size);
  to_stored_order({&entry, 1});
  if (entry.uid != uid || uid == 0) return corrupt();
  return entry;
}

std::string encode(const change_record& record) {
  const bool all = record.pages.size() > change_record::most_intervals;
  octet_writer out;
  out.u8(version).u64(record.number).u8(all ? 1 : static_cast<std::uint8_t>(record.pages.size()));
  if (all) return out.u32(0).u32(page_of(UINT32_MAX)).take();
  for (const auto& interval : record.pages) out.u32(interval.first).u32(interval.last);
  return out.take();
}

base::result<change_record> decode_change(std::string_view value) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  change_record record;
  record.number = in.u64();
  const std::size_t count = in.u8();
  if (!known || !in.ok() || in.left() != count * 8) return corrupt();
  for (std::size_t i = 0; i < count; ++i) {
    page_interval interval;
    interval.first = in.u32();
    interval.last = in.u32();
    const bool ordered = record.pages.empty() || record.pages.back().last < interval.first;
    if (!ordered || interval.last < interval.first || interval.last > page_of(UINT32_MAX)) return corrupt();
    record.pages.push_back(interval);
  }
  return record;
}

std::string encode_expunged(const mail::uid_set& uids) {
  octet_writer out;
  out.reserve(1 + uids.ranges().size() * 8);
  out.u8(version);
  for (const auto& range : uids.ranges()) out.u32(range.first).u32(range.last);
  return out.take();
}

base::result<mail::uid_set> decode_expunged(std::string_view value) {
  octet_reader in(value);
  if (in.u8() != version || in.left() == 0 || in.left() % 8 != 0) return corrupt();
  mail::uid_set uids;
  std::uint64_t least = 1;
  while (in.left() > 0) {
    const std::uint32_t first = in.u32(), last = in.u32();
    if (first < least || last < first) return corrupt();
    uids.insert(first, last);
    least = std::uint64_t{last} + 1;
  }
  return uids;
}

std::string encode_access(const access_list& entries) {
  octet_writer out;
  out.u8(version).u32(static_cast<std::uint32_t>(entries.size()));
  for (const auto& one : entries) out.u8(one.negative ? 1 : 0).u16(one.rights).text(one.user);
  return out.take();
}

base::result<access_list> decode_access(std::string_view value) {
  constexpr std::size_t smallest = 7;
  octet_reader in(value);
  if (in.u8() != version) return corrupt();
  const std::uint32_t count = in.u32();
  if (!in.ok() || count == 0 || count > in.left() / smallest) return corrupt();
  access_list entries(count);
  for (auto& one : entries) {
    const std::uint8_t negative = in.u8();
    one.negative = negative == 1;
    one.rights = in.u16();
    one.user = in.text();
    if (negative > 1 || one.rights == 0 || (one.rights & ~mail::rights::all) != 0) return corrupt();
  }
  if (!in.complete()) return corrupt();
  return entries;
}

std::string encode_annotation(std::string_view value) { return octet_writer().u8(version).fixed(value).take(); }

base::result<std::string_view> decode_annotation(std::string_view row) {
  if (row.empty() || static_cast<std::uint8_t>(row.front()) != version) return corrupt();
  return row.substr(1);
}

}  // namespace briefwerk::store
