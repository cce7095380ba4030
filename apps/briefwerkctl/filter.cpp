#include <algorithm>
#include <memory>

#include "apps/briefwerkctl/mail_files.hpp"
#include "apps/briefwerkctl/session.hpp"
#include "briefwerk/base/encoding.hpp"

namespace briefwerk::apps::ctl {
namespace {

struct trial {
  std::vector<std::string> files, recipients;
  std::string address = "127.0.0.1", hello, sender, login;
};

// What a filter wrote may hold anything; the terminal gets none of it that it would obey.
std::string on_one_line(std::string text) {
  std::ranges::replace_if(text, [](char c) { return (c >= 0 && c < 0x20) || c == 0x7f; }, ' ');
  return text;
}

void print(const std::string& file, const json& answer) {
  json rows = answer.at("stages");
  for (json& one : rows) {
    std::string notes;
    for (const char* flag : {"dry_run", "failed", "timed_out"}) {
      if (one.at(flag).get<bool>()) notes += (notes.empty() ? "" : " ") + std::string(flag);
    }
    one["notes"] = notes;
  }
  const json& sum = answer.at("verdict");
  std::printf("%s: %s, score %.1f%s%s\n", file.c_str(), sum.at("action").get<std::string>().c_str(), sum.at("score").get<double>(),
              sum.at("reason").get<std::string>().empty() ? "" : ", ", sum.at("reason").get<std::string>().c_str());
  print_table(rows, {"hook", "stage", "action", "score", "took_us", "notes", "reason"});
  for (const json& one : rows) {
    for (const json& edit : one.at("edits")) {
      std::printf("%s: %s\n", one.at("stage").get<std::string>().c_str(), on_one_line(edit.get<std::string>()).c_str());
    }
  }
}

void test(const session& with, const trial& what) {
  auto server = with.connected();
  json all = json::array();
  for (const std::string& file : what.files) {
    json answer = server->ask({{"command", "filter.test"},
                               {"octets", base::base64_encode(read_message_file(file))},
                               {"address", what.address},
                               {"hello", what.hello},
                               {"sender", what.sender},
                               {"recipients", what.recipients},
                               {"login", what.login}});
    answer["file"] = file;
    if (with.as_json) all.push_back(std::move(answer));
    else print(file, answer);
  }
  if (with.as_json) print_json({{"files", std::move(all)}});
}

std::string one_line(const json& recipients) {
  std::string out;
  for (const auto& one : recipients) out += (out.empty() ? "" : ", ") + one.get<std::string>();
  return out;
}

}  // namespace

void add_filter(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("filter", "Which mail is wanted")->require_subcommand(1);
  auto* command = group->add_subcommand("test", "Explain what each stage thinks of messages; nothing is counted or kept");
  auto what = std::make_shared<trial>();
  command->add_option("files", what->files, "Messages as they arrive")->required();
  command->add_option("--address", what->address, "Of the client; 127.0.0.1 where not given");
  command->add_option("--hello", what->hello, "What it says in EHLO");
  command->add_option("--from", what->sender, "Envelope sender; without it the null sender");
  command->add_option("--to", what->recipients, "Envelope recipient; may be repeated");
  command->add_option("--login", what->login, "Who logged in: mail from a user, not from another server");
  command->callback([&with, what] { test(with, *what); });
}

void add_quarantine(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("quarantine", "Mail that is kept apart")->require_subcommand(1);
  auto id = std::make_shared<std::string>();
  auto* list = group->add_subcommand("list", "Show it");
  list->callback([&with] {
    json all = {{"items", json::array()}};
    std::string after;
    for (auto server = with.connected();;) {
      const json page = server->ask({{"command", "quarantine.list"}, {"after", after}});
      if (page.at("items").empty()) break;
      after = page.at("after").get<std::string>();
      for (const auto& item : page["items"]) all["items"].push_back(item);
    }
    for (auto& item : all["items"]) {
      if (!with.as_json) item["to"] = one_line(item.at("recipients"));
    }
    with.show(all, "items", {"id", "sender", "to", "size", "reason"});
  });
  auto* show = group->add_subcommand("show", "One message with its envelope; its octets end at one MiB");
  auto* release = group->add_subcommand("release", "Deliver it after all");
  auto* remove = group->add_subcommand("delete", "Remove it; nobody is told");
  for (auto* command : {show, release, remove}) command->add_option("id", *id)->required();
  show->callback([&with, id] {
    json item = with.ask({{"command", "quarantine.show"}, {"id", *id}}).at("item");
    if (with.as_json) return print_json(item);
    const auto octets = base::base64_decode(item.at("octets").get<std::string>());
    item.erase("octets");
    print_json(item);
    if (octets) std::fwrite(octets->data(), 1, octets->size(), stdout);
  });
  release->callback([&with, id] {
    with.said(with.ask({{"command", "quarantine.release"}, {"id", *id}}), *id + " is on its way");
  });
  remove->callback([&with, id] { with.said(with.ask({{"command", "quarantine.delete"}, {"id", *id}}), *id + " is gone"); });
}

}  // namespace briefwerk::apps::ctl
