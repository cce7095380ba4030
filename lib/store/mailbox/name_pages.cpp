#include "store/mailbox/name_pages.hpp"

#include <algorithm>
#include <unordered_set>

#include "store/mailbox/names.hpp"

namespace briefwerk::store {
namespace {

// What stands in a stream's order behind a name says of the names below it.
enum class below : std::uint8_t { yes, no, unknown };

below judge(std::string_view following, std::string_view name) noexcept {
  if (is_below(following, name)) return below::yes;
  // Others that begin alike may stand between: "a b" before "a/b".
  const bool is_behind = !following.starts_with(name) || following[name.size()] > '/';
  return is_behind ? below::no : below::unknown;
}

// Of a store that has only list().
class names_of_list final : public mailbox_names {
 public:
  explicit names_of_list(std::vector<mailbox_info> all) : all_(std::move(all)) {
    for (const auto& info : all_) {
      for (const std::string_view parent : parents_of(info.name)) {
        if (info.id != 0) with_children_.insert(parent);
        if (info.subscribed) with_subscribed_.insert(parent);
      }
    }
  }
  base::task<base::result<std::vector<listed_mailbox>>> next(std::size_t most) override {
    std::vector<listed_mailbox> out;
    for (; next_ < all_.size() && out.size() < most; ++next_) {
      const auto& info = all_[next_];
      out.push_back({info, with_children_.contains(info.name), with_subscribed_.contains(info.name)});
    }
    co_return out;
  }

 private:
  const std::vector<mailbox_info> all_;
  std::unordered_set<std::string_view> with_children_, with_subscribed_;  // parts of the names
  std::size_t next_ = 0;
};

}  // namespace

base::task<base::result<std::unique_ptr<mailbox_names>>> mailbox_store::names(account_id account) {
  auto all = co_await list(std::move(account));
  if (!all) co_return base::fail(all.error());
  co_return std::make_unique<names_of_list>(std::move(*all));
}

mailbox_info info_of(std::string_view name, const name_record& record, bool subscribed) {
  mailbox_info info;
  info.id = record.id;
  info.name = name;
  if (record.use != mail::special_use::none) info.use = record.use;
  info.subscribed = subscribed;
  info.selectable = record.id != 0;
  info.uid_validity = record.uid_validity;
  return info;
}

name_pages::row_stream::row_stream(const view& now, char kind, std::size_t rows)
    : now_(now), rest_(keys::all(kind)), most_(rows) {}

base::result<bool> name_pages::row_stream::fill() {
  if (at_ < rows_.size()) return true;
  if (!more_) return false;
  auto rows = now_.scan(rest_, {.rows = most_});
  if (!rows) return base::fail(rows.error());
  rows_ = std::move(*rows);
  at_ = 0;
  more_ = rows_.more();
  if (more_) rest_ = rest_.after(rows_.back().key);
  return !rows_.empty();
}

name_pages::name_pages(std::unique_ptr<view> now, std::string partition, const faults& report, std::size_t rows)
    : now_(std::move(now)),
      partition_(std::move(partition)),
      read_(*now_, partition_, report),
      names_(*now_, keys::name, rows),
      subscribed_(*now_, keys::subscribed, rows) {}

base::result<std::unique_ptr<name_pages>> name_pages::open(std::unique_ptr<view> now, std::string partition,
                                                           const faults& report, std::size_t rows) {
  std::unique_ptr<name_pages> made(new name_pages(std::move(now), std::move(partition), report, rows));
  auto any = made->names_.fill();
  if (any && !*any) any = made->read_.holds(keys::account);
  if (!any) return base::fail(any.error());
  if (!*any) return base::fail(errc::no_such_account);
  return made;
}

base::result<name_record> name_pages::decoded(std::string_view name, std::string_view value) const {
  auto record = decode_name(value);
  if (!record) return read_.corrupt(keys::of_name(keys::name, name));
  return record;
}

base::result<std::optional<mailbox_info>> name_pages::take_inbox() {
  auto record = read_.name(inbox);
  if (!record) return base::fail(record.error());
  auto subscribed = read_.holds(keys::of_name(keys::subscribed, inbox));
  if (!subscribed) return base::fail(subscribed.error());
  if (!*record && !*subscribed) return std::optional<mailbox_info>();
  return std::optional(info_of(inbox, record->value_or(name_record{}), *subscribed));
}

base::result<std::optional<mailbox_info>> name_pages::take_in_order() {
  const auto named = names_.fill();
  if (!named) return base::fail(named.error());
  const auto wanted = subscribed_.fill();
  if (!wanted) return base::fail(wanted.error());
  if (!*named && !*wanted) return std::optional<mailbox_info>();
  const bool is_named = *named && (!*wanted || names_.name() <= subscribed_.name());
  const bool is_subscribed = *wanted && (!*named || subscribed_.name() <= names_.name());
  name_record record;
  if (is_named) {
    auto found = decoded(names_.name(), names_.value());
    if (!found) return base::fail(found.error());
    record = *found;
  }
  std::optional<mailbox_info> info = info_of(is_named ? names_.name() : subscribed_.name(), record, is_subscribed);
  if (is_named) names_.pop();
  if (is_subscribed) subscribed_.pop();
  return info;
}

base::result<std::optional<mailbox_info>> name_pages::take() {
  if (!begun_) {
    begun_ = true;
    auto first = take_inbox();
    if (!first || *first) return first;
  }
  for (;;) {
    auto one = take_in_order();
    if (!one || !*one || (*one)->name != inbox) return one;
  }
}

base::result<bool> name_pages::has_children(const std::string& name) {
  if (name != inbox) {
    const auto any = names_.fill();
    if (!any) return base::fail(any.error());
    const below said = *any ? judge(names_.name(), name) : below::no;
    if (said == below::no) return false;
    if (said == below::yes) {
      const auto record = decoded(names_.name(), names_.value());
      if (!record) return base::fail(record.error());
      if (record->id != 0) return true;
    }
  }
  bool found = false;
  const auto walked = read_.rows(key_range::prefix(keys::of_name(keys::name, name + '/')),
                                 [&](std::string_view key, std::string_view value) -> base::status {
                                   const auto record = decoded(key.substr(1), value);
                                   if (!record) return base::fail(record.error());
                                   found = record->id != 0;
                                   return found ? base::status(base::fail(base::errc::cancelled)) : base::status();
                                 });
  if (!found && !walked) return base::fail(walked.error());
  return found;
}

base::result<bool> name_pages::has_subscribed_below(const std::string& name) {
  if (name != inbox) {
    const auto any = subscribed_.fill();
    if (!any) return base::fail(any.error());
    const below said = *any ? judge(subscribed_.name(), name) : below::no;
    if (said != below::unknown) return said == below::yes;
  }
  auto first = now_->scan(key_range::prefix(keys::of_name(keys::subscribed, name + '/')), {.rows = 1});
  if (!first) return base::fail(first.error());
  return !first->empty();
}

base::task<base::result<std::vector<listed_mailbox>>> name_pages::next(std::size_t most) {
  std::vector<listed_mailbox> out;
  while (out.size() < most) {
    auto info = take();
    if (!info) co_return base::fail(info.error());
    if (!*info) break;
    const auto children = has_children((*info)->name);
    if (!children) co_return base::fail(children.error());
    const auto subscribed = has_subscribed_below((*info)->name);
    if (!subscribed) co_return base::fail(subscribed.error());
    out.push_back({std::move(**info), *children, *subscribed});
  }
  co_return out;
}

}  // namespace briefwerk::store
