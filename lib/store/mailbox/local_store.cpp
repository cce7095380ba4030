#include "briefwerk/store/local_store.hpp"

#include "briefwerk/store/memory_engine.hpp"
#include "store/directory/engine_directory.hpp"
#include "store/keys/engine_signing_keys.hpp"
#include "store/mailbox/engine_mailbox_store.hpp"
#include "store/queue/engine_queue_store.hpp"
#include "store/state/engine_state_rows.hpp"

namespace briefwerk::store {
namespace {

class engine_local_store final : public local_store {
 public:
  engine_local_store(std::shared_ptr<engine> where, const base::crypto& crypto, const base::clock& time,
                     const local_store_options& options)
      : engine_(std::move(where)),
        core_(*engine_, crypto, time, options),
        mailboxes_(core_),
        directory_(core_),
        queue_(core_),
        signing_keys_(core_) {}

  mailbox_store& mailboxes() noexcept override { return mailboxes_; }
  store::directory& directory() noexcept override { return directory_; }
  queue_store& queue() noexcept override { return queue_; }
  signing_key_store& signing_keys() noexcept override { return signing_keys_; }
  engine& bottom() noexcept override { return *engine_; }
  std::unique_ptr<state_rows> state(std::string_view name) override {
    return std::make_unique<engine_state_rows>(*engine_, core_.writer, keys::state_partition(name), core_.options.figures,
                                               core_.options.state_every);
  }

  base::result<collect_report> collect_garbage(std::chrono::milliseconds grace) override {
    if (auto ended = mailboxes_.finish_removals(); !ended) return base::fail(ended.error());
    return engine_->collect([this](const moment& all, const auto& mark) { return mark_all(all, mark); }, grace);
  }

 private:
  base::status mark_all(const moment& all, const std::function<void(const blob_ref&)>& mark) const {
    auto queue = all.read(keys::queue_partition);
    if (!queue) return base::fail(queue.error());
    if (auto marked = mark_queue(**queue, core_.report, mark); !marked) return marked;
    auto registry = all.read(keys::registry_partition);
    if (!registry) return base::fail(registry.error());
    const account_reader accounts(**registry, keys::registry_partition, core_.report);
    return accounts.rows(key_range::all(), [&](std::string_view account, std::string_view) -> base::status {
      const std::string partition = keys::partition(account);
      auto now = all.read(partition);
      if (!now) return base::fail(now.error());
      return mark_account(**now, partition, core_.report, mark);
    });
  }

  const std::shared_ptr<engine> engine_;
  store_core core_;
  engine_mailbox_store mailboxes_;
  engine_directory directory_;
  engine_queue_store queue_;
  engine_signing_keys signing_keys_;
};

}  // namespace

base::result<std::unique_ptr<local_store>> open_local_store(const std::string& folder, const base::crypto& crypto,
                                                            const base::clock& time, local_store_options options,
                                                            rocksdb_options settings, std::string* why) {
  if (settings.time == nullptr) settings.time = &time;
  if (settings.log == nullptr) settings.log = options.log;
  if (settings.figures == nullptr) settings.figures = options.figures;
  auto opened = open_rocksdb_engine(folder, settings, why);
  if (!opened) return base::fail(opened.error());
  return make_local_store(std::move(*opened), crypto, time, options);
}

std::unique_ptr<local_store> make_local_store(std::shared_ptr<engine> where, const base::crypto& crypto,
                                              const base::clock& time, local_store_options options) {
  return std::make_unique<engine_local_store>(std::move(where), crypto, time, options);
}

std::unique_ptr<local_store> make_memory_store(const base::crypto& crypto, const base::clock& time,
                                               local_store_options options) {
  return make_local_store(make_memory_engine(&time), crypto, time, options);
}

}  // namespace briefwerk::store
