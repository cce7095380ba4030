#include "apps/briefwerkd/daemon_impl.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "apps/config/conversions.hpp"
#include "apps/filter/virus.hpp"
#include "apps/store/privileges.hpp"

namespace briefwerk::apps {

using base::log_level;

namespace {

constexpr std::chrono::days certificate_warning{14};  // certbot and its like renew a month before

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
