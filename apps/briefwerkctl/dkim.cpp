#include <memory>

#include "apps/briefwerkctl/authentication_commands.hpp"
#include "apps/briefwerkctl/zone.hpp"

namespace briefwerk::apps::ctl {
namespace {

// Records to publish, where there are any; else the states.
void print_keys(const session& with, const json& answer, bool with_records) {
  if (with.as_json) return print_json(answer);
  const json& keys = answer.at("keys");
  const bool checked = !keys.empty() && keys.front().contains("dns");
  std::vector<const char*> columns{"domain", "selector", "kind", "state", "since", "until"};
  if (checked) columns.push_back("dns");
  print_table(keys, columns);
  if (!with_records) return;
  for (const json& key : keys) {
    if (key.at("state") != "pending") continue;
    std::printf("\n%s", zone_line({.name = key.at("name").get<std::string>(),
                                   .type = base::dns_type::txt,
                                   .value = key.at("record").get<std::string>()})
                            .c_str());
  }
}

void explain_activation(const session& with, const json& answer) {
  print_keys(with, answer, false);
  for (const json& key : answer.at("keys")) {
    if (key.at("state") == "active") continue;
    throw failure("not every key is in use: DNS does not show it (yet); --force uses it all the same");
  }
}

}  // namespace

void add_dkim(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("dkim", "Keys that outgoing mail is signed with")->require_subcommand(1);
  auto domain = std::make_shared<std::string>(), selector = std::make_shared<std::string>(),
       kind = std::make_shared<std::string>("both");
  auto flag = std::make_shared<bool>(false);

  auto* generate = group->add_subcommand("generate", "Make new keys: pending, until DNS shows them");
  generate->add_option("domain", *domain)->required();
  generate->add_option("--kind", *kind, "rsa, ed25519 or both")->check(CLI::IsMember({"rsa", "ed25519", "both"}));
  generate->add_option("--selector", *selector, "Name of the key in DNS; default: the day and the kind");
  generate->callback([=, &with] {
    print_keys(with,
               with.ask({{"command", "dkim.generate"}, {"domain", *domain}, {"kind", *kind}, {"selector", *selector}}),
               true);
  });

  auto* list = group->add_subcommand("list", "Show the keys and their states");
  list->add_option("domain", *domain, "Of one domain; without it all");
  list->callback([=, &with] { print_keys(with, with.ask({{"command", "dkim.list"}, {"domain", *domain}}), false); });

  auto* check = group->add_subcommand("check", "Compare the keys with what DNS shows");
  check->add_option("domain", *domain)->required();
  check->callback([=, &with] {
    const json answer = with.ask({{"command", "dkim.check"}, {"domain", *domain}});
    print_keys(with, answer, false);
    for (const json& key : answer.at("keys")) {
      if (key.at("state") != "retired" && key.at("dns") != "published") throw failure("DNS does not show all keys");
    }
  });

  auto* activate =
      group->add_subcommand("activate", "Use pending keys that DNS shows; older ones of their kind retire");
  activate->add_option("domain", *domain)->required();
  activate->add_option("selector", *selector, "Of one key; without it all pending ones");
  activate->add_flag("--force", *flag, "Whatever DNS shows");
  activate->callback([=, &with] {
    explain_activation(
        with, with.ask({{"command", "dkim.activate"}, {"domain", *domain}, {"selector", *selector}, {"force", *flag}}));
  });

  auto* rotate = group->add_subcommand(
      "rotate", "Next step of a change of keys: make successors, or use them once DNS shows them");
  rotate->add_option("domain", *domain)->required();
  rotate->callback([=, &with] { print_keys(with, with.ask({{"command", "dkim.rotate"}, {"domain", *domain}}), true); });

  auto* retire = group->add_subcommand("retire", "Sign no more with a key; it stays published for the overlap");
  retire->add_option("domain", *domain)->required();
  retire->add_option("selector", *selector)->required();
  retire->add_flag("--now", *flag, "Without an overlap, for instance after a theft: mail under way fails its check");
  retire->callback([=, &with] {
    print_keys(with,
               with.ask({{"command", "dkim.retire"}, {"domain", *domain}, {"selector", *selector}, {"now", *flag}}),
               false);
  });
}

}  // namespace briefwerk::apps::ctl
