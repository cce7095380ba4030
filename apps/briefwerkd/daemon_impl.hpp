#pragma once

// What the server is made of. Each file of daemon_*.cpp builds a part of it, daemon.cpp says in which order, and starts,
// reloads and stops the whole.

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "apps/admin/admin.hpp"
#include "apps/admin/control_server.hpp"
#include "apps/briefwerkd/daemon.hpp"
#include "apps/briefwerkd/guard_upkeep.hpp"
#include "apps/briefwerkd/log_keeper.hpp"
#include "apps/briefwerkd/maintenance.hpp"
#include "apps/briefwerkd/scanner_keeper.hpp"
#include "apps/briefwerkd/starter.hpp"
#include "apps/filter/filter_chain.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/delivery/bounce_directory.hpp"
#include "briefwerk/delivery/dmarc_reporter.hpp"
#include "briefwerk/delivery/key_ring.hpp"
#include "briefwerk/delivery/local_delivery.hpp"
#include "briefwerk/delivery/mail_signer.hpp"
#include "briefwerk/delivery/queue_runner.hpp"
#include "briefwerk/net/dns_resolver.hpp"
#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/net/listener.hpp"
#include "briefwerk/net/tls_context.hpp"
#include "briefwerk/search/service.hpp"
#include "briefwerk/server/account_authenticator.hpp"
#include "briefwerk/server/guarded_authenticator.hpp"
#include "briefwerk/server/imap_server.hpp"
#include "briefwerk/server/mail_handler.hpp"
#include "briefwerk/server/smtp_server.hpp"

namespace briefwerk::apps {

struct daemon::impl {
  explicit impl(config read) : conf(std::move(read)) {}

  // daemon_rights.cpp: the log, the certificates, and what is done with root's rights
  net::explained<void> open_log();
  net::explained<void> open_tls();
  net::explained<void> prepare_scanner();

  // daemon_listeners.cpp
  net::explained<void> bind();
  net::explained<void> bind_all(net::listener& where, const std::vector<base::endpoint>& addresses);
  net::listener_options listener_options_for(const std::string& service, std::string refusal);

  // daemon_parts.cpp: store, logins, filters and delivery, and how they are connected
  net::explained<void> open_store();
  net::explained<void> open_search();
  net::explained<void> assemble();
  net::explained<void> open_dmarc_reports();
  net::explained<void> open_signing();
  net::explained<void> open_logins();
  delivery::forwarding forwards() const;

  // daemon_services.cpp: what each port offers
  server::authenticator& authenticator();
  server::smtp_service smtp_service_for(const std::string& name, protocol::smtp::server_role role, bool implicit_tls);
  server::imap_options imap_options_for(const std::string& name, bool implicit_tls);

  // daemon_notices.cpp: what the administrator is told by mail
  void account_held(const filter::rate_notice& notice);
  void malware_sent(const filter::virus_notice& notice);
  base::task<void> tell_administrator(std::string subject, std::string text);

  config conf;
  std::unique_ptr<base::log_sink> log;
  base::metrics metrics;
  std::unique_ptr<base::crypto> crypto = crypto::make_boringssl();
  std::shared_ptr<net::tls_context> tls, tls_recorded, tls_verified;
  // Outlive the store: its end still answers commits that nobody waited for, and answers are posted to these.
  std::unique_ptr<net::io_threads> threads;
  std::unique_ptr<store::local_store> store;
  std::unique_ptr<search::index> index;       // null: there is none
  std::unique_ptr<search::service> indexing;
  std::unique_ptr<net::dns_resolver> resolver;
  std::unique_ptr<server::login_guard> guard;  // null: switched off
  std::unique_ptr<server::account_authenticator> logins;
  std::unique_ptr<server::guarded_authenticator> guarded;
  std::unique_ptr<mailauth::srs> rewriting;
  std::unique_ptr<delivery::bounce_directory> directory;  // the directory, with the way back of what was forwarded
  std::unique_ptr<delivery::key_ring> keys;
  std::unique_ptr<delivery::mail_signer> signer;          // null: nothing is signed
  std::unique_ptr<filter_chain> filters;
  std::unique_ptr<delivery::local_delivery> local;
  std::unique_ptr<server::message_sink> sink;
  std::unique_ptr<server::mail_handler> handler;
  server::smtp_service smtp, submission, submissions;
  std::unique_ptr<server::imap_service> imap, imaps;
  std::unique_ptr<delivery::queue_runner> runner;
  std::unique_ptr<delivery::dmarc_reporter> dmarc_reports;  // null: switched off
  std::unique_ptr<admin> administration;
  std::unique_ptr<control_server> control;
  std::unique_ptr<maintenance> upkeep;
  std::unique_ptr<guard_upkeep> bans;
  std::unique_ptr<log_keeper> log_upkeep;
  std::unique_ptr<starter> scan_starter;    // until the start: of a scanner with a user of its own
  std::unique_ptr<scanner_keeper> scanner;  // null: none is started by us
  std::mutex notices_mutex;
  std::map<std::string, std::chrono::steady_clock::time_point> malware_notices;  // the last one, by login
  std::shared_ptr<net::connection_limits> limits;
  std::unique_ptr<net::listener> smtp_listener, submission_listener, submissions_listener, imap_listener, imaps_listener;
};

}  // namespace briefwerk::apps
