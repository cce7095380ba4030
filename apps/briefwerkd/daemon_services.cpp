#include "apps/briefwerkd/daemon_impl.hpp"

namespace briefwerk::apps {

server::authenticator& daemon::impl::authenticator() {
  if (guarded) return *guarded;
  return *logins;
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
  made.idle_word_interval = std::chrono::seconds(conf.limits.imap_idle_word_seconds);
  return made;
}

}  // namespace briefwerk::apps
