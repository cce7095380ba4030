#include "store/mailbox/engine_mailbox_store.hpp"

#include <algorithm>

#include "store/mailbox/delivery.hpp"

namespace briefwerk::store {
namespace {

// A snapshot that needs at most so many pages is made on the asking thread.
constexpr std::size_t few_pages = 16;

// A change of at most so many messages is brief, wherever they stand.
constexpr std::size_t few_messages = 32;

mail::flag_set changed_flags(mail::flag_set before, flag_change how, mail::flag_set bits, mail::flag_set kept) {
  switch (how) {
    case flag_change::replace: return (bits & ~kept) | (before & kept);
    case flag_change::add: return before | bits;
    case flag_change::remove: return before & ~bits;
  }
  return before;
}

mailbox_status status_of(const head_record& head) {
  return {head.messages,     head.unseen,         head.deleted,   head.uid_next,
          head.uid_validity, head.highest_modseq, head.total_size};
}

// The index of the first message without \Seen, from the pages' flags.
base::result<std::optional<std::uint32_t>> first_unseen(const account_reader& read, mailbox_id mailbox,
                                                        const head_record& head) {
  std::optional<std::uint32_t> found;
  std::uint32_t before = 0;
  const auto look = [&](const auto& messages) {
    for (const auto& one : messages) {
      if (!found && (one.flags & mail::flags::seen) == 0) found = before;
      ++before;
    }
  };
  const std::uint32_t tail_page = page_of(head.uid_next);
  constexpr std::uint32_t pages_at_once = 64;
  for (std::uint32_t first = 0; first < tail_page && !found; first += pages_at_once) {
    const auto seen = read.states(mailbox, {first, std::min(first + pages_at_once, tail_page) - 1},
                                  [&](std::uint32_t, const page_states& states) {
                                    look(states);
                                    return base::status();
                                  });
    if (!seen) return base::fail(seen.error());
  }
  if (found) return found;
  auto tail = read.tail(mailbox, tail_page * uids_per_page);
  if (!tail) return base::fail(tail.error());
  look(*tail);
  return found;
}

}  // namespace

base::result<head_record> require_head(const account_reader& read, mailbox_id mailbox) {
  auto head = read.head(mailbox);
  if (!head) return base::fail(head.error());
  if (!*head) return base::fail(errc::no_such_mailbox);
  return std::move(**head);
}

base::task<base::result<mailbox_status>> engine_mailbox_store::status(account_id account, mailbox_id mailbox) {
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  auto head = require_head(account_reader(**now, partition, core_.report), mailbox);
  if (!head) co_return base::fail(head.error());
  co_return status_of(*head);
}

base::task<base::result<snapshot_ptr>> engine_mailbox_store::snapshot(account_id account, mailbox_id mailbox) {
  const std::string partition = keys::partition(account);
  if (auto kept = unchanged_snapshot(partition, mailbox)) co_return std::move(kept);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  auto quick = quick_snapshot(read, mailbox);
  if (!quick) co_return base::fail(quick.error());
  if (*quick) co_return std::move(**quick);
  const auto load = loads_.begin(std::move(*now), partition, mailbox);
  co_return co_await load->get();
}

base::task<base::result<opened_mailbox>> engine_mailbox_store::open(account_id account, mailbox_id mailbox) {
  const std::string partition = keys::partition(account);
  if (auto kept = unchanged_snapshot(partition, mailbox)) co_return opened(std::move(kept));
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  auto quick = quick_snapshot(read, mailbox);
  if (!quick) co_return base::fail(quick.error());
  if (*quick) co_return opened(std::move(**quick));
  auto head = require_head(read, mailbox);
  if (!head) co_return base::fail(head.error());
  opened_mailbox answer;
  answer.now = status_of(*head);
  answer.keywords = head->keywords;
  if (head->unseen == head->messages) {
    answer.first_unseen = 0;
  } else if (head->unseen != 0) {
    auto first = co_await core_.threads.ask<base::result<std::optional<std::uint32_t>>>(
        [&] { return first_unseen(read, mailbox, *head); });
    if (!first) co_return base::fail(first.error());
    answer.first_unseen = *first;
  }
  answer.pending = loads_.begin(std::move(*now), partition, mailbox);
  co_return answer;
}

// Without a view, which costs more than all the rest of this.
snapshot_ptr engine_mailbox_store::unchanged_snapshot(const std::string& partition, mailbox_id mailbox) {
  const auto version = core_.where.version(partition);
  if (!version) return nullptr;
  auto cached = cache_.get(partition, mailbox);
  return cached && cached->version == *version ? std::move(cached->loaded.snapshot) : nullptr;
}

base::result<std::optional<snapshot_ptr>> engine_mailbox_store::quick_snapshot(const account_reader& read,
                                                                               mailbox_id mailbox) {
  const version_number version = read.now().version();
  auto cached = cache_.get(read.partition(), mailbox);
  if (cached && cached->version == version) return std::optional(cached->loaded.snapshot);
  auto head = read.head(mailbox);
  if (!head) return base::fail(head.error());
  if (!*head) {
    cache_.drop(read.partition(), mailbox);
    return base::fail(errc::no_such_mailbox);
  }
  std::optional<loaded_snapshot> fresh;
  if (cached) {
    const mailbox_snapshot& old = *cached->loaded.snapshot;
    if (old.uid_validity == (*head)->uid_validity && old.highest_modseq == (*head)->highest_modseq) {
      fresh = cached->loaded;
    } else {
      auto refreshed = refresh_snapshot(read, mailbox, **head, cached->loaded, few_pages);
      if (!refreshed) return base::fail(refreshed.error());
      fresh = std::move(*refreshed);
    }
  }
  if (!fresh && (*head)->messages <= few_pages * uids_per_page) {
    auto loaded = load_snapshot(read, mailbox, **head);
    if (!loaded) return base::fail(loaded.error());
    fresh = std::move(*loaded);
  }
  if (!fresh) return std::optional<snapshot_ptr>();
  snapshot_ptr answer = fresh->snapshot;
  cache_.put(read.partition(), mailbox, {std::move(*fresh), version});
  return std::optional(std::move(answer));
}

base::result<snapshot_ptr> engine_mailbox_store::full_snapshot(const account_reader& read, mailbox_id mailbox) {
  auto head = require_head(read, mailbox);
  if (!head) return base::fail(head.error());
  std::optional<loaded_snapshot> fresh;
  if (const auto cached = cache_.get(read.partition(), mailbox)) {
    auto refreshed = refresh_snapshot(read, mailbox, *head, cached->loaded, SIZE_MAX);
    if (!refreshed) return base::fail(refreshed.error());
    fresh = std::move(*refreshed);
  }
  if (!fresh) {
    auto loaded = load_snapshot(read, mailbox, *head);
    if (!loaded) return base::fail(loaded.error());
    fresh = std::move(*loaded);
  }
  snapshot_ptr answer = fresh->snapshot;
  cache_.put(read.partition(), mailbox, {std::move(*fresh), read.now().version()});
  return answer;
}

base::task<base::result<std::vector<base::result<appended>>>> engine_mailbox_store::deliver(
    message_source message, std::vector<local_target> targets, std::vector<queue_item> queue) {
  transaction work;
  work.brief = targets.size() + queue.size() <= few_messages;
  delivery all(core_, message, std::move(targets), std::move(queue), delivery::refusal::target_alone);
  all.add_to(work);
  auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  co_return all.take_results();
}

base::task<base::result<std::vector<appended>>> engine_mailbox_store::append(std::vector<message_source> pieces,
                                                                             std::vector<local_target> targets) {
  if (pieces.size() != targets.size()) co_return base::fail(base::errc::malformed);
  transaction work;
  work.brief = pieces.size() <= few_messages;
  std::vector<std::unique_ptr<delivery>> each;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    std::vector<local_target> one;
    one.push_back(std::move(targets[i]));
    each.push_back(std::make_unique<delivery>(core_, pieces[i], std::move(one), std::vector<queue_item>(),
                                              delivery::refusal::everything));
    each.back()->add_to(work);
  }
  auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  std::vector<appended> answers;
  for (const auto& one : each) answers.push_back(*one->take_results().front());
  co_return answers;
}

