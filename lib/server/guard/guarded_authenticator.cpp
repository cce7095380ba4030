#include "briefwerk/server/guarded_authenticator.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/net/io_threads.hpp"
#include "server/guard/check_line.hpp"
#include "server/guard/guard_impl.hpp"

namespace briefwerk::server {

struct guarded_authenticator::impl {
  impl(authenticator& behind, login_guard& by, guarded_authenticator_options options, base::metrics* metrics)
      : inner(behind),
        guard(by),
        line({options.strangers_at_once, options.strangers_waiting, options.waiting_per_address}),
        busy(metrics ? &metrics->get_counter("guard.checks.busy") : nullptr) {}

  bool is_stranger(const base::ip_address& peer, std::string_view login) const {
    return !guard.is_allowed(peer) && !guard.is_known(peer, login);
  }
  base::task<base::result<guard::check_line::place>> enter_line(const base::ip_address& peer) {
    return line.enter(guard::counted_network(peer), guard.standing_of(peer));
  }
  // What the guard makes of an answer of the mechanism; a failing one comes later.
  base::task<void> judge(const auth_result& result, login_guard::attempt what);

  authenticator& inner;
  login_guard& guard;
  guard::check_line line;
  base::counter* busy;
};

namespace {

auth_result banned() { return {.what = auth_result::kind::banned}; }

login_guard::attempt attempt_of(const auth_origin& origin, std::string_view login,
                                std::optional<std::string_view> password) {
  return {.peer = origin.peer.address,
          .login = login,
          .password = password,
          .service = origin.service,
          .session_id = origin.session_id};
}

// What the client said, as far as the mechanism shows it; RFC 4616 and the LOGIN mechanism.
class overheard {
 public:
  explicit overheard(std::string_view mechanism)
      : kind_(mechanism == "PLAIN"   ? kind::plain
              : mechanism == "LOGIN" ? kind::login
                                     : kind::hidden) {}
  ~overheard() { std::fill(password_.begin(), password_.end(), '\0'); }
  overheard(const overheard&) = delete;
  overheard& operator=(const overheard&) = delete;

  void listen(std::optional<std::string_view> message) {
    if (!message || kind_ == kind::hidden || complete_) return;
    if (kind_ == kind::login) {
      (has_login_ ? password_ : login_) = *message;
      complete_ = std::exchange(has_login_, true);
      return;
    }
    const auto first = message->find('\0');
    const auto second = first == message->npos ? first : message->find('\0', first + 1);
    if (second == message->npos) return;
    login_ = message->substr(first + 1, second - first - 1);
    password_ = message->substr(second + 1);
    complete_ = true;
  }
  // The next answer of the mechanism needs the password hashed.
  bool is_complete() const noexcept { return complete_; }
  std::string_view login() const noexcept { return login_; }
  std::optional<std::string_view> password() const {
    if (!complete_) return std::nullopt;
    return password_;
  }

 private:
  enum class kind : std::uint8_t { plain, login, hidden } kind_;
  std::string login_, password_;
  bool has_login_ = false, complete_ = false;
};

class guarded_exchange final : public auth_exchange {
 public:
  guarded_exchange(guarded_authenticator::impl& shared, std::unique_ptr<auth_exchange> inner,
                   std::string_view mechanism, const auth_origin& origin)
      : shared_(shared), inner_(std::move(inner)), origin_(origin), heard_(mechanism) {}

  base::task<auth_result> respond(std::optional<std::string_view> message) override {
    if (shared_.guard.find_ban(origin_.peer.address)) co_return banned();
    heard_.listen(message);
    auth_result result;
    if (heard_.is_complete() && shared_.is_stranger(origin_.peer.address, heard_.login())) {
      const auto place = co_await shared_.enter_line(origin_.peer.address);
      if (!place) {
        if (shared_.busy) shared_.busy->add();
        co_return auth_result{.what = auth_result::kind::unavailable, .login = std::string(heard_.login())};
      }
      // Others of the address may have failed meanwhile.
      if (shared_.guard.find_ban(origin_.peer.address)) co_return banned();
      result = co_await inner_->respond(message);
    } else {
      result = co_await inner_->respond(message);
    }
    const std::string login =
        result.login.empty() || !heard_.login().empty() ? std::string(heard_.login()) : result.login;
    co_await shared_.judge(result, attempt_of(origin_, login, heard_.password()));
    co_return result;
  }

 private:
  guarded_authenticator::impl& shared_;
  std::unique_ptr<auth_exchange> inner_;
  const auth_origin& origin_;
  overheard heard_;
};

}  // namespace

base::task<void> guarded_authenticator::impl::judge(const auth_result& result, login_guard::attempt what) {
  if (result.what == auth_result::kind::success) {
    guard.succeeded(what, result.login);
  } else if (result.what == auth_result::kind::refused) {
    const auto delay = guard.failed(what);
    if (delay.count() != 0) (void)co_await net::sleep_for(delay);
  }
}

guarded_authenticator::guarded_authenticator(authenticator& inner, login_guard& guard,
                                             guarded_authenticator_options options, base::metrics* metrics)
    : impl_(std::make_unique<impl>(inner, guard, options, metrics)) {}

guarded_authenticator::~guarded_authenticator() = default;

std::vector<std::string> guarded_authenticator::mechanisms(bool channel_binding) const {
  return impl_->inner.mechanisms(channel_binding);
}

std::unique_ptr<auth_exchange> guarded_authenticator::start(std::string_view mechanism, const auth_origin& origin) {
  auto inner = impl_->inner.start(mechanism, origin);
  if (!inner) return nullptr;
  return std::make_unique<guarded_exchange>(*impl_, std::move(inner), mechanism, origin);
}

base::task<auth_result> guarded_authenticator::check_password(std::string_view name, std::string_view password,
                                                              const auth_origin& origin) {
  if (impl_->guard.find_ban(origin.peer.address)) co_return banned();
  auth_result result;
  if (impl_->is_stranger(origin.peer.address, name)) {
    const auto place = co_await impl_->enter_line(origin.peer.address);
    if (!place) {
      if (impl_->busy) impl_->busy->add();
      co_return auth_result{.what = auth_result::kind::unavailable, .login = std::string(name)};
    }
    if (impl_->guard.find_ban(origin.peer.address)) co_return banned();
    result = co_await impl_->inner.check_password(name, password, origin);
  } else {
    result = co_await impl_->inner.check_password(name, password, origin);
  }
  co_await impl_->judge(result, attempt_of(origin, name, password));
  co_return result;
}

}  // namespace briefwerk::server
