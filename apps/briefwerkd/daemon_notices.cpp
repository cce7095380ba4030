#include "apps/briefwerkd/daemon_impl.hpp"

#include "apps/briefwerkd/notice.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"

namespace briefwerk::apps {

using base::log_level;

namespace {

constexpr std::chrono::hours malware_notice_every{24};

}  // namespace

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

}  // namespace briefwerk::apps
