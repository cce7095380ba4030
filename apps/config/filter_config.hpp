#pragma once

// The configuration of the filter chain; the meaning of the keys stands in filter_fields.hpp.

#include <cstdint>
#include <string>
#include <vector>

#include "briefwerk/base/ip.hpp"

namespace briefwerk::apps {

struct stage_config {
  std::string name;
  std::string failure = "defer";
  std::string only = "both";
  std::uint64_t limit_ms = 30000;
  bool dry_run = false;
  std::vector<std::string> domains, accounts, after;
};

struct greylist_config {
  bool enabled = false;
  std::uint64_t delay_seconds = 300;
  std::uint64_t window_hours = 48;
  std::uint64_t lifetime_days = 36;
  std::uint64_t trusted_after = 5;
  bool big_senders = true;
  std::vector<base::ip_network> networks;
  std::vector<std::string> hosts, recipients;
  std::uint64_t entries = 500000;
};

struct dns_list_code_config {
  std::string answer;
  std::uint64_t bits = 0;
  double score = 0;
  std::string action = "score";
  std::string meaning;
};

struct dns_list_config {
  std::string zone;
  std::string lists = "addresses";
  bool v4 = true, v6 = true, helo = true, from = true, links = true, allow = false;
  double score = 5;
  std::string action = "score";
  std::vector<dns_list_code_config> codes;
};

struct dns_lists_config {
  std::vector<dns_list_config> lists;
  std::vector<base::ip_network> networks;
  std::uint64_t limit_ms = 5000;
};

struct rate_rule_config {
  std::string by = "address";
  std::string of = "messages";
  std::uint64_t count = 100;
  std::uint64_t seconds = 3600;
  std::string only = "both";
};

struct rate_config {
  std::vector<rate_rule_config> rules;
  std::vector<base::ip_network> networks;
  std::uint64_t recipients_a_day = 0;
  std::uint64_t new_recipients_a_day = 0;
  std::uint64_t entries = 500000;
};

struct attachment_rule_config {
  std::vector<std::string> extensions, types;
  bool encrypted = false, unreadable = false, in_archives = true;
  std::string action = "reject";
  double score = 0;
};

struct header_rule_config {
  std::string name, field, pattern;
  std::string action = "score";
  double score = 0;
};

struct content_config {
  std::vector<std::string> senders, recipients;
  std::uint64_t size = 0;
  std::vector<attachment_rule_config> attachments;
  std::vector<header_rule_config> headers;
};

struct virus_config {
  std::string scanner = "none";
  std::string database = "/var/lib/clamav";
  std::string program, socket, address, user;
  std::uint64_t workers = 2;
  std::uint64_t size = 64u << 20, unpacked = 256u << 20;
  std::uint64_t depth = 16, files = 10000;
  std::uint64_t seconds = 30, wait_seconds = 30, check_seconds = 60;
  std::uint64_t memory = 1u << 30;
  std::uint64_t time_outs = 3, pause_seconds = 30;
  std::string infected = "reject", encrypted = "tag", too_large = "reject", failure = "defer";
};

struct spam_score_config {
  std::string rule;
  double score = 0;
};

struct classifier_config {
  bool enabled = true;
  double score = 5;
  bool users = true;
  bool share = true;
  std::uint64_t share_a_day = 500;
  std::uint64_t least_messages = 20;
  std::uint64_t entries = 2000000;
  std::uint64_t lifetime_days = 400;
  std::uint64_t queue = 10000;
};

struct spam_config {
  bool enabled = false;
  std::string rules;  // empty: those that the program has
  std::vector<spam_score_config> scores;
  classifier_config classifier;
};

struct milter_config {
  std::string name, address, junk_field;
  std::string failure = "defer";
  std::string only = "both";
  std::uint64_t seconds = 30, message_seconds = 300;
  std::uint64_t time_outs = 3, pause_seconds = 30;
  bool dry_run = false;
  std::vector<std::string> domains, accounts;
};

struct filter_config {
  double junk_score = 5, reject_score = 0;
  std::vector<stage_config> stages;
  greylist_config greylist;
  dns_lists_config dns_lists;
  rate_config rate;
  content_config content;
  virus_config virus;
  spam_config spam;
  std::vector<milter_config> milters;
};

}  // namespace briefwerk::apps
