#pragma once

// The commands of admin.hpp, by what they act on. Each takes the request and answers the fields of its result; an
// error is thrown as refusal and answered by execute().

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "apps/admin/admin.hpp"
#include "briefwerk/mail/address.hpp"

namespace briefwerk::apps::commands {

using json = nlohmann::ordered_json;

// Stays inside this room: execute() turns it into {"error": …}.
class refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct context {
  store::local_store& store;
  const base::crypto& crypto;
  delivery::key_ring& keys;
  const base::metrics* metrics;
  const std::function<void()>& queue_changed;
  server::login_guard* guard;     // null: there is none
  const server::nft_options& nft;
  const filter::chain* chain;      // null: not at hand
  spam_filter* spam;               // null: switched off
  search::index* index;            // null: there is none
  search::service* indexing;       // null: no server runs
  const net::tls_context* tls;     // null: no server runs, or it has none
};

// A key of the request; refused where it is missing or of another type.
std::string text(const json& request, const char* key);
std::string text_or(const json& request, const char* key, std::string otherwise);
std::uint64_t number_or(const json& request, const char* key, std::uint64_t otherwise);
mail::mailbox_address address(const std::string& text);

void check(const base::status& done, const std::string& what);
template <class T>
T take(base::result<T>&& got, const std::string& what) {
  if (!got) check(base::fail(got.error()), what);
  return std::move(*got);
}

base::task<json> domain_add(const context& with, const json& request);
base::task<json> domain_list(const context& with, const json& request);
base::task<json> domain_delete(const context& with, const json& request);

base::task<json> account_add(const context& with, const json& request);
base::task<json> account_change(const context& with, const json& request);
base::task<json> account_list(const context& with, const json& request);
base::task<json> account_find(const context& with, const json& request);
base::task<json> account_delete(const context& with, const json& request);

base::task<json> alias_add(const context& with, const json& request);
base::task<json> alias_list(const context& with, const json& request);
base::task<json> alias_delete(const context& with, const json& request);

base::task<json> queue_list(const context& with, const json& request);
base::task<json> queue_show(const context& with, const json& request);
base::task<json> queue_retry(const context& with, const json& request);
base::task<json> queue_delete(const context& with, const json& request);

base::task<json> dkim_list(const context& with, const json& request);
base::task<json> dkim_generate(const context& with, const json& request);
base::task<json> dkim_check(const context& with, const json& request);
base::task<json> dkim_activate(const context& with, const json& request);
base::task<json> dkim_rotate(const context& with, const json& request);
base::task<json> dkim_retire(const context& with, const json& request);

base::task<json> mailbox_list(const context& with, const json& request);
base::task<json> mailbox_export(const context& with, const json& request);
base::task<json> mailbox_rights(const context& with, const json& request);
base::task<json> mailbox_share(const context& with, const json& request);
base::task<json> mailbox_import(const context& with, const json& request);

base::task<json> ban_list(const context& with, const json& request);
base::task<json> ban_add(const context& with, const json& request);
base::task<json> ban_remove(const context& with, const json& request);
base::task<json> ban_explain(const context& with, const json& request);
base::task<json> ban_export(const context& with, const json& request);
base::task<json> quarantine_list(const context& with, const json& request);
base::task<json> quarantine_show(const context& with, const json& request);
base::task<json> quarantine_release(const context& with, const json& request);
base::task<json> quarantine_delete(const context& with, const json& request);

base::task<json> index_status(const context& with, const json& request);
base::task<json> index_rebuild(const context& with, const json& request);

base::task<json> filter_test(const context& with, const json& request);

base::task<json> spam_learn(const context& with, const json& request);
base::task<json> spam_status(const context& with, const json& request);
base::task<json> spam_forget(const context& with, const json& request);

base::task<json> status(const context& with, const json& request);

}  // namespace briefwerk::apps::commands