base::task<base::result<appended>> mailbox_store::replace(account_id, mailbox_id, std::uint32_t, message_source, local_target) {
  co_return base::fail(base::errc::unsupported);
}

base::task<base::result<appended>> engine_mailbox_store::replace(account_id account, mailbox_id from, std::uint32_t uid,
                                                                 message_source message, local_target target) {
  const std::string partition = keys::partition(account);
  std::vector<local_target> one;
  one.push_back(std::move(target));
  delivery fresh(core_, message, std::move(one), {}, delivery::refusal::everything);
  transaction work;
  // The old message first, so that its room is free for the new one.
  work.write(partition, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    account_writer writer(now, partition, core_.report, out, core_.seconds());
    auto head = require_head(writer.read(), from);
    if (!head) return base::fail(head.error());
    mailbox_editor box(writer, from, std::move(*head));
    std::optional<std::uint32_t> size;
    const mail::uid_set uids{{uid, uid}};
    const auto edited = box.remove(&uids, [&](const message_entry& entry) {
      size = entry.size;
      return true;
    });
    if (!edited) return edited;
    if (!size) return base::fail(base::errc::not_found);
    if (auto given = writer.give_room(*size, 1); !given) return given;
    if (auto finished = box.finish(); !finished) return finished;
    writer.finish();
    return {};
  });
  fresh.add_to(work);
  auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  co_return *fresh.take_results().front();
}

