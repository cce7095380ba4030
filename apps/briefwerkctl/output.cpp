#include "apps/briefwerkctl/output.hpp"

#include <algorithm>
#include <cstdio>
#include <string>

namespace briefwerk::apps::ctl {
namespace {

std::string cell(const json& row, const char* column) {
  const auto found = row.find(column);
  if (found == row.end() || found->is_null()) return "-";
  if (found->is_array()) {
    std::string joined;
    for (const auto& one : *found) joined += (joined.empty() ? "" : ", ") + (one.is_string() ? one.get<std::string>() : one.dump());
    return joined;
  }
  if (found->is_boolean()) return found->get<bool>() ? "yes" : "no";
  std::string text = found->is_string() ? found->get<std::string>() : found->dump();
  return text.empty() ? "-" : text;
}

// Characters, not octets; combining marks and wide characters are let be.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void print_json(const json& value) { std::printf("%s\n", value.dump(2, ' ', false, json::error_handler_t::replace).c_str()); }

void print_table(const json& rows, const std::vector<const char*>& columns) {
  std::vector<std::vector<std::string>> lines;
  std::vector<std::string> head(columns.begin(), columns.end());
  lines.push_back(head);
  for (const auto& row : rows) {
    auto& line = lines.emplace_back();
    for (const char* column : columns) line.push_back(cell(row, column));
  }
  std::vector<std::size_t> widths(columns.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width(line[i]));
  }
  for (const auto& line : lines) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      out += line[i];
      if (i + 1 < line.size()) out.append(widths[i] - width(line[i]) + 2, ' ');
    }
    std::printf("%s\n", out.c_str());
  }
}

void print_status(const json& status) {
  std::printf("%s, %s domains, %s accounts, %s messages in the queue\n",
              status.at("running").get<bool>() ? "running" : "not running", status.at("domains").dump().c_str(),
              status.at("accounts").dump().c_str(), status.at("queue").dump().c_str());
  for (const json& one : status.at("certificates")) {
    std::printf("%s for %s ends at %s\n", one.at("file").get<std::string>().c_str(), cell(one, "names").c_str(),
                one.at("ends").get<std::string>().c_str());
  }
  for (const auto& [name, value] : status.at("counters").items()) std::printf("%-40s %s\n", name.c_str(), value.dump().c_str());
  for (const auto& [name, value] : status.at("latencies").items()) {
    std::printf("%-40s %s times, half within %s us, 99 %% within %s us\n", name.c_str(), value.at("count").dump().c_str(),
                value.at("p50_us").dump().c_str(), value.at("p99_us").dump().c_str());
  }
}

}  // namespace briefwerk::apps::ctl
