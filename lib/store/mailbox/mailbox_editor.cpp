#include "store/mailbox/mailbox_editor.hpp"

#include <algorithm>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::store {
namespace {

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

// Calls `finished` for the intervals of finished pages that hold `uids`; answers whether the unfinished one may too.
template <class F>
base::result<bool> each_interval(const mail::uid_set* uids, std::uint32_t tail_page, const F& finished) {
  bool at_tail = uids == nullptr;
  const auto intervals = uids == nullptr ? std::vector<page_interval>{{0, tail_page}} : pages_of(*uids, tail_page);
  for (page_interval interval : intervals) {
    if (interval.last == tail_page) at_tail = true;
    if (interval.first == tail_page) break;
    interval.last = std::min(interval.last, tail_page - 1);
    if (auto done = finished(interval); !done) return base::fail(done.error());
  }
  return at_tail;
}

}  // namespace

std::vector<page_interval> pages_of(const mail::uid_set& uids, std::uint32_t last) {
  std::vector<page_interval> pages;
  for (const auto& range : uids.ranges()) {
    page_interval next{page_of(range.first), std::min(page_of(range.last), last)};
    if (next.first > last) break;
    if (!pages.empty() && next.first <= pages.back().last + 1)
      pages.back().last = std::max(pages.back().last, next.last);
    else
      pages.push_back(next);
  }
  return pages;
}

// Walks through a set along with ascending uids.
class mailbox_editor::selection {
 public:
  explicit selection(const mail::uid_set* uids) : all_(uids == nullptr) {
    if (uids != nullptr) rest_ = uids->ranges();
  }
  bool holds(std::uint32_t uid) {
    if (all_) return true;
    while (!rest_.empty() && rest_.front().last < uid) rest_ = rest_.subspan(1);
    return !rest_.empty() && rest_.front().first <= uid;
  }

 private:
  bool all_;
  std::span<const mail::uid_range> rest_;
};

std::uint64_t mailbox_editor::modseq() {
  if (!modseq_taken_) ++head_.highest_modseq;
  modseq_taken_ = true;
  return head_.highest_modseq;
}

base::result<mail::flag_set> mailbox_editor::bits(const flag_list& flags, keywords policy) {
  mail::flag_set set = flags.system & mail::flags::system_mask;
  for (const auto& keyword : flags.keywords) {
    auto slot = slot_of(keyword, policy);
    if (slot)
      set |= mail::keyword_bit(*slot);
    else if (policy == keywords::all || slot.error() == base::errc::corrupt)
      return base::fail(slot.error());
  }
  return set;
}

base::result<unsigned> mailbox_editor::slot_of(const std::string& keyword, keywords policy) {
  auto& names = head_.keywords;
  const auto found = std::ranges::find_if(names, [&](const auto& name) { return equal_ignoring_case(name, keyword); });
  if (found != names.end()) return static_cast<unsigned>(found - names.begin());
  if (!mail::is_keyword(keyword)) return base::fail(base::errc::malformed);
  if (policy == keywords::known) return base::fail(errc::too_many_keywords);
  if (names.size() < base::limits::imap_keywords) {
    names.push_back(keyword);
    return static_cast<unsigned>(names.size() - 1);
  }
  if (policy == keywords::fitting) return base::fail(errc::too_many_keywords);
  auto used = used_flags();
  if (!used) return base::fail(used.error());
  for (unsigned slot = 0; slot < names.size(); ++slot) {
    if ((*used & mail::keyword_bit(slot)) != 0 || reserved_ & mail::keyword_bit(slot)) continue;
    names[slot] = keyword;
    reserved_ |= mail::keyword_bit(slot);
    return slot;
  }
  return base::fail(errc::too_many_keywords);
}

// Which flags any message has. Reads the whole index: only for a mailbox without a free keyword slot.
base::result<mail::flag_set> mailbox_editor::used_flags() const {
  mail::flag_set used = 0;
  const auto add = [&](const auto& all) {
    for (const auto& one : all) used |= one.flags;
  };
  const std::uint32_t tail_page = page_of(opened_uid_next_);
  const auto& read = account_.read();
  const auto seen =
      tail_page == 0 ? base::status() : read.states(id_, {0, tail_page - 1}, [&](std::uint32_t, const auto& states) {
        add(states);
        return base::status();
      });
  if (!seen) return base::fail(seen.error());
  auto tail = read.tail(id_, tail_page * uids_per_page);
  if (!tail) return base::fail(tail.error());
  add(*tail);
  add(pending_);
  return used;
}

