#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <list>
#include <mutex>
#include <set>

#include "search/xapian_database.hpp"

namespace briefwerk::search {

base::result<std::optional<mailbox_record>> read_record(const Xapian::Database& from, store::mailbox_id mailbox) {
  const std::string text = from.get_metadata(mailbox_key(mailbox));
  if (text.empty()) return std::optional<mailbox_record>();
  auto record = decode_record(text);
  if (!record) return base::fail(base::errc::corrupt);
  return record;
}

base::result<std::vector<indexed_mailbox>> read_state(const Xapian::Database& from) {
  std::vector<indexed_mailbox> out;
  for (auto at = from.metadata_keys_begin(keys::mailbox); at != from.metadata_keys_end(keys::mailbox); ++at) {
    const auto record = decode_record(from.get_metadata(*at));
    if (!record) return base::fail(base::errc::corrupt);
    const auto id = static_cast<store::mailbox_id>(std::strtoul((*at).c_str() + keys::mailbox.size(), nullptr, 10));
    out.push_back({id, record->uid_validity, record->below, record->messages});
  }
  return out;
}

namespace {

constexpr std::size_t open_readers = 16;
constexpr int attempts = 3;  // where the writer commits twice while a reader reads

class xapian_index final : public index {
 public:
  explicit xapian_index(std::string folder) : folder_(std::move(folder)) {}

  base::result<findings> find(const store::account_id& account, store::mailbox_id mailbox,
                              const std::vector<probe>& probes) override;
  base::result<std::unique_ptr<index_writer>> write(const store::account_id& account) override;
  base::result<std::vector<indexed_mailbox>> state(const store::account_id& account) override;
  base::status erase(const store::account_id& account) override;
  std::vector<store::account_id> accounts() const override;

 private:
  struct reader {
    store::account_id account;
    Xapian::Database database;
  };
  // What is open longer is used first.
  template <class F>
  auto read(const store::account_id& account, F f) -> decltype(f(std::declval<const Xapian::Database&>()));
  const Xapian::Database* open(const store::account_id& account);
  void close(const store::account_id& account) {
    std::erase_if(readers_, [&](const reader& one) { return one.account == account; });
  }
  std::string path(const store::account_id& account) const { return folder_ + "/" + account; }

  const std::string folder_;
  std::mutex mutex_;
  std::list<reader> readers_;            // the last used first
  std::set<store::account_id> written_;  // now
};

// Never outside of the folder, whatever somebody takes for an account's id.
bool is_name(const store::account_id& account) {
  return !account.empty() && account.front() != '.' && account.find('/') == account.npos && account.find('\0') == account.npos;
}

// Null: there is none.
const Xapian::Database* xapian_index::open(const store::account_id& account) {
  const auto found = std::ranges::find(readers_, account, &reader::account);
  if (found != readers_.end()) {
    found->database.reopen();
    readers_.splice(readers_.begin(), readers_, found);
    return &readers_.front().database;
  }
  if (!is_name(account) || !std::filesystem::exists(path(account) + "/iamglass")) return nullptr;
  Xapian::Database opened(path(account));
  // Of another version: as good as none until it is built anew.
  if (opened.get_metadata(keys::version) != text_version()) return nullptr;
  readers_.push_front({account, std::move(opened)});
  if (readers_.size() > open_readers) readers_.pop_back();
  return &readers_.front().database;
}

template <class F>
auto xapian_index::read(const store::account_id& account, F f) -> decltype(f(std::declval<const Xapian::Database&>())) {
  using answer = decltype(f(std::declval<const Xapian::Database&>()));
  const std::lock_guard lock(mutex_);
  for (int attempt = 1;; ++attempt) {
    auto got = guarded([&]() -> answer {
      const auto* database = open(account);
      if (database == nullptr) return typename answer::value_type();
      return f(*database);
    });
    if (got || got.error() != base::errc::unavailable || attempt == attempts) {
      if (!got) close(account);
      return got;
    }
  }
}

base::result<findings> xapian_index::find(const store::account_id& account, store::mailbox_id mailbox,
                                          const std::vector<probe>& probes) {
  return read(account, [&](const Xapian::Database& database) -> base::result<findings> {
    auto record = read_record(database, mailbox);
    if (!record) return base::fail(record.error());
    if (!*record) return findings();
    const auto& of = **record;
    return findings{.uid_validity = of.uid_validity, .below = of.below, .last_uid = of.last_uid,
                    .last_email_id = of.last_email_id, .answers = look_up(database, of, probes)};
  });
}

base::result<std::vector<indexed_mailbox>> xapian_index::state(const store::account_id& account) {
  return read(account, [](const Xapian::Database& database) { return read_state(database); });
}

base::result<std::unique_ptr<index_writer>> xapian_index::write(const store::account_id& account) {
  if (!is_name(account)) return base::fail(base::errc::malformed);
  {
    const std::lock_guard lock(mutex_);
    if (!written_.insert(account).second) return base::fail(base::errc::unavailable);
  }
  const auto release = [this, account] {
    const std::lock_guard lock(mutex_);
    written_.erase(account);
  };
  auto made = make_writer(path(account), release);
  if (!made) release();
  return made;
}

base::status xapian_index::erase(const store::account_id& account) {
  if (!is_name(account)) return base::fail(base::errc::malformed);
  const std::lock_guard lock(mutex_);
  if (written_.contains(account)) return base::fail(base::errc::unavailable);
  close(account);
  std::error_code error;
  const auto removed = std::filesystem::remove_all(path(account), error);
  if (error) return base::fail(error);
  return removed == 0 ? base::status(base::fail(base::errc::not_found)) : base::status();
}

std::vector<store::account_id> xapian_index::accounts() const {
  std::vector<store::account_id> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder_, error), end; !error && at != end; at.increment(error)) {
    if (auto name = at->path().filename().string(); is_name(name)) out.push_back(std::move(name));
  }
  return out;
}

}  // namespace

base::result<std::unique_ptr<index>> open_xapian_index(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) return base::fail(error);
  return std::make_unique<xapian_index>(folder);
}

}  // namespace briefwerk::search
