#include <algorithm>
#include <memory>

#include "apps/briefwerkctl/authentication_commands.hpp"
#include "apps/briefwerkctl/domain_records.hpp"
#include "apps/briefwerkctl/lookups.hpp"
#include "briefwerk/base/dns_type_name.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "briefwerk/mailauth/dmarc_record.hpp"
#include "briefwerk/mailauth/spf.hpp"

namespace briefwerk::apps::ctl {
namespace {

using base::dns_type;

// "v=spf1 …" and "v=DMARC1; …": what tells one kind of TXT record from another.
std::string_view version_of(std::string_view text) { return text.substr(0, text.find_first_of("; ")); }

class checker {
 public:
  checker(const config& conf, std::string domain, base::resolver& names)
      : conf_(conf), domain_(std::move(domain)), names_(names) {}

  // Adds "status" (published, missing, different, unknown) and "found" to the row of a record.
  void check(const zone_record& record, json& row) {
    const base::dns_answer answer = base::sync_wait(names_.query(record.name, record.type));
    row["found"] = json::array();
    if (answer.status == base::dns_status::failed) {
      row["status"] = "unknown";
      return;
    }
    std::vector<std::string> found;
    for (const auto& one : answer.records) {
      std::string value = value_of(one);
      const bool other_kind = record.type == dns_type::txt && version_of(value) != version_of(record.value);
      if (!other_kind) found.push_back(std::move(value));
    }
    row["found"] = found;
    row["status"] = found.empty() ? "missing" : fits(record, found) ? "published" : "different";
  }

 private:
  bool fits(const zone_record& record, const std::vector<std::string>& found) {
    const bool same =
        std::ranges::any_of(found, [&](const auto& one) { return mail::equals_ignoring_case(one, record.value); });
    switch (record.type) {
      case dns_type::txt:
        // Two records of one kind are an error in each of them (RFC 7208 §4.5, RFC 7489 §6.6.3, RFC 8461 §3.1).
        return found.size() == 1 && (found.front() == record.value || is_as_good(record, found.front()));
      case dns_type::mx:
      case dns_type::srv:
        return std::ranges::any_of(found,
                                   [&](const auto& one) { return behind_number(one) == behind_number(record.value); });
      default:
        return same;
    }
  }

  // MX without its preference, SRV without priority and weight.
  static std::string behind_number(const std::string& value) {
    const auto words = std::ranges::count(value, ' ');
    std::size_t from = 0;
    for (auto skip = words == 1 ? 1 : 2; skip > 0; --skip) from = value.find(' ', from) + 1;
    std::string rest = value.substr(from);
    std::ranges::transform(rest, rest.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return rest;
  }

  // What an administrator may have chosen otherwise, and works.
  bool is_as_good(const zone_record& record, const std::string& text) {
    const std::string_view version = version_of(record.value);
    if (version == "v=DKIM1") {
      const auto wanted = mailauth::parse_dkim_key_record(record.value), there = mailauth::parse_dkim_key_record(text);
      return wanted && there && wanted->kind == there->kind && wanted->octets == there->octets && there->sha256;
    }
    if (version == "v=DMARC1") return mailauth::dmarc::parse_record(text).has_value();
    if (version == "v=spf1") return passes_for_us(record.name);
    return version == "v=STSv1" || (version == "v=TLSRPTv1" && text.find("rua=") != std::string::npos);
  }

  bool passes_for_us(const std::string& name) {
    const std::vector<base::ip_address> addresses = source_addresses(conf_);
    return !addresses.empty() && std::ranges::all_of(addresses, [&](const base::ip_address& ip) {
      const mailauth::spf::request about{
          .ip = ip, .helo = conf_.hostname, .sender = "postmaster@" + name, .receiver = conf_.hostname};
      return base::sync_wait(mailauth::spf::check_mail_from(names_, about)).result == mailauth::outcome::pass;
    });
  }

  const config& conf_;
  const std::string domain_;
  base::resolver& names_;
};

json row_of(const zone_record& record) {
  return {
      {"name", record.name}, {"type", base::dns_type_name(record.type)}, {"value", record.value}, {"purpose", record.purpose}};
}

void print_zone(const domain_records& all) {
  for (const zone_record& one : all.records) std::printf("; %s\n%s", one.purpose.c_str(), zone_line(one).c_str());
  for (const zone_record& one : all.elsewhere)
    std::printf("; in another zone: %s\n; %s", one.purpose.c_str(), zone_line(one).c_str());
  for (const std::string& note : all.notes) std::printf("; %s\n", note.c_str());
}

void run_dns(const session& with, const std::string& name, bool check, const std::string& server) {
  const apps::config conf = with.load();
  const auto domain = mail::domain_to_ascii(name);
  if (!domain || !mail::is_domain(*domain)) throw failure(name + " is no domain name");
  const json keys = with.connected(conf)->ask({{"command", "dkim.list"}, {"domain", *domain}});
  const auto crypto = crypto::make_boringssl();
  const domain_records all = records_for(*domain, conf, keys, *crypto);

  json answer = {{"domain", *domain}, {"records", json::array()}, {"notes", all.notes}};
  std::string zone;
  for (const zone_record& one : all.records) zone += zone_line(one);
  answer["zone"] = zone;
  if (!check) {
    for (const auto* list : {&all.records, &all.elsewhere})
      for (const zone_record& one : *list) answer["records"].push_back(row_of(one));
    if (with.as_json)
      print_json(answer);
    else
      print_zone(all);
    return;
  }
  lookups dns(server.empty() ? conf.delivery.dns_servers : std::vector{lookups::server(server)});
  checker checks(conf, *domain, dns.names());
  std::size_t wrong = 0;
  for (const auto* list : {&all.records, &all.elsewhere}) {
    for (const zone_record& one : *list) {
      json row = row_of(one);
      checks.check(one, row);
      wrong += row["status"] != "published";
      answer["records"].push_back(std::move(row));
    }
  }
  if (with.as_json)
    print_json(answer);
  else
    print_table(answer["records"], {"status", "type", "name", "purpose", "found"});
  if (wrong != 0)
    throw failure(std::to_string(wrong) + " of " + std::to_string(answer["records"].size()) +
                  " records are not published as they should be");
}

}  // namespace

void add_dns(CLI::App& app, session& with) {
  auto* command = app.add_subcommand("dns", "The DNS records that a domain has to publish, as part of a zone file");
  auto domain = std::make_shared<std::string>(), server = std::make_shared<std::string>();
  auto check = std::make_shared<bool>(false);
  command->add_option("domain", *domain)->required();
  command->add_flag("--check", *check, "Compare them with what is published");
  command->add_option("--dns", *server, "Name server to ask, as 192.0.2.53:53; default: as configured");
  command->callback([=, &with] { run_dns(with, *domain, *check, *server); });
}

}  // namespace briefwerk::apps::ctl
