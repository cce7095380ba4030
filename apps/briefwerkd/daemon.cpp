#include "apps/briefwerkd/daemon.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "apps/admin/admin.hpp"
#include "apps/admin/control_server.hpp"
#include "apps/briefwerkd/guard_upkeep.hpp"
#include "apps/briefwerkd/log_keeper.hpp"
#include "apps/briefwerkd/maintenance.hpp"
#include "apps/briefwerkd/notice.hpp"
#include "apps/briefwerkd/scanner_keeper.hpp"
#include "apps/briefwerkd/starter.hpp"
#include "apps/config/conversions.hpp"
#include "apps/filter/filter_chain.hpp"
#include "apps/filter/virus.hpp"
#include "apps/store/open_guard.hpp"
#include "apps/store/open_store.hpp"
#include "apps/store/privileges.hpp"
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
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
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

using base::log_level;

namespace {

constexpr std::chrono::hours malware_notice_every{24};
constexpr std::chrono::days certificate_warning{14};  // certbot and its like renew a month before

// Where the server's room and the delivery room meet.
class delivered final : public server::message_sink {
 public:
  explicit delivered(delivery::local_delivery& where) : where_(where) {}
  base::task<base::status> accept(const mail::smtp_envelope& envelope, const message& what) override {
    delivery::inbound_message inbound{.octets = what.octets, .junk = what.junk, .account = what.account};
    if (what.quarantined) inbound.held = what.reason;
    co_return co_await where_.deliver(envelope, inbound);
  }
  base::task<base::status> can_take(const store::resolution& recipient, std::uint64_t size) override {
    return where_.can_take(recipient, size);
  }

 private:
  delivery::local_delivery& where_;
};

// What a banned address hears in the clear, before TLS; nothing where TLS comes first, for no client would show it.
std::string refusal_text(std::string_view service, const std::string& hostname, const server::login_guard::refusal& why) {
  if (service == "imap") return "* BYE [ALERT] " + why.text + "\r\n";
  if (service != "smtp" && service != "submission") return {};
  return (why.temporary ? "421 4.7.0 " : "554 5.7.1 ") + hostname + " " + why.text + "\r\n";
}

base::task<base::result<std::string>> sign_report(mailauth::message_signer& signer, std::string message) {
  const std::string fields = co_await signer.sign(message);
  co_return fields + message;
}

// A key is used soon after DNS shows it, and forgotten when its overlap has passed.
base::task<void> look_after_keys(delivery::key_ring& keys, std::chrono::minutes every) {
  for (bool going = true; going;) {
    co_await keys.look_after();
    const auto slept = co_await net::sleep_for(every);
    going = slept.has_value();
  }
}

// A renewal that did not come about is told of before mail programs tell it.
void warn_of_certificates(const net::tls_context& tls, base::log_sink& log) {
  const auto now = std::chrono::system_clock::now();
  for (const auto& one : tls.certificates()) {
    const auto left = std::chrono::floor<std::chrono::days>(one.not_after - now).count();
    if (left >= certificate_warning.count()) continue;
    log.log(left < 0 ? log_level::error : log_level::warning, left < 0 ? "tls.certificate_ended" : "tls.certificate_ends",
            {{"file", one.file}, {"days", left}});
  }
}

base::task<void> look_after_certificates(const net::tls_context& tls, base::log_sink& log) {
  for (bool going = true; going;) {
    warn_of_certificates(tls, log);
    const auto slept = co_await net::sleep_for(std::chrono::hours(24));
    going = slept.has_value();
  }
}

}  // namespace

struct daemon::impl {
  explicit impl(config read) : conf(std::move(read)) {}