base::task<base::result<flags_changed>> engine_mailbox_store::change_flags(
    account_id account, mailbox_id mailbox, mail::uid_set uids, flag_change how, flag_list flags,
    std::optional<std::uint64_t> unchanged_since) {
  flags_changed answer;
  const std::string partition = keys::partition(account);
  // A keyword may look through the whole mailbox for a slot.
  const bool brief = uids.size() <= few_messages && flags.keywords.empty();
  // Of a brief change, as it was made: from which version, and what it left. The snapshot that this gives is made while the disk
  // writes, and is there when the commit is.
  struct {
    version_number before = 0;
    head_record head;
    std::vector<changed_page> pages;
    std::optional<loaded_snapshot> after;
  } made;
  const auto policy = how == flag_change::remove ? mailbox_editor::keywords::known : mailbox_editor::keywords::all;
  const change apply = [&](account_writer& writer) -> base::status {
    answer = {};
    made = {};
    auto head = require_head(writer.read(), mailbox);
    if (!head) return base::fail(head.error());
    mailbox_editor box(writer, mailbox, std::move(*head));
    auto bits = box.bits(flags, policy);
    if (!bits) return base::fail(bits.error());
    bool changes = false;
    const auto one = [&](message_state& state) {
      if (unchanged_since && state.modseq > *unchanged_since) {
        answer.modified.push_back(state.uid);
        return false;
      }
      answer.changed.push_back(state.uid);
      const mail::flag_set after = changed_flags(state.flags, how, *bits, flags.kept);
      if (after == state.flags) return false;
      state.flags = after;
      changes = true;
      return true;
    };
    const auto edited = box.change_states(uids, one, brief ? &made.pages : nullptr);
    if (!edited || !changes) return edited;
    if (auto finished = box.finish(); !finished) return finished;
    made.before = writer.read().now().version();
    made.head = box.head();
    return {};
  };
  transaction work;
  work.brief = brief;
  work.write(partition, step_of(partition, apply));
  if (brief) {
    work.meanwhile = [&] {
      if (made.pages.empty()) return;
      const auto cached = cache_.get(partition, mailbox);
      if (cached && cached->version == made.before)
        made.after = with_changed_flags(mailbox, made.head, cached->loaded, made.pages);
    };
  }
  const auto done = co_await core_.writer.commit(std::move(work));
  if (!done) co_return base::fail(done.error());
  if (made.after) cache_.put(partition, mailbox, {std::move(*made.after), done->versions.front()});
  auto after = co_await snapshot(std::move(account), mailbox);
  if (!after) co_return base::fail(after.error());
  answer.after = std::move(*after);
  co_return answer;
}

base::task<base::result<uid_mapping>> engine_mailbox_store::copy(account_id account, mailbox_id from,
                                                                 mail::uid_set uids, mailbox_id to) {
  co_return co_await transfer_inside(std::move(account), from, std::move(uids), to, false);
}

base::task<base::result<uid_mapping>> engine_mailbox_store::move(account_id account, mailbox_id from,
                                                                 mail::uid_set uids, mailbox_id to) {
  co_return co_await transfer_inside(std::move(account), from, std::move(uids), to, true);
}

base::task<base::result<uid_mapping>> engine_mailbox_store::transfer_inside(account_id account, mailbox_id from,
                                                                            mail::uid_set uids, mailbox_id to,
                                                                            bool moves) {
  uid_mapping mapping;
  const std::string partition = keys::partition(account);
  const auto done = co_await change_account(partition, [&](account_writer& writer) -> base::status {
    auto from_head = require_head(writer.read(), from);
    if (!from_head) return base::fail(from_head.error());
    auto to_head = require_head(writer.read(), to);
    if (!to_head) return base::fail(to_head.error());
    return transfer_messages(writer, from, *from_head, &uids, to, *to_head, moves, mapping);
  });
  if (!done) co_return base::fail(done.error());
  co_return mapping;
}

