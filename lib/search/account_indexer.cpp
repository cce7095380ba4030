#include "search/account_indexer.hpp"

#include <string>

#include "briefwerk/mail/summary.hpp"

namespace briefwerk::search {
namespace {

using base::sync_wait;

constexpr std::size_t batch_messages = 250;
constexpr std::size_t batch_octets = 8u << 20;
constexpr std::size_t pending_terms = 400000;
constexpr std::uint32_t turn_messages = 2000;

// Summaries of a stretch of a mailbox, by UID.
base::result<std::vector<store::stored_summaries>> read_summaries(store::mailbox_store& mail, const store::account_id& account,
                                                                  store::mailbox_id mailbox, std::uint32_t first, std::uint32_t last) {
  std::vector<store::stored_summaries> out;
  for (bool more = true; more;) {
    auto got = sync_wait(mail.summaries(account, mailbox, first, last, batch_messages));
    if (!got) return base::fail(got.error());
    more = got->more && !got->rows.empty();
    if (more) first = got->rows.back().uid + 1;
    out.push_back(std::move(*got));
  }
  return out;
}

class summary_reader {
 public:
  explicit summary_reader(const std::vector<store::stored_summaries>& pieces) noexcept : pieces_(pieces) {}
  // UIDs ascend from call to call. Empty: none was kept.
  std::string_view of(std::uint32_t uid) {
    for (; piece_ < pieces_.size(); ++piece_, row_ = 0) {
      const auto& rows = pieces_[piece_].rows;
      while (row_ < rows.size() && rows[row_].uid < uid) ++row_;
      if (row_ < rows.size()) return rows[row_].uid == uid ? rows[row_].summary : std::string_view();
    }
    return {};
  }

