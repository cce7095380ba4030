#include "briefwerk/net/tls_context.hpp"

#include "net/tls_state.hpp"

namespace briefwerk::net {

tls_context::tls_context(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}
tls_context::~tls_context() = default;

explained<std::shared_ptr<tls_context>> tls_context::server(tls_server_options options) {
  auto made = std::make_unique<impl>();
  made->server = true;
  made->tickets = std::make_shared<ticket_keys>(options.ticket_rotation);
  auto state = make_server_state(options, made->tickets);
  if (!state) return std::unexpected(std::move(state.error()));
  made->server_options = std::move(options);
  made->state = std::move(*state);
  return std::shared_ptr<tls_context>(new tls_context(std::move(made)));
}

explained<std::shared_ptr<tls_context>> tls_context::client(tls_client_options options) {
  auto made = std::make_unique<impl>();
  std::shared_ptr<session_cache> sessions;
  if (options.sessions_kept != 0) sessions = std::make_shared<session_cache>(options.sessions_kept);
  auto state = make_client_state(options, std::move(sessions));
  if (!state) return std::unexpected(std::move(state.error()));
  made->client_options = std::move(options);
  made->state = std::move(*state);
  return std::shared_ptr<tls_context>(new tls_context(std::move(made)));
}

explained<void> tls_context::reload() {
  if (impl_->server) {
    tls_server_options options;
    {
      std::lock_guard lock(impl_->mutex);
      options = impl_->server_options;
    }
    return reload(std::move(options));
  }
  // A resumed session is not verified again: what is trusted may have changed.
  std::shared_ptr<session_cache> sessions;
  if (impl_->client_options.sessions_kept != 0)
    sessions = std::make_shared<session_cache>(impl_->client_options.sessions_kept);
  auto state = make_client_state(impl_->client_options, std::move(sessions));
  if (!state) return std::unexpected(std::move(state.error()));
  std::lock_guard lock(impl_->mutex);
  impl_->state = std::move(*state);
  return {};
}

explained<void> tls_context::reload(tls_server_options options) {
  if (!impl_->server)
    return std::unexpected(explained_error{make_error_code(base::errc::unsupported), "not a server's TLS context"});
  // The same for client certificates: a ticket carries their verification.
  std::shared_ptr<ticket_keys> tickets = impl_->tickets;
  if (options.clients != client_certificates::none) tickets = std::make_shared<ticket_keys>(options.ticket_rotation);
  auto state = make_server_state(options, std::move(tickets));
  if (!state) return std::unexpected(std::move(state.error()));
  std::lock_guard lock(impl_->mutex);
  impl_->server_options = std::move(options);
  impl_->state = std::move(*state);
  return {};
}

std::vector<tls_context::description> tls_context::certificates() const {
  std::vector<description> out;
  if (!impl_->server) return out;
  for (const tls_identity& each : impl_->current()->identities) out.push_back(each.about);
  return out;
}

}  // namespace briefwerk::net