base::task<base::result<std::vector<std::uint32_t>>> engine_mailbox_store::expunge(account_id account,
                                                                                   mailbox_id mailbox,
                                                                                   std::optional<mail::uid_set> uids) {
  if (!uids) {
    // Which messages have \Deleted is found here, so that the commit thread reads only their pages.
    auto seen = co_await snapshot(account, mailbox);
    if (!seen) co_return base::fail(seen.error());
    uids.emplace();
    if ((*seen)->deleted > 0)
      for (const auto& entries : (*seen)->pages())
        for (const message_entry& entry : *entries)
          if ((entry.flags & mail::flags::deleted) != 0) uids->insert(entry.uid);
  }
  std::vector<std::uint32_t> gone;
  const std::string partition = keys::partition(account);
  const auto done = co_await change_account(partition, [&](account_writer& writer) -> base::status {
    gone.clear();
    auto head = require_head(writer.read(), mailbox);
    if (!head) return base::fail(head.error());
    if (uids->empty() || head->deleted == 0) return {};
    mailbox_editor box(writer, mailbox, std::move(*head));
    std::uint64_t octets = 0;
    const auto edited = box.remove(&*uids, [&](const message_entry& entry) {
      if ((entry.flags & mail::flags::deleted) == 0) return false;
      gone.push_back(entry.uid);
      octets += entry.size;
      return true;
    });
    if (!edited || gone.empty()) return edited;
    if (auto given = writer.give_room(octets, gone.size()); !given) return given;
    return box.finish();
  });
  if (!done) co_return base::fail(done.error());
  co_return gone;
}

// One of few that are looked for: without a view and its iterator.
base::result<std::optional<octets>> engine_mailbox_store::one_summary(const std::string& partition, mailbox_id mailbox,
                                                                      std::uint32_t uid) const {
  return core_.where.get(partition, keys::of_mailbox(keys::summary, mailbox, uid));
}

base::task<base::result<stored_summaries>> engine_mailbox_store::summaries(account_id account, mailbox_id mailbox,
                                                                           std::uint32_t first, std::uint32_t last,
                                                                           std::size_t most) {
  stored_summaries answer;
  if (first > last || most == 0) co_return answer;
  const std::string partition = keys::partition(account);
  if (first == last) {
    auto row = one_summary(partition, mailbox, first);
    if (!row) co_return base::fail(row.error());
    if (*row) {
      answer.rows.push_back({first, (*row)->view()});
      answer.owner = (*row)->owner();
      co_return answer;
    }
  }
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  auto rows = (*now)->scan(keys::range(keys::summary, mailbox, first, last), {.rows = most, .octets = 1u << 20});
  if (!rows) co_return base::fail(rows.error());
  auto kept = std::make_shared<const page>(std::move(*rows));
  answer.rows.reserve(kept->size());
  for (std::size_t i = 0; i < kept->size(); ++i) {
    const page::row row = (*kept)[i];
    std::string_view rest = row.key.substr(1 + sizeof mailbox);
    std::uint32_t uid = 0;
    if (!take_key_number(rest, uid) || !rest.empty()) co_return read.corrupt(row.key);
    answer.rows.push_back({uid, row.value});
  }
  answer.more = kept->more();
  if (kept->empty()) {
    // Nothing in the range, or no such mailbox.
    auto head = require_head(read, mailbox);
    if (!head) co_return base::fail(head.error());
  }
  answer.owner = std::move(kept);
  co_return answer;
}

base::task<base::status> mailbox_store::visit_summaries(account_id account, mailbox_id mailbox, std::uint32_t first,
                                                        std::uint32_t last, const summary_function& f) {
  constexpr std::size_t at_once = 16;
  for (;;) {
    const auto some = co_await summaries(account, mailbox, first, last, at_once);
    if (!some) co_return base::fail(some.error());
    for (const auto& row : some->rows)
      if (!f(row)) co_return base::status();
    if (!some->more || some->rows.empty() || some->rows.back().uid >= last) co_return base::status();
    first = some->rows.back().uid + 1;
  }
}

base::task<base::status> engine_mailbox_store::visit_summaries(account_id account, mailbox_id mailbox,
                                                               std::uint32_t first, std::uint32_t last,
                                                               const summary_function& f) {
  if (first > last) co_return base::status();
  const std::string partition = keys::partition(account);
  if (first == last) {
    const auto row = one_summary(partition, mailbox, first);
    if (!row) co_return base::fail(row.error());
    if (*row) {
      f({first, (*row)->view()});
      co_return base::status();
    }
  }
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  bool found = false, ended = false;
  const auto walked = (*now)->walk(
      keys::range(keys::summary, mailbox, first, last),
      [&](std::string_view key, std::string_view value) -> base::status {
        std::string_view rest = key.substr(1 + sizeof mailbox);
        std::uint32_t uid = 0;
        if (!take_key_number(rest, uid) || !rest.empty()) return read.corrupt(key);
        found = true;
        ended = !f({uid, value});
        return ended ? base::status(base::fail(base::errc::cancelled)) : base::status();
      },
      view::caching::kept);
  if (ended) co_return base::status();
  if (!walked) co_return walked;
  if (!found) {
    // Nothing in the range, or no such mailbox.
    const auto head = require_head(read, mailbox);
    if (!head) co_return base::fail(head.error());
  }
  co_return base::status();
}