base::result<std::uint32_t> mailbox_editor::append(message_entry entry, std::string_view summary) {
  if (head_.uid_next == UINT32_MAX) return base::fail(base::errc::limit_exceeded);
  entry.uid = head_.uid_next++;
  entry.modseq = modseq();
  pending_.push_back(entry);
  count(entry, true);
  account_.out().put(keys::of_mailbox(keys::summary, id_, entry.uid), std::string(summary));
  return entry.uid;
}

base::status mailbox_editor::change_states(const mail::uid_set& uids, const state_function& f,
                                           std::vector<changed_page>* changed) {
  const std::uint32_t tail_page = page_of(opened_uid_next_);
  selection wanted(&uids);
  const auto one = [&](std::uint32_t number, page_states states) -> base::status {
    if (!change(states, wanted, f)) return {};
    touched(number);
    account_.out().put(keys::of_mailbox(keys::states, id_, number), encode_states(states));
    if (changed != nullptr) changed->push_back({number, std::move(states)});
    return {};
  };
  const auto at_tail = each_interval(
      &uids, tail_page, [&](page_interval interval) { return account_.read().states(id_, interval, one); });
  if (!at_tail) return base::fail(at_tail.error());
  if (!*at_tail) return {};
  if (auto loaded = load_tail(); !loaded) return loaded;
  page_states states = states_of(tail_);
  if (!change(states, wanted, f)) return {};
  touched(tail_page);
  apply_states(states, tail_);
  if (changed != nullptr) changed->push_back({tail_page, std::move(states)});
  return {};
}

bool mailbox_editor::change(std::span<message_state> states, selection& wanted, const state_function& f) {
  bool changed = false;
  for (message_state& state : states) {
    if (!wanted.holds(state.uid)) continue;
    message_state after = state;
    if (!f(after)) continue;
    changed = true;
    const auto recount = [](std::uint32_t& counter, bool before, bool now) {
      if (now != before) now ? ++counter : --counter;
    };
    recount(head_.unseen, (state.flags & mail::flags::seen) == 0, (after.flags & mail::flags::seen) == 0);
    recount(head_.deleted, (state.flags & mail::flags::deleted) != 0, (after.flags & mail::flags::deleted) != 0);
    state.flags = after.flags;
    state.modseq = modseq();
  }
  return changed;
}

base::status mailbox_editor::remove(const mail::uid_set* uids, const entry_function& f) {
  const std::uint32_t tail_page = page_of(opened_uid_next_);
  selection wanted(uids);
  const auto one = [&](std::uint32_t number, mailbox_snapshot::page entries) -> base::status {
    if (!take_out(entries, wanted, f)) return {};
    touched(number);
    put_page(number, entries);
    return {};
  };
  const auto at_tail =
      each_interval(uids, tail_page, [&](page_interval interval) { return account_.read().pages(id_, interval, one); });
  if (!at_tail) return base::fail(at_tail.error());
  if (!*at_tail) return {};
  if (auto loaded = load_tail(); !loaded) return loaded;
  if (take_out(tail_, wanted, f)) touched(tail_page);
  return {};
}

bool mailbox_editor::take_out(mailbox_snapshot::page& entries, selection& wanted, const entry_function& f) {
  const std::size_t before = entries.size();
  std::erase_if(entries, [&](const message_entry& entry) {
    if (!wanted.holds(entry.uid) || !f(entry)) return false;
    count(entry, false);
    erased_.insert(entry.uid);
    account_.out().erase(keys::of_mailbox(keys::summary, id_, entry.uid));
    return true;
  });
  return entries.size() != before;
}

void mailbox_editor::put_page(std::uint32_t number, std::span<const message_entry> entries) {
  batch& out = account_.out();
  const std::string page = keys::of_mailbox(keys::page, id_, number),
                    states = keys::of_mailbox(keys::states, id_, number);
  if (entries.empty()) {
    out.erase(page);
    out.erase(states);
    return;
  }
  out.put(page, encode_page(entries));
  out.put(states, encode_states(states_of(entries)));
}

void mailbox_editor::count(const message_entry& entry, bool in) {
  const std::uint32_t unseen = (entry.flags & mail::flags::seen) == 0 ? 1 : 0;
  const std::uint32_t deleted = (entry.flags & mail::flags::deleted) != 0 ? 1 : 0;
  if (in) {
    head_.messages += 1;
    head_.unseen += unseen;
    head_.deleted += deleted;
    head_.total_size += entry.size;
  } else {
    head_.messages -= 1;
    head_.unseen -= unseen;
    head_.deleted -= deleted;
    head_.total_size -= entry.size;
  }
}

