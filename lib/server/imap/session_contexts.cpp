// Results that are kept up to date (RFC 5267 §4.3).

#include "briefwerk/base/limits/imap.hpp"
#include "search_context.hpp"
#include "search_plan.hpp"
#include "session.hpp"

namespace briefwerk::server::imap {

using wire::condition;

search_context* session::context_of(std::string_view tag) const noexcept {
  for (const auto& one : contexts_)
    if (one->tag() == tag) return one.get();
  return nullptr;
}

void session::open_context(const wire::search_command& command, std::span<const std::uint32_t> hits) {
  if (contexts_.size() >= base::limits::imap_search_contexts) {
    const std::string code = "NOUPDATE \"" + std::string(machine_.tag()) + "\"";
    machine_.output().no(code, "Too many results are kept up to date");
    return;
  }
  auto made = std::make_unique<search_context>(machine_.tag(), command.by_uid, command.program,
                                               [this](const wire::number_set& set, bool sequence) -> mail::uid_set {
                                                 return wire::uids_of(*announced_, meant(set, !sequence));
                                               });
  made->items.keep(command.update_items, command.update_kinds);
  for (const std::uint32_t index : hits) made->result.insert(announced_->at(index).uid);
  contexts_.push_back(std::move(made));
}

base::task<void> session::run(const wire::cancel_update_command& command) {
  for (const auto tag : command.tags) std::erase_if(contexts_, [&](const auto& one) { return one->tag() == tag; });
  co_await finish(condition::ok, "", "No further updates", true, false);
}

mail::uid_set session::context_numbers(const search_context& context, const mail::uid_set& uids) const {
  if (context.by_uid()) return uids;
  mail::uid_set out;
  uids.for_each([&](std::uint32_t uid) { out.insert(static_cast<std::uint32_t>(announced_->lower_bound(uid) + 1)); });
  return out;
}

// §4.3.4: before the messages go, while their numbers are valid.
void session::tell_vanished_results(const mail::uid_set& vanished) {
  if (vanished.empty()) return;
  for (const auto& one : contexts_) {
    const auto gone = one->result.intersection(vanished);
    if (gone.empty()) continue;
    machine_.output().search_update(one->tag(), one->by_uid(), false, context_numbers(*one, gone));
    for (const auto& range : gone.ranges()) one->result.erase(range.first, range.last);
  }
}

// Looks anew at messages of announced_ that changed or came.
base::task<void> session::tell_changed_results(const index_ranges& touched, std::uint32_t first_new) {
  if (touched.empty()) co_return;
  const auto uids = wire::uids_of(*announced_, touched);
  for (std::size_t i = 0; i < contexts_.size(); ++i) {
    auto& context = *contexts_[i];
    std::vector<std::uint32_t> hits;
    const auto latest = latest_;
    search_plan plan = plan_search(context.program());
    co_await find_messages(plan, touched, hits);
    if (lost_) co_return;
    mail::uid_set now, added, removed = context.result.intersection(uids);
    for (const std::uint32_t index : hits) now.insert(announced_->at(index).uid);
    now.for_each([&](std::uint32_t uid) {
      if (!context.result.contains(uid)) added.insert(uid);
    });
    for (const auto& range : now.ranges()) removed.erase(range.first, range.last);
    selection fresh;  // RFC 5465 §7: before the ESEARCH
    for (const std::uint32_t index : hits)
      if (index >= first_new) fresh.ranges.push_back({index, index + 1});
    co_await write_attributes(context.items.items(), context.items.kinds(), std::move(fresh));
    if (!removed.empty())
      machine_.output().search_update(context.tag(), context.by_uid(), false, context_numbers(context, removed));
    if (!added.empty())
      machine_.output().search_update(context.tag(), context.by_uid(), true, context_numbers(context, added));
    for (const auto& range : removed.ranges()) context.result.erase(range.first, range.last);
    context.result.insert(added);
  }
}

}  // namespace briefwerk::server::imap
