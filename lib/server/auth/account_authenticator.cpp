#include "briefwerk/server/account_authenticator.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "briefwerk/protocol/sasl/prepare.hpp"
#include "briefwerk/server/passwords.hpp"

namespace briefwerk::server {

namespace sasl = protocol::sasl;

namespace {

// Behind the threads that serve sessions: however many passwords are guessed, those who work are served first. (A
// thread's own value on Linux; elsewhere the call changes the whole process, so it is not made.)
void step_back() {
#ifdef __linux__
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
#endif
}

// Threads for what would hold up an event loop.
class worker_pool {
 public:
  explicit worker_pool(unsigned count) {
    for (unsigned i = 0; i < std::max(1u, count); ++i) {
      threads_.emplace_back([this](std::stop_token stop) { work(stop); });
    }
  }
  ~worker_pool() {
    for (auto& thread : threads_) thread.request_stop();
    changed_.notify_all();
  }
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  void post(std::move_only_function<void()> job) {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    changed_.notify_one();
  }

 private:
  void work(std::stop_token stop) {
    step_back();
    for (;;) {
      std::move_only_function<void()> job;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, stop, [this] { return !jobs_.empty(); });
        if (jobs_.empty()) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::move_only_function<void()>> jobs_;
  std::vector<std::jthread> threads_;
};

// Passwords that were right lately, as keyed hashes that also cover what the directory keeps: a changed password
// is forgotten by itself.
class recent_passwords {
 public:
  recent_passwords(const base::crypto& crypto, const base::clock& time, std::chrono::seconds life, std::size_t most)
      : crypto_(crypto), time_(time), life_(life), most_(life.count() > 0 ? most : 0), key_(crypto.random_octets(32)) {}

  std::string name_of(const store::account& who, std::string_view password) const {
    std::string text = who.id;
    for (const std::string& one : who.credentials) {
      text += '\0';
      text += one;
    }
    text += '\0';
    text += password;
    return crypto_.hmac(base::hash_kind::sha256, key_, text);
  }

  bool knows(const std::string& name) {
    if (most_ == 0) return false;
    std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    return found != entries_.end() && found->second > time_.steady();
  }

  void learn(std::string name) {
    if (most_ == 0) return;
    std::lock_guard lock(mutex_);
    if (entries_.size() >= most_) {
      std::erase_if(entries_, [now = time_.steady()](const auto& entry) { return entry.second <= now; });
      if (entries_.size() >= most_) entries_.clear();
    }
    entries_[std::move(name)] = time_.steady() + life_;
  }

 private:
  const base::crypto& crypto_;
  const base::clock& time_;
  std::chrono::seconds life_;
  std::size_t most_;
  std::string key_;
  std::mutex mutex_;
  std::unordered_map<std::string, base::steady_time> entries_;
};

}  // namespace

struct account_authenticator::impl {
  impl(store::directory& dir, const base::crypto& c, const base::clock& time, account_authenticator_options how)
      : accounts(dir),
        crypto(c),
        options(std::move(how)),
        recent(c, time, options.remember, options.remembered),
        workers(options.threads) {
    mechanisms.tls = true;
    mechanisms.allow_without_tls = true;  // where AUTH may be used at all is the session's rule
    mechanisms.recoverable_secrets = options.recoverable_secrets;
    mechanisms.disabled = options.disabled;
    mechanisms.host = options.host;
    mechanisms.decoy_secret = options.decoy_secret;
  }

  base::task<sasl::credentials_answer> find(std::string authcid);
  base::task<sasl::password_answer> check(std::string authcid, std::string password);

  store::directory& accounts;
  const base::crypto& crypto;
  account_authenticator_options options;
  sasl::server_options mechanisms;
  recent_passwords recent;
  worker_pool workers;
};

namespace {

bool is_unknown(std::error_code error) { return error == store::errc::no_such_account; }

}  // namespace

base::task<sasl::credentials_answer> account_authenticator::impl::find(std::string authcid) {
  using outcome = sasl::credentials_answer::outcome;
  auto who = co_await accounts.find_account(std::move(authcid));
  if (!who) co_return {is_unknown(who.error()) ? outcome::unknown : outcome::unavailable, {}};
  if (!who->enabled) co_return {outcome::unknown, {}};
  co_return {outcome::found, sasl_credentials(who->credentials)};
}

base::task<sasl::password_answer> account_authenticator::impl::check(std::string authcid, std::string password) {
  auto who = co_await accounts.find_account(std::move(authcid));
  if (!who && !is_unknown(who.error())) co_return sasl::password_answer::unavailable;
  const bool may = who && who->enabled;
  std::string name;
  if (may) {
    name = recent.name_of(*who, password);
    if (recent.knows(name)) co_return sasl::password_answer::right;
  }
  // An unknown user costs the same work as a known one.
  const std::vector<std::string> stored = may ? who->credentials : std::vector<std::string>{};
  const auto right = co_await base::wait_for<base::result<bool>>([&](base::completion<base::result<bool>> done) {
    workers.post([this, &stored, &password, done = std::move(done)]() mutable {
      done(verify_password(crypto, stored, password));
    });
  });
  if (!right) co_return sasl::password_answer::unavailable;
  if (!*right) co_return sasl::password_answer::wrong;
  recent.learn(std::move(name));
  co_return sasl::password_answer::right;
}

namespace {

class exchange final : public auth_exchange {
 public:
  exchange(account_authenticator::impl& shared, std::unique_ptr<sasl::server_mechanism> mechanism) noexcept
      : shared_(shared), mechanism_(std::move(mechanism)) {}

