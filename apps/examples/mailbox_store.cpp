// A mailbox store of one's own: everything is kept by another store, but nothing can be removed before it has been
// here for a given time. Any program that works on a mailbox_store (IMAP sessions, delivery) takes it as it is.
#include <chrono>
#include <cstdio>
#include <utility>

#include <briefwerk/crypto/boringssl.hpp>
#include <briefwerk/mail/summary.hpp>
#include <briefwerk/store/local_store.hpp>

using namespace briefwerk;
using base::result;
using base::task;

class retaining_store final : public store::mailbox_store {
 public:
  retaining_store(store::mailbox_store& below, const base::clock& time, std::chrono::seconds keep)
      : below_(below), time_(time), keep_(keep) {}

  // The one rule: what is younger stays.
  task<result<std::vector<std::uint32_t>>> expunge(store::account_id account, store::mailbox_id mailbox,
                                                   std::optional<mail::uid_set> uids) override {
    auto now = co_await below_.snapshot(account, mailbox);
    if (!now) co_return base::fail(now.error());
    const auto oldest = (std::chrono::floor<std::chrono::seconds>(time_.now()) - keep_).time_since_epoch().count();
    mail::uid_set may_go;
    for (const auto& page : (*now)->pages()) {
      for (const auto& entry : *page) {
        const bool asked = !uids || uids->contains(entry.uid);
        if (asked && entry.save_date <= oldest) may_go.insert(entry.uid);
      }
    }
    co_return co_await below_.expunge(std::move(account), mailbox, std::move(may_go));
  }
  task<result<store::uid_mapping>> move(store::account_id, store::mailbox_id, mail::uid_set, store::mailbox_id) override {
    co_return base::fail(store::errc::not_permitted);
  }
  task<base::status> remove(store::account_id, std::string) override { co_return base::fail(store::errc::not_permitted); }
  task<base::status> remove_account(store::account_id) override { co_return base::fail(store::errc::not_permitted); }

  // The rest goes below.
  task<base::status> create_account(store::account_id a) override { return below_.create_account(std::move(a)); }
  task<result<std::vector<store::mailbox_info>>> list(store::account_id a) override { return below_.list(std::move(a)); }
  task<result<store::mailbox_info>> find(store::account_id a, std::string name) override {
    return below_.find(std::move(a), std::move(name));
  }
  task<result<store::mailbox_info>> create(store::account_id a, std::string name,
                                           std::optional<mail::special_use> use) override {
    return below_.create(std::move(a), std::move(name), use);
  }
  task<base::status> rename(store::account_id a, std::string from, std::string to) override {
    return below_.rename(std::move(a), std::move(from), std::move(to));
  }
  task<base::status> subscribe(store::account_id a, std::string name, bool on) override {
    return below_.subscribe(std::move(a), std::move(name), on);
  }
  task<result<store::mailbox_status>> status(store::account_id a, store::mailbox_id m) override {
    return below_.status(std::move(a), m);
  }
  task<result<store::snapshot_ptr>> snapshot(store::account_id a, store::mailbox_id m) override {
    return below_.snapshot(std::move(a), m);
  }
  task<result<std::vector<result<store::appended>>>> deliver(store::message_source message,
                                                             std::vector<store::local_target> targets,
                                                             std::vector<store::queue_item> queue) override {
    return below_.deliver(message, std::move(targets), std::move(queue));
  }
  task<result<std::vector<store::appended>>> append(std::vector<store::message_source> pieces,
                                                    std::vector<store::local_target> targets) override {
    return below_.append(std::move(pieces), std::move(targets));
  }
  task<result<store::flags_changed>> change_flags(store::account_id a, store::mailbox_id m, mail::uid_set uids,
                                                  store::flag_change how, store::flag_list flags,
                                                  std::optional<std::uint64_t> unchanged_since) override {
    return below_.change_flags(std::move(a), m, std::move(uids), how, std::move(flags), unchanged_since);
  }
  task<result<store::uid_mapping>> copy(store::account_id a, store::mailbox_id from, mail::uid_set uids,
                                        store::mailbox_id to) override {
    return below_.copy(std::move(a), from, std::move(uids), to);
  }
  task<result<store::stored_summaries>> summaries(store::account_id a, store::mailbox_id m, std::uint32_t first,
                                                  std::uint32_t last, std::size_t most) override {
    return below_.summaries(std::move(a), m, first, last, most);
  }
  task<base::status> visit_summaries(store::account_id a, store::mailbox_id m, std::uint32_t first, std::uint32_t last,
                                     const store::summary_function& f) override {
    return below_.visit_summaries(std::move(a), m, first, last, f);
  }
  task<result<store::message_octets>> read(store::blob_ref blob) override { return below_.read(blob); }
  task<result<std::optional<mail::uid_set>>> expunged_since(store::account_id a, store::mailbox_id m,
                                                            std::uint64_t modseq) override {
    return below_.expunged_since(std::move(a), m, modseq);
  }
  task<result<store::quota_usage>> usage(store::account_id a) override { return below_.usage(std::move(a)); }
  task<base::status> set_quota(store::account_id a, store::quota_limits limits) override {
    return below_.set_quota(std::move(a), limits);
  }
  task<result<std::vector<store::annotation>>> annotations(store::account_id a, store::mailbox_id m,
                                                           store::account_id user) override {
    return below_.annotations(std::move(a), m, std::move(user));
  }
  task<base::status> annotate(store::account_id a, store::mailbox_id m, store::account_id user,
                              std::vector<store::annotation_change> changes) override {
    return below_.annotate(std::move(a), m, std::move(user), std::move(changes));
  }
  store::subscription watch(store::account_id a, std::function<void(store::mailbox_id)> changed) override {
    return below_.watch(std::move(a), std::move(changed));
  }

