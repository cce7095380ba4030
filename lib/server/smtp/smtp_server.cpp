#include "briefwerk/server/smtp_server.hpp"

#include <exception>
#include <typeinfo>
#include <utility>

#include "server/smtp/smtp_session.hpp"

namespace briefwerk::server {

base::task<void> serve_smtp(net::stream stream, const smtp_service& service) {
  try {
    auto session = std::make_unique<smtp_session>(std::move(stream), service);
    co_await session->run();
  } catch (const std::exception& broken) {
    // No memory, most likely: this connection ends, the others go on.
    service.log->log(base::log_level::error, service.name + ".session_failed", {{"type", typeid(broken).name()}});
  }
}

smtp_server::smtp_server(smtp_service service, net::listener_options options)
    : service_(std::move(service)), listener_(std::move(options)) {
  service_.protocol.offer_starttls = service_.tls && !service_.implicit_tls;
  if (service_.authenticator) service_.protocol.mechanisms = service_.authenticator->mechanisms(service_.tls != nullptr);
}

void smtp_server::start(net::io_threads& threads) {
  listener_.start(threads, [this](net::stream stream, net::io_thread& thread) {
    base::spawn_here(thread, serve_smtp(std::move(stream), service_));
  });
}

void smtp_server::start(net::io_thread& thread) {
  listener_.start(thread, [this](net::stream stream, net::io_thread& here) {
    base::spawn_here(here, serve_smtp(std::move(stream), service_));
  });
}

}  // namespace briefwerk::server
