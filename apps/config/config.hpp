#pragma once

// The configuration of briefwerkd: one JSON file, comments allowed. What each key means stands once, in fields.hpp;
// reading, error messages and the JSON Schema are made from there.

#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "apps/config/filter_config.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/limits.hpp"

namespace briefwerk::apps {

struct log_config {
  std::string file = "-";
  std::string format = "text";
  std::string level = "info";
  std::uint64_t retention_days = 7;
  std::uint64_t pseudonymise_days = 0;
};

struct certificate_config {
  std::string certificate;
  std::string key;
};

struct tls_config {
  std::vector<certificate_config> certificates;
  std::string minimum = "1.2";
};

struct proxy_config {
  std::vector<base::ip_network> networks;
  std::vector<std::string> services;  // empty: all
  std::string missing = "refuse";     // "refuse", "accept"
  std::uint64_t wait_seconds = 5;
};

struct listen_config {
  std::vector<base::endpoint> smtp, submission, submissions, imap, imaps;
  std::vector<proxy_config> proxies;
};

struct login_guard_config {
  bool enabled = true;
  std::vector<base::ip_network> allow;
  std::string smtp = "refuse";  // "refuse", "accept"
  std::uint64_t failures = 5;
  std::uint64_t networks = 8;
  std::uint64_t window_minutes = 10;
  std::uint64_t ban_minutes = 10;
  std::uint64_t ban_growth = 4;
  std::uint64_t longest_ban_hours = 24;
  std::uint64_t repetition_days = 7;
  std::uint64_t account_failures = 10;
  std::uint64_t longest_delay_seconds = 15;
  std::uint64_t addresses = 1u << 17;
  std::vector<std::string> hook;
  std::uint64_t hook_seconds = 10;
};

struct auth_config {
  std::vector<std::string> disabled_mechanisms;
  bool recoverable_passwords = false;
  bool without_tls = false;
};

struct limits_config {
  std::uint64_t message_size = base::limits::message_size;
  std::uint64_t recipients = base::limits::smtp_recipients;
  std::uint64_t connections = 20000;
  std::uint64_t connections_per_address = 1000;
  std::uint64_t imap_idle_minutes = 30;
  std::uint64_t imap_idle_word_seconds = 120;
  std::uint64_t imap_messages = 0;
  std::uint64_t imap_saved_messages = 0;
};

struct submission_config {
  bool own_from_only = true;
};

struct authentication_config {
  bool check = true;
  std::string authserv_id;  // empty: the hostname
  std::string dmarc = "mark";
  bool mark_unauthenticated = true;
  bool received_spf = false;
  std::vector<std::string> trusted_sealers;
  std::vector<std::string> exempt_networks{"127.0.0.0/8", "::1"};
};

struct signing_config {
  bool enabled = true;
  std::uint64_t overlap_days = 7;
  std::uint64_t check_minutes = 15;
};

struct forwarding_config {
  bool rewrite_sender = true;
  std::string domain;
  bool seal = true;
};

struct storage_config {
  std::uint64_t block_cache = 256ull << 20;
  std::uint64_t snapshot_cache = 256ull << 20;
};

struct search_config {
  bool enabled = true;
  std::string path;  // empty: <data>/search
  std::uint64_t least_messages = 100;
  std::uint64_t batch_messages = 100;
  std::uint64_t lag_seconds = 900;
};

struct next_hop_config {
  std::string domain;            // "example.org", or "*" for every domain
  std::string tls = "required";  // "required", "verified", "optional", "none"
  std::string host;              // empty: by MX
  std::uint64_t port = 25;
};

struct delivery_config {
  std::string source_v4, source_v6;
  std::string tls = "required";
  std::vector<next_hop_config> next_hops;
  std::vector<std::string> ignored_networks{"0.0.0.0/8", "127.0.0.0/8", "::", "::1"};
  std::uint64_t retry_first_seconds = 300;
  std::uint64_t retry_most_seconds = 4 * 3600;
  std::uint64_t give_up_hours = 5 * 24;
  std::uint64_t warn_after_hours = 4;
  std::uint64_t connections = 20;
  std::vector<base::endpoint> dns_servers;
};

struct dmarc_reports_config {
  bool enabled = false;
  std::string address;
  std::string organisation;
  std::string contact;
};

struct dmarc_config {
  dmarc_reports_config reports;
};

struct config {
  std::string hostname;
  std::string data;
  std::string user, group;
  std::string administrator;
  std::string control;  // empty: <data>/control.sock
  std::uint64_t threads = 0;
  bool require_tls = true;
  std::uint64_t stop_seconds = 20;
  listen_config listen;
  tls_config tls;
  log_config log;
  auth_config auth;
  login_guard_config login_guard;
  limits_config limits;
  submission_config submission;
  authentication_config authentication;
  signing_config signing;
  forwarding_config forwarding;
  storage_config storage;
  search_config search;
  delivery_config delivery;
  dmarc_config dmarc;
  filter_config filter;

  std::string search_path() const { return search.path.empty() ? data + "/search" : search.path; }
  std::string control_path() const { return control.empty() ? data + "/control.sock" : control; }
};

// What `listen` can name.
const std::vector<std::string>& all_services();

struct config_error {
  std::string path;  // JSON pointer: "/listen/smtp/0"; empty for the file as a whole
  std::string text;
};

// All errors of the text at once.
std::expected<config, std::vector<config_error>> parse_config(std::string_view text);
std::expected<config, std::vector<config_error>> load_config(const std::string& file);

// The JSON Schema (draft 2020-12) of what parse_config() takes.
std::string config_schema();

// What only a look at this machine can tell, with the rights of this process: addresses that are not its own,
// certificates and folders that cannot be used, rules about spam that cannot be read, users unknown.
std::vector<config_error> check_environment(const config& conf);
// Of the certificates alone; adds to `errors`.
void check_certificates(const config& conf, std::vector<config_error>& errors);

}  // namespace briefwerk::apps
