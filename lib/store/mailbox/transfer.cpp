// COPY and MOVE inside an account and between two: entries and summaries are copied, blobs are shared.

#include "store/mailbox/engine_mailbox_store.hpp"

namespace briefwerk::store {
namespace {

// What a keyword slot of one mailbox means in another.
class keyword_map {
 public:
  base::status prepare(mail::flag_set used, const std::vector<std::string>& from, mailbox_editor& to) {
    for (unsigned slot = 0; slot < from.size(); ++slot) {
      if ((used & mail::keyword_bit(slot)) == 0) continue;
      auto bits = to.bits({0, {from[slot]}}, mailbox_editor::keywords::fitting);
      if (!bits) return base::fail(bits.error());
      pairs_.emplace_back(mail::keyword_bit(slot), *bits);
    }
    return {};
  }
  mail::flag_set operator()(mail::flag_set flags) const {
    mail::flag_set out = flags & mail::flags::system_mask;
    for (const auto& [from, to] : pairs_)
      if ((flags & from) != 0) out |= to;
    return out;
  }

 private:
  std::vector<std::pair<mail::flag_set, mail::flag_set>> pairs_;
};

// Summaries of ascending uids. Rows that stand close together are read by scans, others one by one.
class summary_rows {
 public:
  summary_rows(const account_reader& read, mailbox_id mailbox) : read_(read), mailbox_(mailbox) {}

  // Valid until the next call. Empty where there is none.
  base::result<std::string_view> of(std::uint32_t uid) {
    if (uid > last_) {
      const page_limit limit{.rows = 256, .octets = 1u << 20};
      auto rows = read_.now().scan(keys::range(keys::summary, mailbox_, uid, uid + 255 < uid ? UINT32_MAX : uid + 255), limit);
      if (!rows) return base::fail(rows.error());
      rows_ = std::move(*rows);
      at_ = 0;
      last_ = rows_.more() ? uid_at(rows_.size() - 1) : (uid + 255 < uid ? UINT32_MAX : uid + 255);
    }
    while (at_ < rows_.size() && uid_at(at_) < uid) ++at_;
    if (at_ == rows_.size() || uid_at(at_) != uid) return std::string_view();
    return rows_[at_].value;
  }

 private:
  std::uint32_t uid_at(std::size_t row) const {
    std::string_view key = rows_[row].key.substr(1 + sizeof mailbox_);
    std::uint32_t uid = 0;
    take_key_number(key, uid);
    return uid;
  }

  const account_reader& read_;
  mailbox_id mailbox_;
  page rows_;
  std::size_t at_ = 0;
  std::uint32_t last_ = 0;  // rows up to this uid were read
};

}  // namespace

base::status transfer_messages(account_writer& account, mailbox_id from, const head_record& from_head,
                               const mail::uid_set* uids, mailbox_id to, const head_record& to_head, bool moves,
                               uid_mapping& mapping) {
  mapping = {to_head.uid_validity, {}, {}};
  mailbox_editor source(account, from, from_head);
  std::vector<message_entry> chosen;
  const auto collected = source.remove(uids, [&](const message_entry& entry) {
    chosen.push_back(entry);
    return moves;
  });
  if (!collected) return collected;
  if (chosen.empty()) return {};

  mail::flag_set used = 0;
  std::uint64_t octets = 0;
  for (const auto& entry : chosen) {
    used |= entry.flags;
    octets += entry.size;
  }
  if (!moves) {
    if (auto room = account.take_room(octets, chosen.size(), false); !room) return room;
  }
  // Within one mailbox the messages go to its end, with new uids.
  std::optional<mailbox_editor> other;
  if (to != from) other.emplace(account, to, to_head);
  mailbox_editor& target = other ? *other : source;
  keyword_map keywords;
  if (auto prepared = keywords.prepare(used, from_head.keywords, target); !prepared) return prepared;
  summary_rows summaries(account.read(), from);
  mapping.from.reserve(chosen.size());
  mapping.to.reserve(chosen.size());
  for (message_entry entry : chosen) {
    auto summary = summaries.of(entry.uid);
    if (!summary) return base::fail(summary.error());
    mapping.from.push_back(entry.uid);
    entry.flags = keywords(entry.flags);
    entry.save_date = account.seconds();
    auto uid = target.append(entry, *summary);
    if (!uid) return base::fail(uid.error());
    mapping.to.push_back(*uid);
  }
  if (moves && other) {
    if (auto done = source.finish(); !done) return done;
  }
  return target.finish();
}

base::status take_messages(account_writer& account, mailbox_id from, const head_record& head, const mail::uid_set& uids,
                           bool moves, messages_under_way& taken) {
  taken = {.keywords = head.keywords, .entries = {}, .summaries = {}};
  mailbox_editor source(account, from, head);
  std::uint64_t octets = 0;
  const auto collected = source.remove(&uids, [&](const message_entry& entry) {
    taken.entries.push_back(entry);
    octets += entry.size;
    return moves;
  });
  if (!collected) return collected;
  summary_rows summaries(account.read(), from);
  for (const auto& entry : taken.entries) {
    auto summary = summaries.of(entry.uid);
    if (!summary) return base::fail(summary.error());
    taken.summaries.emplace_back(*summary);
  }
  if (!moves || taken.entries.empty()) return {};
  if (auto given = account.give_room(octets, taken.entries.size()); !given) return given;
  return source.finish();
}

base::status put_messages(account_writer& account, mailbox_id to, const head_record& head, mail::flag_set flags_kept,
                          const messages_under_way& what, uid_mapping& mapping) {
  mapping = {head.uid_validity, {}, {}};
  if (what.entries.empty()) return {};
  mail::flag_set used = 0;
  std::uint64_t octets = 0;
  for (const auto& entry : what.entries) {
    used |= entry.flags & flags_kept;
    octets += entry.size;
  }
  if (auto room = account.take_room(octets, what.entries.size(), false); !room) return room;
  mailbox_editor target(account, to, head);
  keyword_map keywords;
  if (auto prepared = keywords.prepare(used, what.keywords, target); !prepared) return prepared;
  for (std::size_t i = 0; i < what.entries.size(); ++i) {
    message_entry entry = what.entries[i];
    mapping.from.push_back(entry.uid);
    entry.flags = keywords(entry.flags & flags_kept);
    entry.save_date = account.seconds();
    auto uid = target.append(entry, what.summaries[i]);
    if (!uid) return base::fail(uid.error());
    mapping.to.push_back(*uid);
  }
  return target.finish();
}

}  // namespace briefwerk::store
