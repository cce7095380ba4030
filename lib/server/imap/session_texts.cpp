// SEARCH in header fields of many messages: what was read of them once is kept (searched_texts.hpp).

#include <algorithm>
#include <mutex>

#include "briefwerk/base/limits/search.hpp"
#include "pages.hpp"
#include "search_plan.hpp"
#include "session.hpp"
#include "slices.hpp"
#include "sweep.hpp"

namespace briefwerk::server::imap {
namespace {

// Fewer are quicker looked at one by one.
constexpr std::size_t least_messages_for_texts = 512;
// Verdicts of all texts of one search together; further texts are looked for in the messages.
constexpr std::size_t most_verdicts = 16u << 20;
// Messages that are read between two looks at the memory that is taken, which is at most 8 MiB more for each field by then.
constexpr std::size_t messages_at_once = 2 * text_column::block_uids;
static_assert(messages_at_once * text_block::longest <= 8u << 20);
// Messages that are judged between two looks at the clock.
constexpr std::size_t judged_at_once = 1024;

// Blocks of one field under construction.
struct fresh_texts {
  mail::envelope_field field;
  std::vector<std::pair<std::uint32_t, text_block>> blocks;

  void add(std::uint32_t uid, std::string_view prepared) {
    const std::uint32_t number = uid / text_column::block_uids;
    if (blocks.empty() || blocks.back().first != number) blocks.emplace_back(number, text_block());
    blocks.back().second.add(uid, prepared);
  }
};

// Most of the messages that they are of are gone from a mailbox of so many.
bool is_outdated(const searched_texts& texts, std::size_t messages) {
  return texts.most_messages() / 2 > std::max<std::size_t>(messages, text_column::block_uids);
}

// By place, those of which a field is not there.
std::vector<std::uint32_t> missing_in(searched_texts& texts, std::span<const mail::envelope_field> fields,
                                      std::span<const std::uint32_t> uids) {
  std::vector<std::uint32_t> out;
  for (const auto field : fields) texts.of(field).find_missing(uids, out);
  if (fields.size() > 1) {
    std::ranges::sort(out);
    out.erase(std::unique(out.begin(), out.end()), out.end());
  }
  return out;
}

}  // namespace

// Up to three quarters of the memory there is: what is beyond is looked at message by message.
base::task<std::shared_ptr<shared_texts>> session::fill_texts(std::span<const mail::envelope_field> fields,
                                                              std::span<const std::uint32_t> open,
                                                              std::span<const std::uint32_t> uids) {
  text_tables& kept = *service_.text_tables;
  const std::uint32_t uid_validity = announced_->uid_validity;
  const std::uint64_t room = kept.most_octets() / 4 * 3;
  auto table = kept.get(owner_, selected_, uid_validity);
  std::vector<std::uint32_t> missing;
  std::uint64_t octets = 0;
  {
    std::unique_lock lock(table->mutex);
    if (is_outdated(table->texts, announced_->count())) {
      lock.unlock();
      table = std::make_shared<shared_texts>();
      lock = std::unique_lock(table->mutex);
    }
    missing = missing_in(table->texts, fields, uids);
    octets = table->texts.octets();
  }
  std::vector<std::uint32_t> some;
  std::string prepared;
  for (std::size_t next = 0; next < missing.size() && octets < room;) {
    some.clear();
    for (; next < missing.size() && some.size() < messages_at_once; ++next) some.push_back(open[missing[next]]);
    std::vector<fresh_texts> fresh;
    for (const auto field : fields) fresh.push_back({field, {}});
    const bool alive = co_await for_each_summary(
        some, [&](std::uint32_t, const store::message_entry& entry, std::string_view summary) {
          // What cannot be read now has no envelope, and perhaps can be the next time.
          const auto envelope = mail::summary_envelope(summary);
          if (envelope.empty()) return;
          for (auto& one : fresh) {
            prepared.clear();
            append_searched_text(prepared, envelope, one.field);
            one.add(entry.uid, prepared);
          }
        });
    if (!alive) break;
    std::lock_guard lock(table->mutex);
    for (auto& one : fresh)
      for (auto& [number, block] : one.blocks) table->texts.of(one.field).put(number, std::move(block));
    octets = table->texts.octets();
  }
  if (missing.empty()) co_return table;
  kept.put(owner_, selected_, uid_validity, table, octets);
  if (kept.wants_sweeper()) base::spawn_here(where_, sweep(service_.text_tables));
  co_return table;
}

base::task<void> session::ask_texts(search_plan& plan, std::vector<std::uint32_t>& open, std::vector<std::uint32_t>& hits) {
  if (open.size() < least_messages_for_texts || service_.text_tables->most_octets() == 0) co_return;
  const auto keys = plan.text_keys(std::min(base::limits::search_probes, most_verdicts / open.size()));
  if (keys.empty()) co_return;
  const auto known = announced_;
  std::vector<std::uint32_t> uids;
  uids.reserve(open.size());
  page_walk pages(*known);
  for (const std::uint32_t i : open) uids.push_back(pages.at(i).uid);
  std::vector<mail::envelope_field> fields;
  for (const auto& key : keys)
    if (std::ranges::find(fields, key.field) == fields.end()) fields.push_back(key.field);
  const auto table = co_await fill_texts(fields, open, uids);
  slices turn(*options().clock, where_);
  for (const auto& key : keys) {
    text_column column;
    {
      std::lock_guard lock(table->mutex);
      column = table->texts.of(key.field);
    }
    std::vector<verdict> found(open.size(), verdict::unknown);
    for (std::size_t i = 0; i < column.count(); ++i) {
      column.at(i).judge(key.needle, uids, found);
      if (turn.is_over()) co_await turn.next();
    }
    plan.use_texts(key.leaf, std::move(found));
  }
  std::size_t left = 0;
  for (std::size_t at = 0; at < open.size(); ++at) {
    if (at % judged_at_once == 0 && turn.is_over()) co_await turn.next();
    if (!plan.texts_allow(at)) continue;
    const auto* const entry = current(pages.at(open[at]));
    if (entry == nullptr) continue;
    search_subject message(*entry, open[at] + 1, at);
    const verdict now = plan.judge(message, search_stage::index);
    if (now == verdict::yes) plan.take_hit(message, search_stage::index, hits);
    if (now == verdict::unknown) open[left++] = open[at];
  }
  open.resize(left);
}

}  // namespace briefwerk::server::imap
