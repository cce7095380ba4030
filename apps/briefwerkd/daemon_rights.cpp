#include "apps/briefwerkd/daemon_impl.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "apps/config/conversions.hpp"
#include "apps/filter/virus.hpp"

namespace briefwerk::apps {

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

}  // namespace briefwerk::apps
