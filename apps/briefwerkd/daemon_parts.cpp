#include "apps/briefwerkd/daemon_impl.hpp"

#include "apps/config/conversions.hpp"
#include "apps/store/open_guard.hpp"
#include "apps/store/open_store.hpp"
#include "briefwerk/mail/address.hpp"

namespace briefwerk::apps {

namespace {

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

base::task<base::result<std::string>> sign_report(mailauth::message_signer& signer, std::string message) {
  const std::string fields = co_await signer.sign(message);
  co_return fields + message;
}

}  // namespace

net::explained<void> daemon::impl::open_store() {
  auto opened = apps::open_store(conf, *crypto, *log, metrics);
  if (!opened) return std::unexpected(opened.error());
  store = std::move(*opened);
  return {};
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

}  // namespace briefwerk::apps
