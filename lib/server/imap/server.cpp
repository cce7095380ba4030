#include "briefwerk/server/imap_server.hpp"

#include <exception>
#include <string>
#include <typeinfo>
#include <utility>

#include "service.hpp"
#include "session.hpp"

namespace briefwerk::server {
namespace {

// In the order of protocol::imap::command's alternatives.
constexpr std::array<std::string_view, std::variant_size_v<protocol::imap::command>> command_names = {
    "capability", "noop",   "logout",    "id",     "starttls", "authenticate", "login",    "enable", "select",
    "create",     "delete", "rename",    "subscribe", "status", "list",       "namespace", "idle",  "check",
    "close",      "unselect", "expunge", "search", "fetch",    "store",        "copy",     "move",
    "sort",       "thread", "cancelupdate", "unauthenticate", "getquota", "getquotaroot", "setquota",
    "compress", "getmetadata", "setmetadata", "getacl", "setacl", "deleteacl", "listrights", "myrights", "notify", "esearch"};

protocol::imap::server_options protocol_options(const imap_options& from) {
  protocol::imap::server_options out;
  out.greeting = from.hostname + " Briefwerk ready";
  out.offered = from.offered;
  out.offered.acl = from.offered.acl && from.accounts != nullptr;
  out.mechanisms = from.logins->mechanisms(from.tls != nullptr && !from.login_without_tls);
  out.offer_starttls = from.tls != nullptr && !from.implicit_tls;
  out.login_without_tls = from.login_without_tls;
  out.login_command = from.login_command;
  out.append_limit = from.message_size;
  out.message_limit = from.message_limit;
  out.save_limit = from.save_limit;
  return out;
}

}  // namespace

protocol::imap::capabilities imap_capabilities() {
  protocol::imap::capabilities out;
  out.searchres = out.within = out.multiappend = out.binary = out.objectid = out.savedate = out.preview = true;
  out.condstore = out.qresync = out.sort = out.thread = out.context = out.partial = true;
  out.unauthenticate = out.utf8_accept = out.uid_only = out.in_progress = out.quota = true;
  out.replace = out.catenate = out.compress = out.metadata = out.list_metadata = out.acl = out.notify = out.multisearch = out.fuzzy = true;
  out.literals = protocol::imap::literal_rule::plus;
  return out;
}

imap_service::impl::impl(imap_options given) : options(std::move(given)), protocol(protocol_options(options)) {
  const auto held = [&](const char* what) {
    return options.metrics == nullptr ? nullptr : &options.metrics->get_counter(options.name + what);
  };
  sort_tables = std::make_shared<imap::sort_tables>(options.sort_memory, *options.clock, held(".sort_tables.octets"));
  text_tables = std::make_shared<imap::text_tables>(options.search_memory, *options.clock, held(".searched_texts.octets"));
  if (options.metrics == nullptr) return;
  auto& all = *options.metrics;
  const std::string& name = options.name;
  counted.sessions = &all.get_counter(name + ".sessions");
  counted.connections = &all.get_counter(name + ".connections");
  counted.logins = &all.get_counter(name + ".logins");
  counted.failed_logins = &all.get_counter(name + ".logins.failed");
  counted.octets_sent = &all.get_counter(name + ".octets.sent");
  counted.messages_fetched = &all.get_counter(name + ".messages.fetched");
  counted.messages_appended = &all.get_counter(name + ".messages.appended");
  for (std::size_t i = 0; i < command_names.size(); ++i)
    counted.commands[i] = &all.get_histogram(name + ".command." + std::string(command_names[i]));
  counted.append = &all.get_histogram(name + ".command.append");
}

imap_service::imap_service(imap_options options) : impl_(std::make_unique<impl>(std::move(options))) {}
imap_service::~imap_service() = default;
const imap_options& imap_service::options() const noexcept { return impl_->options; }

base::task<void> serve_imap(net::stream stream, imap_service& service) {
  base::executor* const where = co_await base::this_executor();
  auto& shared = service.internals();
  try {
    imap::session one(std::move(stream), shared, shared.threads.of(*where), *where);
    co_await one.run();
  } catch (const std::exception& broken) {
    // No memory, most likely: this connection ends, the others go on. Only the type: the text may quote anything.
    shared.options.log->log(base::log_level::error, shared.options.name + ".session_failed", {{"type", typeid(broken).name()}});
  }
}

imap_server::imap_server(imap_options options, net::listener_options listening)
    : service_(std::move(options)), listener_(std::move(listening)) {}

void imap_server::start(net::io_threads& threads) {
  listener_.start(threads, [this](net::stream accepted, net::io_thread& thread) {
    base::spawn_here(thread, serve_imap(std::move(accepted), service_));
  });
}

void imap_server::start(net::io_thread& thread) {
  listener_.start(thread, [this](net::stream accepted, net::io_thread& on) {
    base::spawn_here(on, serve_imap(std::move(accepted), service_));
  });
}

}  // namespace briefwerk::server