  net::explained<void> open_log();
  net::explained<void> open_tls();
  net::explained<void> bind();
  net::explained<void> prepare_scanner();
  net::explained<void> open_store();
  net::explained<void> open_search();
  net::explained<void> assemble();
  net::explained<void> open_dmarc_reports();
  net::explained<void> open_signing();
  delivery::forwarding forwards() const;
  server::smtp_service smtp_service_for(const std::string& name, protocol::smtp::server_role role, bool implicit_tls);
  server::imap_options imap_options_for(const std::string& name, bool implicit_tls);
  net::explained<void> open_logins();
  server::authenticator& authenticator();
  net::listener_options listener_options_for(const std::string& service, std::string refusal);
  void account_held(const filter::rate_notice& notice);
  void malware_sent(const filter::virus_notice& notice);
  base::task<void> tell_administrator(std::string subject, std::string text);
  net::explained<void> bind_all(net::listener& where, const std::vector<base::endpoint>& addresses);

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
  std::unique_ptr<delivered> sink;
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

// With the rights that the server keeps: it is opened again with them, and in a folder of the user's links lead to nothing
// else than he may write to.
net::explained<void> daemon::impl::open_log() {
  const auto format = conf.log.format == "json" ? base::log_format::json : base::log_format::text;
  auto opened = base::open_log(conf.log.file, format, to_level(conf.log.level), base::system_clock());
  if (!opened) {
    const std::string as = conf.user.empty() ? std::string() : " (as the user " + conf.user + ")";
    return std::unexpected(net::explained_error{opened.error(), "cannot open the log " + conf.log.file + ": " + opened.error().message() + as});
  }
  log = std::move(*opened);
  return {};
}

net::explained<void> daemon::impl::open_tls() {
  if (!conf.tls.certificates.empty()) {
    auto made = net::tls_context::server(to_tls_options(conf.tls));
    if (!made) return std::unexpected(made.error());
    tls = std::move(*made);
  }
  net::tls_client_options client;
  client.verification = net::peer_verification::recorded;
  auto recorded = net::tls_context::client(client);
  if (!recorded) return std::unexpected(recorded.error());
  tls_recorded = std::move(*recorded);
  client.verification = net::peer_verification::required;
  auto verified = net::tls_context::client(client);
  if (!verified) return std::unexpected(verified.error());
  tls_verified = std::move(*verified);
  return {};
}

net::explained<void> daemon::impl::bind_all(net::listener& where, const std::vector<base::endpoint>& addresses) {
  for (const base::endpoint& address : addresses) {
    if (auto bound = where.bind(address, threads->size()); !bound) return bound;
  }
  return {};
}

net::listener_options daemon::impl::listener_options_for(const std::string& service, std::string refusal) {
  net::listener_options made;
  made.limits = limits;
  made.refusal = std::move(refusal);
  made.proxies = to_proxy_options(conf.listen, service);
  made.proxy_failed = [this, service](const base::endpoint& proxy, std::error_code why) {
    // Health checks only connect.
    const auto level = why == base::errc::end_of_stream || why == net::errc::stopping ? log_level::debug : log_level::warning;
    log->log(level, service + ".proxy_failed", {{"proxy", proxy.address.to_string()}, {"reason", why.message()}});
  };
  if (!conf.login_guard.enabled || (service == "smtp" && conf.login_guard.smtp == "accept")) return made;
  made.standing_of = [this](const base::endpoint& peer) { return guard->standing_of(peer.address); };
  made.turn_away = [this, service](const base::endpoint& peer) -> std::optional<std::string> {
    const auto why = guard->turn_away(peer.address);
    if (!why) return std::nullopt;
    log->log(log_level::debug, "guard.refused", {{"peer", peer.address.to_string()}, {"service", service}});
    return refusal_text(service, conf.hostname, *why);
  };
  return made;
}

net::explained<void> daemon::impl::bind() {
  limits = std::make_shared<net::connection_limits>(conf.limits.connections, conf.limits.connections_per_address);
  const auto listener = [this](const std::string& service, std::string refusal) {
    return std::make_unique<net::listener>(listener_options_for(service, std::move(refusal)));
  };
  smtp_listener = listener("smtp", "421 4.7.0 Too many connections\r\n");
  submission_listener = listener("submission", "421 4.7.0 Too many connections\r\n");
  submissions_listener = listener("submissions", {});
  imap_listener = listener("imap", "* BYE [UNAVAILABLE] Too many connections\r\n");
  imaps_listener = listener("imaps", {});
  const std::pair<net::listener*, const std::vector<base::endpoint>*> all[] = {
      {smtp_listener.get(), &conf.listen.smtp},
      {submission_listener.get(), &conf.listen.submission},
      {submissions_listener.get(), &conf.listen.submissions},
      {imap_listener.get(), &conf.listen.imap},
      {imaps_listener.get(), &conf.listen.imaps},
  };
  for (const auto& [where, addresses] : all) {
    if (auto bound = bind_all(*where, *addresses); !bound) return bound;
  }
  return {};
}

net::explained<void> daemon::impl::open_store() {
  auto opened = apps::open_store(conf, *crypto, *log, metrics);
  if (!opened) return std::unexpected(opened.error());
  store = std::move(*opened);
  return {};
}

server::smtp_service daemon::impl::smtp_service_for(const std::string& name, protocol::smtp::server_role role,
                                                    bool implicit_tls) {
  server::smtp_service made;
  const bool submits = role == protocol::smtp::server_role::submission;
  made.protocol.hostname = conf.hostname;
  made.protocol.role = role;
  made.protocol.require_tls = submits ? !conf.auth.without_tls : conf.require_tls;
  made.protocol.require_auth = submits;
  made.protocol.auth_without_tls = conf.auth.without_tls;
  made.protocol.message_size = conf.limits.message_size;
  made.protocol.recipients = conf.limits.recipients;
  made.protocol.offer_starttls = tls && !implicit_tls;
  made.protocol.offered.requiretls = true;
  made.handler = handler.get();
  made.crypto = crypto.get();
  made.tls = tls;
  made.implicit_tls = implicit_tls;
  if (submits) {
    made.authenticator = &authenticator();
    made.protocol.mechanisms = made.authenticator->mechanisms(tls != nullptr);
  }
  made.log = log.get();
  made.metrics = &metrics;
  made.name = name;
  made.buffer.directory = conf.data + "/temporary";
  return made;
}

server::imap_options daemon::impl::imap_options_for(const std::string& name, bool implicit_tls) {
  server::imap_options made;
  made.mail = &store->mailboxes();
  made.logins = &authenticator();
  made.accounts = &store->directory();
  made.crypto = crypto.get();
  made.finder = indexing.get();
  made.tls = tls;
  made.implicit_tls = implicit_tls;
  made.login_without_tls = conf.auth.without_tls;
  made.hostname = conf.hostname;
  made.message_size = conf.limits.message_size;
  made.message_limit = static_cast<std::uint32_t>(conf.limits.imap_messages);
  made.save_limit = static_cast<std::uint32_t>(conf.limits.imap_saved_messages);
  made.buffer.directory = conf.data + "/temporary";
  made.log = log.get();
  made.metrics = &metrics;
  made.name = name;
  if (spam_filter* const spam = filters->spam(); spam != nullptr && spam->learns_from_users()) {
    made.reported = [spam](server::junk_report what) {
      spam->trainer()->report(std::move(what.account), std::move(what.messages),
                              what.junk ? filter::kind_of_mail::spam : filter::kind_of_mail::ham);
    };
  }
  if (!conf.administrator.empty()) made.administrator = "mailto:" + conf.administrator;
  made.idle_deadline = std::chrono::minutes(conf.limits.imap_idle_minutes);
  return made;
}

net::explained<void> daemon::impl::open_search() {
  auto opened = open_index(conf);
  if (!opened) return std::unexpected(opened.error());
  index = std::move(*opened);
  if (!index) return {};
  search::service_options how;
  how.least_messages = static_cast<std::uint32_t>(conf.search.least_messages);
  how.batch = static_cast<std::uint32_t>(conf.search.batch_messages);
  how.lag = std::chrono::seconds(conf.search.lag_seconds);
  how.log = log.get();
  how.metrics = &metrics;
  indexing = std::make_unique<search::service>(*index, store->mailboxes(), store->directory(), how);
  return {};
}

// What outgoing mail is signed with, and where bounces of forwarded mail go.
net::explained<void> daemon::impl::open_signing() {
  auto secret = installation_secret(conf.data, "srs-secret", *crypto);
  if (!secret) return std::unexpected(secret.error());
  const base::clock& time = base::system_clock();
  rewriting = std::make_unique<mailauth::srs>(*crypto, mailauth::srs_options{.secrets = {std::move(*secret)}});
  directory = std::make_unique<delivery::bounce_directory>(store->directory(), *rewriting, time);
  keys = std::make_unique<delivery::key_ring>(store->signing_keys(), *resolver, *crypto, time,
                                              delivery::key_ring_options{.overlap = std::chrono::days(conf.signing.overlap_days), .log = log.get()});
  if (conf.signing.enabled) {
    signer = std::make_unique<delivery::mail_signer>(
        store->signing_keys(), *crypto, time,
        delivery::mail_signer_options{.hostname = conf.hostname, .log = log.get(), .metrics = &metrics});
  }
  return {};
}

delivery::forwarding daemon::impl::forwards() const {
  return {.rewriting = conf.forwarding.rewrite_sender ? rewriting.get() : nullptr, .domain = conf.forwarding.domain};
}

net::explained<void> daemon::impl::open_logins() {
  auto secret = installation_secret(conf.data, "decoy-secret", *crypto);
  if (!secret) return std::unexpected(secret.error());
  server::account_authenticator_options auth;
  auth.host = conf.hostname;
  auth.decoy_secret = std::move(*secret);
  auth.disabled = conf.auth.disabled_mechanisms;
  auth.recoverable_secrets = conf.auth.recoverable_passwords;
  logins = std::make_unique<server::account_authenticator>(store->directory(), *crypto, base::system_clock(), auth);
  if (!conf.login_guard.enabled) return {};
  auto opened = open_guard(conf, *store, *crypto, *log, &metrics);
  if (!opened) return std::unexpected(opened.error());
  guard = std::move(*opened);
  guarded = std::make_unique<server::guarded_authenticator>(*logins, *guard, server::guarded_authenticator_options{}, &metrics);
  return {};
}

server::authenticator& daemon::impl::authenticator() {
  if (guarded) return *guarded;
  return *logins;
}

net::explained<void> daemon::impl::assemble() {
  auto names = net::dns_resolver::create(*threads, {.servers = conf.delivery.dns_servers});
  if (!names) return std::unexpected(names.error());
  resolver = std::move(*names);

  if (auto opened = open_logins(); !opened) return opened;
  if (auto opened = open_search(); !opened) return opened;
  if (auto done = open_signing(); !done) return done;
  auto built = filter_chain::create(
      conf, {*resolver, *crypto, *store, *log, &metrics, [this](const filter::rate_notice& notice) { account_held(notice); },
             [this](const auto& found, const auto& facts) {
               if (dmarc_reports) dmarc_reports->count(found, facts);
             },
             [this](const filter::virus_notice& notice) { malware_sent(notice); }});
  if (!built) return std::unexpected(built.error());
  filters = std::move(*built);
  local = std::make_unique<delivery::local_delivery>(
      *directory, store->mailboxes(), base::system_clock(),
      delivery::local_delivery_options{
          .hostname = conf.hostname, .crypto = crypto.get(), .signer = signer.get(), .forwards = forwards(), .log = log.get()});
  sink = std::make_unique<delivered>(*local);
  handler = std::make_unique<server::mail_handler>(*directory, filters->chain(), *sink, *crypto, base::system_clock(),
                                                   server::mail_handler_options{
                                                       .hostname = conf.hostname,
                                                       .authserv_id = conf.authentication.authserv_id,
                                                       .signer = signer.get(),
                                                       .seal_forwarded = conf.forwarding.seal,
                                                       .own_from_only = conf.submission.own_from_only});
  using protocol::smtp::server_role;
  smtp = smtp_service_for("smtp", server_role::mx, false);
  submission = smtp_service_for("submission", server_role::submission, false);
  submissions = smtp_service_for("submissions", server_role::submission, true);
  imap = std::make_unique<server::imap_service>(imap_options_for("imap", false));
  imaps = std::make_unique<server::imap_service>(imap_options_for("imaps", true));

  delivery::queue_runner_options queue = to_queue_options(conf);
  queue.recorded = tls_recorded;
  queue.verified = tls_verified;
  queue.log = log.get();
  queue.metrics = &metrics;
  queue.mailboxes = &store->mailboxes();
  queue.signer = signer.get();
  queue.forwards = forwards();
  runner = std::make_unique<delivery::queue_runner>(store->queue(), *directory, *resolver, *crypto,
                                                    base::system_clock(), std::move(queue));
  if (auto done = open_dmarc_reports(); !done) return done;
  administration = std::make_unique<admin>(*store, *crypto, *keys, &metrics, [this] { runner->wake(); }, &filters->chain());
  administration->set_index(index.get(), indexing.get());
  administration->set_guard(guard.get(), to_nft_options(conf));
  administration->set_spam(filters->spam());
  administration->set_tls(tls.get());
  auto listening = control_server::create(conf.control_path(), *administration, *log);
  if (!listening) return std::unexpected(listening.error());
  control = std::move(*listening);
  return {};
}

net::explained<void> daemon::impl::open_dmarc_reports() {
  if (!conf.dmarc.reports.enabled) return {};
  delivery::dmarc_reporter_options how;
  how.address = conf.dmarc.reports.address.empty() ? "noreply-dmarc@" + conf.hostname : conf.dmarc.reports.address;
  how.organisation = conf.dmarc.reports.organisation.empty() ? conf.hostname : conf.dmarc.reports.organisation;
  how.contact = conf.dmarc.reports.contact;
  if (!mail::parse_mailbox(how.address)) {
    return std::unexpected(net::explained_error{make_error_code(base::errc::malformed),
                                                "dmarc.reports.address is no address: " + how.address});
  }
  how.log = log.get();
  if (signer) {
    how.sign = [this](std::string message) -> base::task<base::result<std::string>> {
      return sign_report(*signer, std::move(message));
    };
  }
  dmarc_reports = std::make_unique<delivery::dmarc_reporter>(store->state("dmarc"), *local, *resolver,
                                                             base::system_clock(), std::move(how));
  if (auto done = dmarc_reports->load(); !done)
    return std::unexpected(net::explained_error{done.error(), "cannot read what DMARC reports are made of"});
  return {};
}

void daemon::impl::account_held(const filter::rate_notice& notice) {
  log->log(log_level::warning, "account.held", {{"login", notice.login}, {"reason", notice.reason}});
  if (conf.administrator.empty()) return;
  const std::string text = "The account " + notice.login + " looks as if somebody else used it: " + notice.reason +
                           ".\r\n\r\nMail that it sends until midnight (UTC) is kept in quarantine:\r\n"
                           "briefwerkctl quarantine list, show, release, delete.\r\n";
  base::spawn((*threads)[0], tell_administrator("Account held: " + notice.login, text));
}

void daemon::impl::malware_sent(const filter::virus_notice& notice) {
  log->log(log_level::warning, "account.sends_malware", {{"login", notice.login}, {"name", notice.name}});
  if (conf.administrator.empty()) return;
  {
    const std::lock_guard lock(notices_mutex);
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(malware_notices, [now](const auto& one) { return now - one.second > malware_notice_every; });
    if (!malware_notices.try_emplace(notice.login, now).second) return;
  }
  const std::string text = "The account " + notice.login + " tried to send a message with malware: " + notice.name +
                           ".\r\n\r\nThe message was refused. Further ones are refused as well and stand in the log; the "
                           "next notice about this account comes after a day at the earliest.\r\n";
  base::spawn((*threads)[0], tell_administrator("Malware refused: " + notice.login, text));
}

base::task<void> daemon::impl::tell_administrator(std::string subject, std::string text) {
  mail::smtp_envelope envelope;
  auto to = mail::parse_mailbox(conf.administrator, mail::utf8::allow);
  if (!to) co_return;
  envelope.recipients.push_back({.address = std::move(*to)});
  const std::string message =
      make_notice(conf.hostname, conf.administrator, mail::encode_text(subject), text, base::system_clock().now(), *crypto);
  const auto sent = co_await local->deliver(envelope, {.octets = message});
  if (!sent) log->log(log_level::error, "notice.lost", {{"about", subject}, {"reason", sent.error().message()}});
}

// While there are rights of root, and one thread.
net::explained<void> daemon::impl::prepare_scanner() {
  if (conf.filter.virus.scanner != "started" || conf.filter.virus.user.empty()) return {};
  const auto refuse = [](std::error_code why, std::string text) { return std::unexpected(net::explained_error{why, std::move(text)}); };
  if (::geteuid() != 0) {
    return refuse(make_error_code(base::errc::denied), "filter.virus.user: only a server that root starts can start a scanner as another user");
  }
  const std::string folder = scan_folder(conf);
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) {
    return refuse({errno, std::generic_category()}, "cannot make the folder of the scanner " + folder);
  }
  auto made = make_root_starter(scan_command(conf));
  if (!made) return std::unexpected(made.error());
  scan_starter = std::move(*made);
  return {};
}

