#include "apps/briefwerkctl/dmarc.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/briefwerkctl/mail_files.hpp"
#include "apps/briefwerkctl/output.hpp"

namespace briefwerk::apps::ctl {
namespace {

namespace dmarc = mailauth::dmarc;

// RFC 3339, in UTC.
std::string date(std::chrono::sys_seconds when) {
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const std::chrono::year_month_day ymd(day);
  const std::chrono::hh_mm_ss time(when - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(ymd.year()),
                static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day()),
                static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
                static_cast<int>(time.seconds().count()));
  return text;
}

json counts(const dmarc::summary_counts& of) {
  return {{"messages", of.messages}, {"passed", of.passed},           {"dkim", of.dkim},
          {"spf", of.spf},           {"quarantined", of.quarantined}, {"rejected", of.rejected}};
}

// What a terminal could take for commands is not shown.
std::string shown(std::string text) {
  std::ranges::replace_if(text, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }, '?');
  return text;
}
std::string joined(const json& texts) {
  std::string out;
  for (const auto& one : texts) out += (out.empty() ? "" : ", ") + shown(one.get<std::string>());
  return out;
}

json unreadable_json(const std::vector<std::pair<std::string, std::string>>& all) {
  json out = json::array();
  for (const auto& [name, reason] : all) out.push_back({{"name", name}, {"reason", reason}});
  return out;
}

void print_unreadable(const json& from) {
  for (const auto& one : from.at("unreadable"))
    std::fprintf(stderr, "briefwerkctl: %s: %s\n", shown(one.at("name").get<std::string>()).c_str(),
                 one.at("reason").get<std::string>().c_str());
}

std::string policy_text(const dmarc::published_policy& of) {
  return of.p ? std::string(to_string(*of.p)) : std::string();
}

}  // namespace

void report_reader::take(const base::result<std::vector<dmarc::report>>& found, const std::string& name,
                         bool must_hold) {
  if (found) {
    reports_.insert(reports_.end(), found->begin(), found->end());
    return;
  }
  if (found.error() == base::errc::not_found && !must_hold) return;
  unreadable_.emplace_back(name, found.error() == base::errc::not_found ? "no report in it" : found.error().message());
}

void report_reader::read_path(const std::string& path) {
  const auto read_folder = [&] {
    std::size_t number = 0;
    read_mail(path, [&](filed_message one) {
      take(dmarc::read_reports(one.octets), path + ", message " + std::to_string(++number), false);
    });
  };
  if (std::filesystem::is_directory(path)) return read_folder();
  const std::string octets = read_whole(path);
  if (octets.starts_with("From ")) return read_folder();
  take(dmarc::read_reports(octets), path, true);
}

void report_reader::read_message(std::string_view octets, const std::string& name) {
  take(dmarc::read_reports(octets), name, false);
}

json report_reader::summary() const {
  json domains = json::array();
  for (const auto& one : dmarc::summarise(reports_)) {
    json sources = json::array();
    for (const auto& source : one.sources) {
      json row = counts(source.counts);
      row["source"] = source.source_ip;
      row["header_from"] = source.header_from;
      sources.push_back(std::move(row));
    }
    json row = counts(one.counts);
    row["domain"] = one.domain;
    row["reports"] = one.reports;
    row["reporters"] = one.reporters;
    row["begin"] = date(one.begin);
    row["end"] = date(one.end);
    row["sources"] = std::move(sources);
    domains.push_back(std::move(row));
  }
  return {{"domains", std::move(domains)}, {"unreadable", unreadable_json(unreadable_)}};
}

json report_reader::list() const {
  json rows = json::array();
  for (const auto& one : reports_) {
    std::uint64_t messages = 0;
    for (const auto& row : one.rows) messages += row.count;
    rows.push_back({{"domain", one.published.domain},
                    {"reporter", one.metadata.org_name},
                    {"id", one.metadata.report_id},
                    {"begin", date(one.metadata.begin)},
                    {"end", date(one.metadata.end)},
                    {"policy", policy_text(one.published)},
                    {"rows", one.rows.size()},
                    {"messages", messages}});
  }
  return {{"reports", std::move(rows)}, {"unreadable", unreadable_json(unreadable_)}};
}

void print_report_summary(const json& summary) {
  for (const auto& one : summary.at("domains")) {
    const auto number = [&](const char* name) { return one.at(name).dump(); };
    std::printf("%s: %s reports from %s to %s, by %s\n", shown(one.at("domain").get<std::string>()).c_str(),
                number("reports").c_str(), one.at("begin").get<std::string>().c_str(),
                one.at("end").get<std::string>().c_str(), joined(one.at("reporters")).c_str());
    std::printf("%s messages, %s passed (%s by DKIM, %s by SPF), %s quarantined, %s rejected\n",
                number("messages").c_str(), number("passed").c_str(), number("dkim").c_str(), number("spf").c_str(),
                number("quarantined").c_str(), number("rejected").c_str());
    json rows = one.at("sources");
    for (auto& row : rows) {
      row["source"] = shown(row.at("source").get<std::string>());
      row["header_from"] = joined(row.at("header_from"));
    }
    print_table(rows, {"source", "messages", "passed", "dkim", "spf", "quarantined", "rejected", "header_from"});
    std::printf("\n");
  }
  print_unreadable(summary);
}

void print_report_list(const json& list) {
  json rows = list.at("reports");
  for (auto& row : rows) {
    for (const auto* name : {"domain", "reporter", "id"}) row[name] = shown(row.at(name).get<std::string>());
  }
  print_table(rows, {"domain", "reporter", "id", "begin", "end", "policy", "rows", "messages"});
  print_unreadable(list);
}

}  // namespace briefwerk::apps::ctl