 private:
  const std::vector<store::stored_summaries>& pieces_;
  std::size_t piece_ = 0, row_ = 0;
};

}  // namespace

struct account_indexer::work {
  const store::account_id& account;
  bool all;
  turn done;
  std::map<store::mailbox_id, indexed_mailbox> known;
  std::unique_ptr<index_writer> writer;
};

base::result<account_indexer::turn> account_indexer::run(const store::account_id& account, bool all) {
  work of{account, all, {}, {}, nullptr};
  auto mailboxes = sync_wait(mail_.list(account));
  if (!mailboxes) return base::fail(mailboxes.error());
  const auto state = where_.state(account);
  if (!state) return base::fail(state.error());
  for (const auto& one : *state) of.known.emplace(one.id, one);
  for (const auto& one : *mailboxes) {
    if (stopped_() || of.done.indexed >= turn_messages) of.done.more = true;
    if (of.done.more) break;
    if (!one.selectable) continue;
    if (auto done = look_at_mailbox(of, one); !done) return base::fail(done.error());
    of.known.erase(one.id);
  }
  if (!of.done.more && !of.known.empty()) {
    if (auto opened = open_writer(of); !opened) return base::fail(opened.error());
    for (const auto& [id, gone] : of.known) {
      if (auto removed = of.writer->remove_mailbox(id); !removed) return base::fail(removed.error());
      of.done.removed += gone.messages;
    }
  }
  if (of.writer) {
    if (auto done = of.writer->commit(stand_aside_); !done) return base::fail(done.error());
  }
  return of.done;
}

base::status account_indexer::open_writer(work& of) {
  if (of.writer) return {};
  auto opened = where_.write(of.account);
  if (!opened) return base::fail(opened.error());
  of.writer = std::move(*opened);
  return {};
}

base::status account_indexer::look_at_mailbox(work& of, const store::mailbox_info& mailbox) {
  const auto now = sync_wait(mail_.status(of.account, mailbox.id));
  if (now == base::fail(store::errc::no_such_mailbox)) return {};
  if (!now) return base::fail(now.error());
  const auto found = of.known.find(mailbox.id);
  const indexed_mailbox known = found != of.known.end() ? found->second : indexed_mailbox{.id = mailbox.id};
  if (known.below == 0 && now->messages < options_.least_messages) return {};
  if (known.below > now->uid_next || (known.below != 0 && known.uid_validity != now->uid_validity))
    return base::fail(base::errc::corrupt);  // of another past of the store
  const std::uint32_t fresh = now->uid_next - known.below;
  const bool enough = of.all || fresh >= options_.batch;
  // Every message below the mark is indexed, and perhaps some that are gone: fewer than there are would be a fault.
  if (fresh == 0 && known.messages == now->messages) return {};
  if (!enough) {
    of.done.waiting = true;
    return {};
  }
  auto snapshot = sync_wait(mail_.snapshot(of.account, mailbox.id));
  if (!snapshot) return base::fail(snapshot.error());
  if (auto opened = open_writer(of); !opened) return opened;
  if (auto removed = remove_vanished(of, **snapshot, known); !removed) return removed;
  return index_mailbox(of, **snapshot, known.below);
}

base::status account_indexer::remove_vanished(work& of, const store::mailbox_snapshot& mailbox, const indexed_mailbox& known) {
  if (known.messages == mailbox.lower_bound(known.below)) return {};
  const auto indexed = of.writer->uids(mailbox.id);
  if (!indexed) return base::fail(indexed.error());
  mail::uid_set gone;
  std::uint32_t there = 0;
  indexed->for_each([&](std::uint32_t uid) {
    if (uid >= known.below) return;
    if (mailbox.find(uid) == nullptr) gone.insert(uid);
    else ++there;
  });
  if (there != mailbox.lower_bound(known.below)) return base::fail(base::errc::corrupt);
  of.done.removed += static_cast<std::uint32_t>(gone.size());
  return of.writer->remove(mailbox.id, gone);
}

base::status account_indexer::index_mailbox(work& of, const store::mailbox_snapshot& mailbox, std::uint32_t below) {
  for (std::size_t next = mailbox.lower_bound(below); next < mailbox.count();) {
    if (stopped_() || of.done.indexed >= turn_messages) {
      of.done.more = true;
      return {};
    }
    std::size_t end = next, octets = 0;
    for (; end < mailbox.count() && end - next < batch_messages && octets < batch_octets; ++end) octets += mailbox.at(end).size;
    if (auto done = index_batch(of, mailbox, next, end); !done) return done;
    of.done.indexed += static_cast<std::uint32_t>(end - next);
    next = end;
    const auto reached = next < mailbox.count() ? mailbox.at(next).uid : mailbox.uid_next;
    if (auto done = of.writer->reached(mailbox.id, mailbox.uid_validity, reached); !done) return done;
    if (of.writer->pending() < pending_terms) continue;
    if (auto done = of.writer->commit(stand_aside_); !done) return done;
  }
  return of.writer->reached(mailbox.id, mailbox.uid_validity, mailbox.uid_next);
}

base::status account_indexer::index_batch(work& of, const store::mailbox_snapshot& mailbox, std::size_t first, std::size_t end) {
  const auto summaries = read_summaries(mail_, of.account, mailbox.id, mailbox.at(first).uid, mailbox.at(end - 1).uid);
  if (!summaries) return base::fail(summaries.error());
  summary_reader kept(*summaries);
  std::vector<store::blob_ref> blobs;
  for (std::size_t i = first; i < end; ++i) blobs.push_back(mailbox.at(i).blob);
  std::vector<base::result<store::message_octets>> octets(blobs.size(), base::fail(base::errc::not_found));
  sync_wait(mail_.read_all(blobs, octets));
  for (std::size_t i = first; i < end; ++i) {
    stand_aside_();
    auto& content = octets[i - first];
    message_text message{.entry = &mailbox.at(i), .summary = kept.of(mailbox.at(i).uid), .octets = {}};
    std::string made;
    if (content) message.octets = content->view();
    if (message.summary.empty() && content) message.summary = made = mail::encode_summary(mail::summarise(message.octets));
    if (auto added = of.writer->add(mailbox.id, message); !added) return added;
    content = base::fail(base::errc::not_found);  // its memory is free
  }
  return {};
}

}  // namespace briefwerk::search
