#include "apps/briefwerkctl/session.hpp"

namespace briefwerk::apps::ctl {

void add_index(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("index", "The full-text index")->require_subcommand(1);
  auto account = std::make_shared<std::string>();
  auto* status = group->add_subcommand("status", "How much of the mail is in it");
  auto* rebuild = group->add_subcommand("rebuild", "Erase it and build it anew, in the background");
  for (auto* command : {status, rebuild}) command->add_option("account", *account, "Of one account; without it all");
  status->callback([&with, account] {
    with.show(with.ask({{"command", "index.status"}, {"account", *account}}), "accounts", {"address", "messages", "indexed", "state"});
  });
  rebuild->callback([&with, account] {
    const json answer = with.ask({{"command", "index.rebuild"}, {"account", *account}});
    with.said(answer, answer.at("accounts").dump() + " indexes are built anew");
  });
}

}  // namespace briefwerk::apps::ctl