base::task<base::status> mailbox_store::keep_digests(account_id, mailbox_id, std::vector<digest>, std::uint64_t) {
  co_return base::fail(base::errc::unsupported);
}

base::task<base::status> mailbox_store::visit_digests(account_id, mailbox_id, std::uint32_t, std::uint32_t,
                                                      const digest_function&) {
  co_return base::status();
}

// No change of the mailbox: neither its head nor the account's counters are written.
base::task<base::status> engine_mailbox_store::keep_digests(account_id account, mailbox_id mailbox,
                                                            std::vector<digest> digests, std::uint64_t modseq) {
  const std::string partition = keys::partition(account);
  co_return co_await core_.commit(partition, [&](const view& now, std::span<const blob_ref>, batch& out) -> base::status {
    const auto head = require_head(account_reader(now, partition, core_.report), mailbox);
    if (!head) return base::fail(head.error());
    if (head->highest_modseq != modseq) return base::fail(base::errc::conflict);
    for (const auto& one : digests) out.put(keys::of_mailbox(keys::digest, mailbox, one.number), one.octets);
    return {};
  });
}

base::task<base::status> engine_mailbox_store::visit_digests(account_id account, mailbox_id mailbox,
                                                             std::uint32_t first, std::uint32_t last,
                                                             const digest_function& f) {
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  co_return read.rows(keys::range(keys::digest, mailbox, first, last),
                      [&](std::string_view key, std::string_view value) -> base::status {
                        std::uint32_t number = 0;
                        std::string_view rest = key.substr(1 + sizeof mailbox);
                        if (!take_key_number(rest, number) || !rest.empty()) return read.corrupt(key);
                        f(number, value);
                        return {};
                      });
}

base::task<base::result<message_octets>> engine_mailbox_store::read(blob_ref blob) {
  co_return co_await core_.read_blob(blob);
}

base::task<base::result<message_octets>> engine_mailbox_store::read_beginning(blob_ref blob, std::uint64_t most) {
  co_return co_await core_.read_blob_beginning(blob, most);
}

base::task<base::result<std::optional<mail::uid_set>>> engine_mailbox_store::expunged_since(account_id account,
                                                                                            mailbox_id mailbox,
                                                                                            std::uint64_t modseq) {
  const std::string partition = keys::partition(account);
  auto now = core_.where.read(partition);
  if (!now) co_return base::fail(now.error());
  const account_reader read(**now, partition, core_.report);
  auto head = require_head(read, mailbox);
  if (!head) co_return base::fail(head.error());
  if (modseq < head->history_floor) co_return std::optional<mail::uid_set>();
  mail::uid_set gone;
  if (modseq >= head->highest_modseq) co_return std::optional(std::move(gone));
  const auto done = read.rows(keys::range(keys::expunged, mailbox, modseq + 1, head->highest_modseq),
                              [&](std::string_view key, std::string_view value) -> base::status {
                                auto uids = decode_expunged(value);
                                if (!uids) return read.corrupt(key);
                                gone.insert(*uids);
                                return {};
                              });
  if (!done) co_return base::fail(done.error());
  co_return std::optional(std::move(gone));
}

base::status mark_account(const view& now, std::string_view partition, const faults& report,
                          const std::function<void(const blob_ref&)>& mark) {
  const account_reader read(now, partition, report);
  const auto number_of = [](std::string_view key) {
    std::uint32_t number = 0;
    key.remove_prefix(std::min(key.size(), 1 + sizeof(mailbox_id)));
    take_key_number(key, number);
    return number;
  };
  const auto finished = read.rows(keys::all(keys::page), [&](std::string_view key, std::string_view value) -> base::status {
    auto entries = decode_page(value, number_of(key));
    if (!entries) return read.corrupt(key);
    for (const auto& entry : *entries) mark(entry.blob);
    return {};
  });
  if (!finished) return finished;
  return read.rows(keys::all(keys::tail), [&](std::string_view key, std::string_view value) -> base::status {
    auto entry = decode_entry(value, number_of(key));
    if (!entry) return read.corrupt(key);
    mark(entry->blob);
    return {};
  });
}

}  // namespace briefwerk::store