daemon::daemon(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}
daemon::~daemon() = default;

net::explained<std::unique_ptr<daemon>> daemon::create(config conf) {
  auto made = std::make_unique<impl>(std::move(conf));
  impl& all = *made;
  all.threads = std::make_unique<net::io_threads>(static_cast<unsigned>(all.conf.threads));
  if (auto done = all.open_tls(); !done) return std::unexpected(done.error());
  if (auto done = all.bind(); !done) return std::unexpected(done.error());
  if (auto done = all.prepare_scanner(); !done) return std::unexpected(done.error());
  if (all.conf.log.file != "-") {
    if (auto done = make_file_for(all.conf.log.file, all.conf.user, all.conf.group); !done) return std::unexpected(done.error());
  }
  if (auto done = drop_privileges(all.conf.user, all.conf.group); !done) return std::unexpected(done.error());
  if (auto done = all.open_log(); !done) return std::unexpected(done.error());
  if (auto done = all.open_store(); !done) return std::unexpected(done.error());
  if (auto done = all.assemble(); !done) return std::unexpected(done.error());
  return std::unique_ptr<daemon>(new daemon(std::move(made)));
}

void daemon::start() {
  impl& all = *impl_;
  all.threads->start();
  const auto serve_smtp_with = [](const server::smtp_service& service) {
    return [&service](net::stream stream, net::io_thread& thread) {
      base::spawn_here(thread, server::serve_smtp(std::move(stream), service));
    };
  };
  const auto serve_imap_with = [](server::imap_service& service) {
    return [&service](net::stream stream, net::io_thread& thread) {
      base::spawn_here(thread, server::serve_imap(std::move(stream), service));
    };
  };
  all.smtp_listener->start(*all.threads, serve_smtp_with(all.smtp));
  all.submission_listener->start(*all.threads, serve_smtp_with(all.submission));
  all.submissions_listener->start(*all.threads, serve_smtp_with(all.submissions));
  all.imap_listener->start(*all.threads, serve_imap_with(*all.imap));
  all.imaps_listener->start(*all.threads, serve_imap_with(*all.imaps));
  all.runner->start((*all.threads)[0]);
  if (all.dmarc_reports) all.dmarc_reports->start((*all.threads)[0]);
  all.filters->start();
  if (all.conf.filter.virus.scanner == "started") {
    const bool apart = all.scan_starter != nullptr;
    all.scanner = std::make_unique<scanner_keeper>(
        *all.log, scanner_keeper::options{.by = apart ? std::move(all.scan_starter) : make_starter(scan_command(all.conf)),
                                          .folder = apart ? std::string() : scan_folder(all.conf)});
  }
  base::spawn((*all.threads)[0], all.filters->check_lists());
  all.log_upkeep = std::make_unique<log_keeper>(all.conf, *all.log, *all.crypto);
  base::spawn((*all.threads)[0], look_after_keys(*all.keys, std::chrono::minutes(all.conf.signing.check_minutes)));
  if (all.tls) base::spawn((*all.threads)[0], look_after_certificates(*all.tls, *all.log));
  if (all.indexing) all.indexing->start();
  all.upkeep = std::make_unique<maintenance>(*all.store, *all.log, maintenance::options{});
  if (all.guard) {
    all.bans = std::make_unique<guard_upkeep>(
        *all.guard, *all.log,
        guard_upkeep::options{.hook = all.conf.login_guard.hook,
                              .hook_every = std::chrono::seconds(all.conf.login_guard.hook_seconds),
                              .nft = to_nft_options(all.conf)});
  }
  all.control->start((*all.threads)[all.threads->size() - 1]);
  all.log->log(log_level::info, "server.started", {{"hostname", all.conf.hostname}, {"threads", all.threads->size()}});
}

