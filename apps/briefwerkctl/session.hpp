#pragma once

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "apps/briefwerkctl/connection.hpp"
#include "apps/briefwerkctl/output.hpp"

namespace briefwerk::apps::ctl {

inline std::string explained(const std::vector<config_error>& errors) {
  std::string all;
  for (const auto& one : errors) all += (all.empty() ? "" : "; ") + one.path + (one.path.empty() ? "" : ": ") + one.text;
  return all;
}

// What the sub-commands share.
struct session {
  std::string config_file = "/etc/briefwerk/briefwerk.json";
  bool as_json = false;
  unsigned timeout = 30;  // seconds without a sign of life from the server; 0: no limit

  apps::config load() const {
    auto conf = apps::load_config(config_file);
    if (!conf) throw failure(config_file + ": " + explained(conf.error()));
    return std::move(*conf);
  }
  std::unique_ptr<connection> connected(const apps::config& conf) const { return connect(conf, std::chrono::seconds(timeout)); }
  std::unique_ptr<connection> connected() const { return connected(load()); }
  json ask(const json& request) const { return connected()->ask(request); }
  // Prints an answer: whole for programs, as a table of `rows` for people.
  void show(const json& answer, const char* rows, std::vector<const char*> columns) const {
    if (as_json) print_json(answer);
    else print_table(answer.at(rows), columns);
  }
  void said(const json& answer, const std::string& text) const {
    if (as_json) print_json(answer);
    else std::printf("%s\n", text.c_str());
  }
};

// Sub-commands of files of their own.
void add_index(CLI::App& app, session& with);
void add_filter(CLI::App& app, session& with);
void add_quarantine(CLI::App& app, session& with);
void add_spam(CLI::App& app, session& with);

}  // namespace briefwerk::apps::ctl
