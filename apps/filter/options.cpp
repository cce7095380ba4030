#include "apps/filter/options.hpp"

#include <algorithm>
#include <utility>

#include "apps/filter/milters.hpp"
#include "apps/filter/virus.hpp"
#include "briefwerk/filter/attachments.hpp"
#include "briefwerk/mail/address.hpp"

namespace briefwerk::apps {
namespace {

using filter::action;

std::optional<action> to_action(std::string_view name) {
  for (const action one : {action::junk, action::quarantine, action::discard, action::defer, action::reject}) {
    if (name == filter::to_string(one)) return one;
  }
  return std::nullopt;  // "score": by its score alone
}

std::optional<filter::scope> to_scope(std::string_view name) {
  if (name == "inbound") return filter::scope::inbound;
  if (name == "submission") return filter::scope::submission;
  return std::nullopt;
}

std::vector<std::string> lowered(std::vector<std::string> list) {
  for (std::string& one : list) {
    std::ranges::transform(one, one.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  }
  return list;
}

filter::rate_key to_rate_key(std::string_view name) {
  if (name == "network") return filter::rate_key::network;
  if (name == "account") return filter::rate_key::account;
  if (name == "sender_domain") return filter::rate_key::sender_domain;
  if (name == "recipient") return filter::rate_key::recipient;
  return filter::rate_key::address;
}

filter::rate_unit to_rate_unit(std::string_view name) {
  if (name == "recipients") return filter::rate_unit::recipients;
  if (name == "connections") return filter::rate_unit::connections;
  return filter::rate_unit::messages;
}

}  // namespace

filter::greylist_options to_greylist_options(const greylist_config& conf) {
  filter::greylist_options made;
  made.delay = std::chrono::seconds(conf.delay_seconds);
  made.window = std::chrono::hours(conf.window_hours);
  made.lifetime = std::chrono::days(conf.lifetime_days);
  made.trusted_after = static_cast<unsigned>(conf.trusted_after);
  made.networks = conf.networks;
  made.hosts = lowered(conf.hosts);
  made.big_senders = conf.big_senders;
  made.recipients = lowered(conf.recipients);
  made.entries = conf.entries;
  return made;
}

filter::dns_lists_options to_dns_lists_options(const dns_lists_config& conf) {
  filter::dns_lists_options made;
  made.networks = conf.networks;
  made.limit = std::chrono::milliseconds(conf.limit_ms);
  for (const dns_list_config& one : conf.lists) {
    filter::dns_list& list = made.lists.emplace_back();
    list.zone = one.zone;
    list.kind = one.lists == "domains" ? filter::dns_list_kind::domain : filter::dns_list_kind::address;
    list.v4 = one.v4;
    list.v6 = one.v6;
    list.helo = one.helo;
    list.from = one.from;
    list.links = one.links;
    list.allow = one.allow;
    list.score = one.score;
    list.act = to_action(one.action);
    for (const dns_list_code_config& code : one.codes) {
      filter::dns_list_code& to = list.codes.emplace_back();
      if (const auto answer = base::ip_network::parse(code.answer)) to.answer = *answer;
      to.bits = static_cast<std::uint32_t>(code.bits);
      to.score = code.score;
      to.act = to_action(code.action);
      to.meaning = code.meaning;
    }
  }
  return made;
}

filter::rate_options to_rate_options(const rate_config& conf) {
  filter::rate_options made;
  made.networks = conf.networks;
  made.recipients_a_day = static_cast<std::uint32_t>(conf.recipients_a_day);
  made.new_recipients_a_day = static_cast<std::uint32_t>(conf.new_recipients_a_day);
  made.entries = conf.entries;
  for (const rate_rule_config& one : conf.rules) {
    made.rules.push_back({to_rate_key(one.by), to_rate_unit(one.of), static_cast<std::uint32_t>(one.count),
                          std::chrono::seconds(one.seconds), to_scope(one.only)});
  }
  return made;
}

filter::content_options to_content_options(const content_config& conf) {
  filter::content_options made;
  made.senders = lowered(conf.senders);
  made.recipients = lowered(conf.recipients);
  made.size = conf.size;
  for (const attachment_rule_config& one : conf.attachments) {
    made.attachments.push_back({lowered(one.extensions), one.types, one.encrypted, one.unreadable, one.in_archives,
                                to_action(one.action).value_or(action::tag), one.score});
  }
  for (const header_rule_config& one : conf.headers) {
    made.headers.push_back({one.name, one.field, one.pattern, to_action(one.action).value_or(action::tag), one.score});
  }
  return made;
}

filter::stage_options to_stage_options(const filter_config& conf, std::string_view name, filter::stage_options usual) {
  const auto found = std::ranges::find(conf.stages, name, &stage_config::name);
  if (found == conf.stages.end()) return usual;
  usual.on_failure = found->failure == "open" ? filter::failure_mode::open : filter::failure_mode::defer;
  usual.limit = std::chrono::milliseconds(found->limit_ms);
  if (const auto only = to_scope(found->only)) usual.only = only;
  usual.dry_run = found->dry_run;
  usual.domains = lowered(found->domains);
  usual.accounts = lowered(found->accounts);
  if (!found->after.empty()) usual.after = found->after;
  return usual;
}

void check_filter(const config& conf, std::vector<config_error>& errors) {
  const filter_config& all = conf.filter;
  for (std::size_t i = 0; i < all.dns_lists.lists.size(); ++i) {
    const dns_list_config& list = all.dns_lists.lists[i];
    const std::string where = "/filter/dns_lists/lists/" + std::to_string(i);
    if (!mail::is_domain(list.zone)) errors.push_back({where + "/zone", "must be a domain"});
    for (std::size_t n = 0; n < list.codes.size(); ++n) {
      const dns_list_code_config& code = list.codes[n];
      const auto answer = base::ip_network::parse(code.answer);
      if (code.bits != 0 && code.answer.empty()) continue;
      if (answer && answer->address.is_loopback() && answer->address.is_v4() && answer->prefix >= 8 && code.bits == 0) continue;
      errors.push_back({where + "/codes/" + std::to_string(n), "needs either an answer from 127.0.0.0/8 or bits"});
    }
  }
  const auto types = filter::attachment_types();
  for (std::size_t i = 0; i < all.content.attachments.size(); ++i) {
    for (const std::string& one : all.content.attachments[i].types) {
      if (std::ranges::find(types, one) != types.end()) continue;
      errors.push_back({"/filter/content/attachments/" + std::to_string(i) + "/types", "has no type \"" + one + "\""});
    }
  }
  std::string wrong;
  filter::content_options patterns = to_content_options(all.content);
  patterns.attachments.clear();
  if (!filter::content::create(std::move(patterns), wrong)) errors.push_back({"/filter/content/headers", wrong});
  check_virus(all.virus, errors);
  check_milters(all.milters, errors);
  check_stages(all, errors);
  if (!conf.administrator.empty() && !mail::parse_mailbox(conf.administrator, mail::utf8::allow)) {
    errors.push_back({"/administrator", "must be a mail address"});
  }
}

}  // namespace briefwerk::apps