void daemon::reload() {
  impl& all = *impl_;
  if (auto opened = all.log->reopen(); !opened) {
    all.log->log(log_level::error, "log.reopen_failed", {{"reason", opened.error().message()}});
  }
  all.filters->reload();
  if (all.tls) {
    if (auto done = all.tls->reload(); !done) {
      all.log->log(log_level::error, "tls.reload_failed", {{"reason", done.error().text}});
      return;
    }
    warn_of_certificates(*all.tls, *all.log);
  }
  all.log->log(log_level::info, "server.reloaded", {});
}

void daemon::stop(std::chrono::seconds grace) {
  impl& all = *impl_;
  all.log->log(log_level::info, "server.stopping", {});
  for (auto* listener : {all.smtp_listener.get(), all.submission_listener.get(), all.submissions_listener.get(),
                         all.imap_listener.get(), all.imaps_listener.get()}) {
    listener->stop();
  }
  all.control->stop();
  all.runner->stop();
  // Sessions are told now. Meanwhile messages on their way out end and are noted as sent: a loop that ended between
  // the two would send them again after the next start.
  for (unsigned i = 0; i < all.threads->size(); ++i) {
    (*all.threads)[i].post([&loop = (*all.threads)[i]] { loop.begin_stopping(); });
  }
  const auto until = std::chrono::steady_clock::now() + grace;
  while (!all.runner->is_idle() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  all.threads->stop(std::chrono::ceil<std::chrono::milliseconds>(
      std::max(until - std::chrono::steady_clock::now(), std::chrono::steady_clock::duration::zero())));
  all.indexing.reset();
  all.upkeep.reset();
  all.bans.reset();
  all.log_upkeep.reset();
  all.scanner.reset();
  all.log->log(log_level::info, "server.stopped", {});
}

}  // namespace briefwerk::apps
