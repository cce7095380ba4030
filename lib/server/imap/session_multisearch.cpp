// MULTISEARCH (RFC 7377): one search in several mailboxes, none of which is selected by it.

#include <algorithm>

#include "briefwerk/base/limits/imap.hpp"
#include "mailbox_scopes.hpp"
#include "session.hpp"
#include "shared_names.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

constexpr auto is_selected_one = [](const wire::mailbox_filter& one) { return one.scope == wire::mailbox_scope::selected; };

bool is_meant(std::span<const wire::mailbox_filter> sources, const store::mailbox_info& info, bool own) {
  return std::ranges::any_of(sources, [&](const wire::mailbox_filter& one) {
    return imap::is_meant(one.scope, one.names, info.name, own, info.subscribed);
  });
}

}  // namespace

// While it lives the session looks at another mailbox: what searches reads that in place of the selected one.
class session::visit {
 public:
  visit(session& visitor, store::account_id account, store::mailbox_id mailbox, store::snapshot_ptr messages)
      : visitor_(visitor), account_(std::move(account)), mailbox_(mailbox), announced_(messages), latest_(std::move(messages)) {
    exchange();
  }
  ~visit() {
    exchange();
    visitor_.news_ = visitor_.selected_ != 0;  // what came in between was taken for the other's
  }
  visit(const visit&) = delete;
  visit& operator=(const visit&) = delete;

 private:
  void exchange() noexcept {
    std::swap(visitor_.owner_, account_);
    std::swap(visitor_.selected_, mailbox_);
    std::swap(visitor_.announced_, announced_);
    std::swap(visitor_.latest_, latest_);
    std::swap(visitor_.recent_, recent_);
    std::swap(visitor_.saved_, saved_);
  }

  session& visitor_;
  store::account_id account_;
  store::mailbox_id mailbox_;
  store::snapshot_ptr announced_, latest_;
  mail::uid_set recent_, saved_;
};

// §2.2; empty: it can be done.
std::string_view session::why_not(const wire::multisearch_command& command) const noexcept {
  const auto& sources = command.sources;
  const bool selected = sources.empty() || std::ranges::any_of(sources, is_selected_one);
  const bool others = std::ranges::any_of(sources, [](const auto& one) { return !is_selected_one(one); });
  const auto returns = command.search.returns;
  if (selected && !is_selected()) return "Select a mailbox first";
  if (others && (returns & wire::return_save) != 0) return "Only results of the selected mailbox are saved";
  if ((returns & wire::return_update) == 0) return {};
  if (!is_selected()) return "Only results of the selected mailbox are updated";
  return context_of(machine_.tag()) != nullptr ? "Tag is in use" : std::string_view();
}

base::task<void> session::run(const wire::multisearch_command& command) {
  if (const auto wrong = why_not(command); !wrong.empty()) {
    machine_.complete(condition::bad, "", wrong);
    co_return;
  }
  if (refuse_charset(command.search)) co_return;
  bool limited_search = false;
  const auto& sources = command.sources;
  const bool with_selected = sources.empty() || std::ranges::any_of(sources, is_selected_one);
  if (with_selected) {
    const bool alive = co_await search_selected(command.search, limited_search);
    if (!alive) co_return;
  }
  if (std::ranges::any_of(sources, [](const auto& one) { return !is_selected_one(one); })) {
    const auto all = co_await all_names();
    if (!all) {
      complete(refusal_of(all.error()));
      co_return;
    }
    std::size_t searched_mailboxes = 0;
    for (std::size_t i = 0; i < all->infos.size() && !lost_; ++i) {
      const auto& info = all->infos[i];
      const bool own = i < all->own;
      if (info.id == 0 || !is_meant(sources, info, own)) continue;
      const auto& account = own ? account_ : all->shared[i - all->own].first;
      if (!own && (all->shared[i - all->own].second & mail::rights::read) == 0) continue;
      if (with_selected && info.id == selected_ && account == owner_) continue;
      if (++searched_mailboxes > base::limits::imap_searched_mailboxes) {
        limited_search = true;  // §2.4
        break;
      }
      co_await search_in(command.search, account, info, limited_search);
    }
  }
  if (lost_) co_return;
  co_await finish(condition::ok, limited_search ? codes::limit : std::string_view(), "Searched", true, true);
}

// It may have been renamed since.
base::task<void> session::renew_selected_name() {
  const auto shared = owner_ == account_ ? std::nullopt : parse_shared_name(selected_name_);
  std::string name(shared ? shared->mailbox : std::string_view(selected_name_));
  const auto known = co_await mail().find(owner_, std::move(name));
  if (known && known->id == selected_) co_return;
  const auto all = co_await mail().list(owner_);
  if (!all) co_return;
  const auto now = std::ranges::find(*all, selected_, &store::mailbox_info::id);
  if (now != all->end()) selected_name_ = shared ? make_shared_name(shared->login, now->name) : now->name;
}

base::task<bool> session::search_selected(const wire::search_command& command, bool& limited_search) {
  search_result found;
  const bool alive = co_await begin_search(command.program, false, found);
  if (!alive) co_return false;
  limited_search = limited_search || found.lowest != 0;
  co_await renew_selected_name();
  if (!found.hits.empty() || (command.returns & wire::return_save) != 0)
    write_search_result(command, found, selected_name_);
  if ((command.returns & wire::return_update) != 0) open_context(command, found.hits);
  co_return true;
}

// A mailbox that is gone by now has no messages.
base::task<void> session::search_in(const wire::search_command& command, const store::account_id& account,
                                    const store::mailbox_info& info, bool& limited_search) {
  auto messages = co_await mail().snapshot(account, info.id);
  if (!messages || (*messages)->count() == 0) co_return;
  const visit there(*this, account, info.id, std::move(*messages));
  search_result found;
  const bool alive = co_await search_here(command.program, false, found);
  if (!alive) co_return;
  limited_search = limited_search || found.lowest != 0;
  if (!found.hits.empty()) write_search_result(command, found, info.name);
  if (output_is_full()) co_await send_collected();
}

}  // namespace briefwerk::server::imap
