#include <algorithm>
#include <string>

#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::store {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "briefwerk.store"; }
  std::string message(int code) const override {
    switch (static_cast<errc>(code)) {
      case errc::no_such_mailbox: return "no such mailbox";
      case errc::mailbox_exists: return "the mailbox exists already";
      case errc::bad_mailbox_name: return "not a valid mailbox name";
      case errc::has_children: return "the mailbox has mailboxes below it";
      case errc::not_permitted: return "not permitted for this mailbox";
      case errc::over_quota: return "the quota is used up";
      case errc::too_many_keywords: return "the mailbox has no room for another keyword";
      case errc::no_such_account: return "no such account";
      case errc::no_such_domain: return "the domain is not served here";
      case errc::domain_in_use: return "the domain is in use";
      case errc::annotation_too_big: return "the annotation is too big";
      case errc::too_many_annotations: return "there are too many annotations";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& store_category() noexcept {
  static const category instance;
  return instance;
}

const message_entry& mailbox_snapshot::at(std::size_t index) const noexcept {
  const auto in = std::upper_bound(starts_->begin(), starts_->end(), index) - starts_->begin();
  const auto i = static_cast<std::size_t>(in);
  return (*pages_[i])[index - page_start(i)];
}

std::size_t mailbox_snapshot::lower_bound(std::uint32_t uid) const noexcept {
  const auto in = std::partition_point(pages_.begin(), pages_.end(), [&](const auto& p) { return p->back().uid < uid; });
  if (in == pages_.end()) return count();
  const auto at = std::ranges::lower_bound(**in, uid, {}, &message_entry::uid);
  return page_start(static_cast<std::size_t>(in - pages_.begin())) + static_cast<std::size_t>(at - (*in)->begin());
}

const message_entry* mailbox_snapshot::find(std::uint32_t uid) const noexcept {
  const auto in = std::partition_point(pages_.begin(), pages_.end(), [&](const auto& p) { return p->back().uid < uid; });
  if (in == pages_.end()) return nullptr;
  const auto found = std::ranges::lower_bound(**in, uid, {}, &message_entry::uid);
  return found->uid == uid ? &*found : nullptr;
}

std::optional<std::size_t> mailbox_snapshot::first_unseen() const noexcept {
  if (unseen == 0) return std::nullopt;
  for (std::size_t i = seen_pages_.get(); i < pages_.size(); ++i) {
    const auto& entries = *pages_[i];
    for (std::size_t k = 0; k < entries.size(); ++k) {
      if ((entries[k].flags & mail::flags::seen) != 0) continue;
      seen_pages_.set(i);
      return page_start(i) + k;
    }
  }
  return std::nullopt;
}

opened_mailbox opened(snapshot_ptr messages) {
  const mailbox_snapshot& s = *messages;
  opened_mailbox answer;
  answer.now = {static_cast<std::uint32_t>(s.count()), s.unseen,         s.deleted,   s.uid_next,
                s.uid_validity,                        s.highest_modseq, s.total_size};
  answer.keywords = s.keywords;
  if (const auto index = s.first_unseen()) answer.first_unseen = static_cast<std::uint32_t>(*index);
  answer.messages = std::move(messages);
  return answer;
}

void mailbox_snapshot::set_pages(std::vector<std::shared_ptr<const page>> pages) {
  pages_.clear();
  pages_.reserve(pages.size());
  std::vector<std::uint32_t> starts;
  starts.reserve(pages.size());
  std::uint32_t total = 0;
  for (const auto& p : pages) {
    pages_.push_back(p.get());
    starts.push_back(total += static_cast<std::uint32_t>(p->size()));
  }
  starts_ = std::make_shared<const std::vector<std::uint32_t>>(std::move(starts));
  seen_pages_.set(0);
  owners_.clear();
  owners_.reserve(pages.size() / block_size + 1);
  for (std::span<std::shared_ptr<const page>> rest = pages; !rest.empty();) {
    const auto some = rest.first(std::min(rest.size(), block_size));
    rest = rest.subspan(some.size());
    const auto made = std::make_shared<block>();
    std::ranges::move(some, made->begin());
    owners_.push_back(made);
  }
}

void mailbox_snapshot::set_pages(const mailbox_snapshot& before, std::span<replacement> others) {
  pages_ = before.pages_;
  owners_ = before.owners_;
  starts_ = before.starts_;
  seen_pages_.set(others.empty() ? before.seen_pages_.get() : std::min(before.seen_pages_.get(), others.front().first));
  while (!others.empty()) {
    const std::size_t number = others.front().first / block_size;
    const auto made = std::make_shared<block>(*owners_[number]);
    for (; !others.empty() && others.front().first / block_size == number; others = others.subspan(1)) {
      auto& [place, other] = others.front();
      pages_[place] = other.get();
      (*made)[place % block_size] = std::move(other);
    }
    owners_[number] = made;
  }
}

}  // namespace briefwerk::store