 private:
  store::mailbox_store& below_;
  const base::clock& time_;
  std::chrono::seconds keep_;
};

// One message, flagged as deleted: it stays for an hour, whoever says EXPUNGE.
task<result<std::pair<std::size_t, std::size_t>>> demonstrate(store::mailbox_store& mailboxes, base::manual_clock& time) {
  const std::string message = "Subject: invoice\r\n\r\n42 EUR\r\n";
  const std::string summary = mail::encode_summary(mail::summarise(message));
  if (auto made = co_await mailboxes.create_account("a1"); !made) co_return base::fail(made.error());
  std::vector<store::local_target> targets(1);
  targets[0].account = "a1";
  targets[0].flags.system = mail::flags::deleted;
  if (auto kept = co_await mailboxes.deliver({message, summary}, targets, {}); !kept) co_return base::fail(kept.error());
  auto inbox = co_await mailboxes.find("a1", "INBOX");
  if (!inbox) co_return base::fail(inbox.error());

  auto too_early = co_await mailboxes.expunge("a1", inbox->id, std::nullopt);
  if (!too_early) co_return base::fail(too_early.error());
  time.advance(std::chrono::hours(2));
  auto later = co_await mailboxes.expunge("a1", inbox->id, std::nullopt);
  if (!later) co_return base::fail(later.error());
  co_return std::pair(too_early->size(), later->size());
}

int main() {
  auto crypto = crypto::make_boringssl();
  base::manual_clock time(base::wall_time(std::chrono::days(20000)));
  auto below = store::make_memory_store(*crypto, time);
  retaining_store mailboxes(below->mailboxes(), time, std::chrono::hours(1));
  auto removed = base::sync_wait(demonstrate(mailboxes, time));
  if (!removed) {
    std::fprintf(stderr, "%s\n", removed.error().message().c_str());
    return 1;
  }
  std::printf("removed at once: %zu, after two hours: %zu\n", removed->first, removed->second);
  return removed->first == 0 && removed->second == 1 ? 0 : 1;
}