  base::task<auth_result> respond(std::optional<std::string_view> message) override {
    sasl::server_step step = started_ ? mechanism_->response(message.value_or("")) : mechanism_->start(message);
    started_ = true;
    for (;;) {
      if (auto* ask = std::get_if<sasl::find_credentials>(&step)) {
        auto found = co_await shared_.find(std::move(ask->authcid));
        step = mechanism_->answer(std::move(found));
      } else if (auto* check = std::get_if<sasl::check_password>(&step)) {
        const auto verdict = co_await shared_.check(std::move(check->authcid), std::move(check->password));
        step = mechanism_->answer(verdict);
      } else {
        break;
      }
    }
    if (auto* next = std::get_if<sasl::challenge>(&step)) {
      co_return auth_result{.what = auth_result::kind::challenge, .data = std::move(next->octets)};
    }
    if (auto* end = std::get_if<sasl::done>(&step)) {
      auto result = co_await finish(std::move(*end));
      co_return result;
    }
    auto& failed = std::get<sasl::failed>(step);
    co_return auth_result{.what = failed.why == sasl::failure::unavailable ? auth_result::kind::unavailable
                                                                           : auth_result::kind::refused,
                          .login = std::move(failed.authcid)};
  }

 private:
  base::task<auth_result> finish(sasl::done end) {
    auto who = co_await shared_.accounts.find_account(end.authcid);
    if (!who) co_return auth_result{.what = auth_result::kind::unavailable, .login = std::move(end.authcid)};
    // Nobody acts as somebody else: an authorization identity has to mean the same account.
    if (!end.authzid.empty() && end.authzid != end.authcid) {
      auto other = co_await shared_.accounts.find_account(std::move(end.authzid));
      if (!other || other->id != who->id) {
        co_return auth_result{.what = auth_result::kind::refused, .login = std::move(end.authcid)};
      }
    }
    co_return auth_result{.what = auth_result::kind::success, .account = who->id, .login = who->login};
  }

  account_authenticator::impl& shared_;
  std::unique_ptr<sasl::server_mechanism> mechanism_;
  bool started_ = false;
};

}  // namespace

account_authenticator::account_authenticator(store::directory& accounts, const base::crypto& crypto,
                                             const base::clock& time, account_authenticator_options options)
    : impl_(std::make_unique<impl>(accounts, crypto, time, std::move(options))) {}

account_authenticator::~account_authenticator() = default;

std::vector<std::string> account_authenticator::mechanisms(bool channel_binding) const {
  sasl::server_options asked = impl_->mechanisms;
  if (channel_binding) asked.channel_bindings.push_back({"tls-exporter", {}});
  std::vector<std::string> names;
  for (const std::string_view name : sasl::offered(asked)) names.emplace_back(name);
  return names;
}

std::unique_ptr<auth_exchange> account_authenticator::start(std::string_view mechanism, const auth_origin& origin) {
  sasl::server_options now = impl_->mechanisms;
  if (!origin.tls_exporter.empty()) now.channel_bindings.push_back({"tls-exporter", std::string(origin.tls_exporter)});
  if (!origin.tls_server_end_point.empty()) {
    now.channel_bindings.push_back({"tls-server-end-point", std::string(origin.tls_server_end_point)});
  }
  auto made = sasl::make_server(mechanism, now, impl_->crypto);
  if (!made) return nullptr;
  return std::make_unique<exchange>(*impl_, std::move(*made));
}

base::task<auth_result> account_authenticator::check_password(std::string_view name, std::string_view password,
                                                              const auth_origin&) {
  auto prepared_name = sasl::saslprep(name);
  auto prepared_password = sasl::saslprep(password);
  if (!prepared_name || !prepared_password) co_return auth_result{.login = std::string(name)};
  std::string login = *prepared_name;
  const auto verdict = co_await impl_->check(login, std::move(*prepared_password));
  if (verdict == sasl::password_answer::unavailable) {
    co_return auth_result{.what = auth_result::kind::unavailable, .login = std::move(login)};
  }
  if (verdict == sasl::password_answer::wrong) co_return auth_result{.login = std::move(login)};
  auto who = co_await impl_->accounts.find_account(std::move(login));
  if (!who) co_return auth_result{.what = auth_result::kind::unavailable};
  co_return auth_result{.what = auth_result::kind::success, .account = who->id, .login = who->login};
}

}  // namespace briefwerk::server