void mailbox_editor::touched(std::uint32_t page) {
  if (!touched_.empty() && touched_.back().last + 1 == page)
    touched_.back().last = page;
  else
    touched_.push_back({page, page});
}

base::status mailbox_editor::load_tail() {
  if (tail_loaded_) return {};
  auto rows = account_.read().tail(id_, page_of(opened_uid_next_) * uids_per_page);
  if (!rows) return base::fail(rows.error());
  tail_before_ = *rows;
  tail_ = std::move(*rows);
  tail_loaded_ = true;
  return {};
}

base::status mailbox_editor::finish() {
  if (page_of(head_.uid_next) == page_of(opened_uid_next_)) {
    write_tail();
  } else if (auto folded = fold_tail(); !folded) {
    return folded;
  }
  if (!touched_.empty()) write_change();
  if (!erased_.empty()) {
    if (auto written = write_history(); !written) return written;
  }
  account_.out().put(keys::of_mailbox(keys::head, id_), encode(head_));
  return {};
}

void mailbox_editor::write_tail() {
  batch& out = account_.out();
  const auto put = [&](const message_entry& e) { out.put(keys::of_mailbox(keys::tail, id_, e.uid), encode_entry(e)); };
  auto after = tail_.begin();
  for (const message_entry& before : tail_before_) {
    if (after == tail_.end() || after->uid != before.uid) {
      out.erase(keys::of_mailbox(keys::tail, id_, before.uid));
      continue;
    }
    if (after->modseq != before.modseq) put(*after);
    ++after;
  }
  for (const message_entry& e : pending_) put(e);
}

// The page that was unfinished is finished now, and perhaps others after it.
base::status mailbox_editor::fold_tail() {
  if (auto loaded = load_tail(); !loaded) return loaded;
  batch& out = account_.out();
  for (const message_entry& e : tail_before_) out.erase(keys::of_mailbox(keys::tail, id_, e.uid));
  tail_.insert(tail_.end(), pending_.begin(), pending_.end());
  const std::uint32_t unfinished = page_of(head_.uid_next);
  for (std::span<const message_entry> rest = tail_; !rest.empty();) {
    const std::uint32_t number = page_of(rest.front().uid);
    std::size_t size = 1;
    while (size < rest.size() && page_of(rest[size].uid) == number) ++size;
    const auto entries = rest.first(size);
    rest = rest.subspan(size);
    if (number < unfinished) {
      put_page(number, entries);
      continue;
    }
    for (const auto& e : entries) out.put(keys::of_mailbox(keys::tail, id_, e.uid), encode_entry(e));
  }
  return {};
}

void mailbox_editor::write_change() {
  change_record change{++head_.changes, touched_};
  const auto slot = static_cast<std::uint16_t>(change.number % change_record::ring_size);
  account_.out().put(keys::of_mailbox(keys::change, id_, slot), encode(change));
}

base::status mailbox_editor::write_history() {
  // Nothing is left that was made of what is gone.
  std::uint32_t next = 0;
  for (const auto& range : erased_.ranges())
    for (next = std::max(next, range.first / digest_uids); next <= range.last / digest_uids; ++next)
      account_.out().erase(keys::of_mailbox(keys::digest, id_, next));
  // A row that would be too large is left out, and the history begins anew after it.
  constexpr std::size_t most_ranges = 1u << 20;
  if (erased_.ranges().size() > most_ranges) {
    head_.history_floor = modseq();
    return {};
  }
  account_.out().put(keys::of_mailbox(keys::expunged, id_, modseq()), encode_expunged(erased_));
  if (++head_.history_rows <= base::limits::store_expunge_history) return {};
  // Rows go in larger lots, so that trimming is rare.
  auto oldest = account_.read().now().scan(keys::all(keys::expunged, id_),
                                           {.rows = base::limits::store_expunge_history / 8, .octets = 64u << 20});
  if (!oldest) return base::fail(oldest.error());
  for (std::size_t i = 0; i < oldest->size(); ++i) {
    std::string_view number = (*oldest)[i].key.substr(1 + sizeof id_);
    if (!take_key_number(number, head_.history_floor)) return account_.read().corrupt((*oldest)[i].key);
    account_.out().erase((*oldest)[i].key);
    --head_.history_rows;
  }
  return {};
}

}  // namespace briefwerk::store
