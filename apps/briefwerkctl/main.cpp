#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>

#include "apps/briefwerkctl/authentication_commands.hpp"
#include "apps/briefwerkctl/ban.hpp"
#include "apps/briefwerkctl/dmarc.hpp"
#include "apps/briefwerkctl/init.hpp"
#include "apps/briefwerkctl/mail_files.hpp"
#include "apps/briefwerkctl/mailbox.hpp"
#include "apps/briefwerkctl/session.hpp"
#include "briefwerk/base/random_id.hpp"
#include "briefwerk/crypto/boringssl.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::apps::ctl;

struct password_source {
  std::string file;
  bool generate = false;
};

std::string read_hidden(const char* prompt) {
  std::fputs(prompt, stderr);
  termios before{};
  const bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
  if (terminal) {
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::string line;
  std::getline(std::cin, line);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
    std::fputs("\n", stderr);
  }
  return line;
}

// Never from the command line: other users of the machine would see it.
std::string get_password(const password_source& from, bool& generated) {
  generated = from.generate;
  if (from.generate) return base::random_id(*crypto::make_boringssl(), 15);
  std::string password;
  if (from.file.empty() && ::isatty(STDIN_FILENO)) {
    password = read_hidden("Password: ");
    if (password != read_hidden("Again: ")) throw failure("the two passwords differ");
  } else if (from.file.empty() || from.file == "-") {
    std::getline(std::cin, password);
  } else {
    password = read_whole(from.file);
    password.resize(std::min(password.find('\n'), password.size()));
  }
  if (password.empty()) throw failure("the password is empty");
  return password;
}

void add_init(CLI::App& app, session& with) {
  auto* command = app.add_subcommand("init", "Write a configuration, and a certificate where none is given");
  auto options = std::make_shared<init_options>();
  command->add_option("--hostname", options->hostname, "The server's own name, as in its MX record")->required();
  command->add_option("--data", options->data, "Folder of all mail")->default_str("/var/lib/briefwerk");
  command->add_option("--listen", options->listen, "Address to listen on, [::1] style for IPv6; may be repeated");
  command->add_option("--port-offset", options->port_offset, "Added to the standard ports, for a trial without root")
      ->check(CLI::Range(0, 64542));
  command->add_option("--user", options->user, "User to become after the ports are bound");
  auto* certificate = command->add_option("--certificate", options->certificate, "PEM file of a certificate that exists");
  certificate->needs(command->add_option("--key", options->key, "PEM file of its key")->needs(certificate));
  command->callback([&with, options] {
    options->config_file = with.config_file;
    if (options->data.empty()) options->data = "/var/lib/briefwerk";
    const json done = init(*options);
    with.said(done, "wrote " + with.config_file);
  });
}

void add_domain(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("domain", "Domains whose mail is taken")->require_subcommand(1);
  auto name = std::make_shared<std::string>();
  auto catch_all = std::make_shared<std::string>();
  auto separator = std::make_shared<std::string>();
  auto* add = group->add_subcommand("add", "Serve a domain, or change how; what is not named stays as it is");
  add->add_option("name", *name)->required();
  auto* catch_all_option = add->add_option("--catch-all", *catch_all, "Address that takes what nobody else has; \"\" for none");
  auto* separator_option = add->add_option("--separator", *separator, "Between a user and a detail (user+detail@…), + at first; \"\" for none");
  add->callback([=, &with] {
    json request = {{"command", "domain.add"}, {"name", *name}};
    if (*catch_all_option) request["catch_all"] = *catch_all;
    if (*separator_option) request["separator"] = *separator;
    with.said(with.ask(request), "domain " + *name + " is served");
  });
  group->add_subcommand("list", "Show them")->callback([&with] {
    with.show(with.ask({{"command", "domain.list"}}), "domains", {"name", "catch_all", "separator"});
  });
  auto* remove = group->add_subcommand("delete", "Serve it no longer; refused while it has accounts");
  remove->add_option("name", *name)->required();
  remove->callback([&with, name] {
    with.said(with.ask({{"command", "domain.delete"}, {"name", *name}}), "domain " + *name + " is gone");
  });
}

void add_password_options(CLI::App* command, password_source& source) {
  command->add_option("--password-file", source.file, "First line of this file; - for standard input");
  command->add_flag("--generate", source.generate, "Make a random password and print it")->excludes("--password-file");
}

CLI::Option* add_quota(CLI::App* command, std::uint64_t& octets) {
  return command->add_option("--quota", octets, "Octets, or 500M, 2G (powers of 1024); 0: none")
      ->transform(CLI::AsSizeValue(false))
      ->transform(CLI::Validator([](std::string& text) { return std::string(text.starts_with('-') ? "must not be negative" : ""); }, ""));
}

void add_account(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("account", "Users")->require_subcommand(1);
  auto address = std::make_shared<std::string>();
  auto scheme = std::make_shared<std::string>("scram");
  auto source = std::make_shared<password_source>();
  auto quota = std::make_shared<std::uint64_t>(0);
  auto send_as = std::make_shared<std::vector<std::string>>();
  const auto with_password = [&with, address, scheme, source](json request) {
    bool generated = false;
    const std::string password = get_password(*source, generated);
    request["address"] = *address;
    request["password"] = password;
    request["scheme"] = *scheme;
    json answer = with.ask(request);
    if (generated) answer["password"] = password;
    with.said(answer, *address + (generated ? " has the password " + password : " is ready"));
  };
  auto* add = group->add_subcommand("add", "Make an account with its mailboxes");
  auto* password = group->add_subcommand("password", "Set another password");
  for (auto* command : {add, password}) {
    command->add_option("address", *address)->required();
    command->add_option("--scheme", *scheme, "scram (default), or plain: kept as it is, for CRAM-MD5")
        ->check(CLI::IsMember({"scram", "plain"}));
    add_password_options(command, *source);
  }
  add_quota(add, *quota);
  add->callback([with_password, quota] { with_password({{"command", "account.add"}, {"quota_octets", *quota}}); });
  password->callback([with_password] { with_password({{"command", "account.change"}}); });

  auto* change = group->add_subcommand("change", "Quota, rights, enabled or not");
  change->add_option("address", *address)->required();
  auto* quota_option = add_quota(change, *quota);
  auto* send_as_option = change->add_option("--send-as", *send_as, "Further address, or @domain, that it may send as; replaces the list");
  auto* enable = change->add_flag("--enable")->description("Logins are taken");
  auto* disable = change->add_flag("--disable")->description("Logins are refused, mail is still taken")->excludes(enable);
  change->callback([=, &with] {
    json request = {{"command", "account.change"}, {"address", *address}};
    if (!*quota_option && !*send_as_option && !*enable && !*disable) throw failure("nothing is to be changed: see --help");
    if (*quota_option) request["quota_octets"] = *quota;
    if (*send_as_option) request["send_as"] = *send_as;
    if (*enable || *disable) request["enabled"] = static_cast<bool>(*enable);
    with.said(with.ask(request), *address + " is changed");
  });
  group->add_subcommand("list", "Show them")->callback([&with] {
    with.show(with.ask({{"command", "account.list"}}), "accounts", {"address", "enabled", "messages", "octets", "quota_octets"});
  });
  add_account_export(*group, with);
  auto* remove = group->add_subcommand("delete", "Erase an account and all its mail");
  remove->add_option("address", *address)->required();
  remove->callback([&with, address] {
    const json answer = with.ask({{"command", "account.delete"}, {"address", *address}});
    std::string text = *address + " and its mail are gone";
    for (const json& one : answer.at("aliases")) text += "\nthe alias " + one.get<std::string>() + " still names it";
    with.said(answer, text);
  });
}

void add_alias(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("alias", "Addresses that lead to others")->require_subcommand(1);
  auto address = std::make_shared<std::string>();
  auto targets = std::make_shared<std::vector<std::string>>();
  auto* add = group->add_subcommand("add", "Make an alias, or give it other targets");
  add->add_option("address", *address)->required();
  add->add_option("targets", *targets)->required();
  add->callback([&with, address, targets] {
    with.said(with.ask({{"command", "alias.add"}, {"address", *address}, {"targets", *targets}}), "alias " + *address + " is set");
  });
  group->add_subcommand("list", "Show them")->callback([&with] {
    with.show(with.ask({{"command", "alias.list"}}), "aliases", {"address", "targets"});
  });
  auto* remove = group->add_subcommand("delete", "Remove an alias");
  remove->add_option("address", *address)->required();
  remove->callback([&with, address] {
    with.said(with.ask({{"command", "alias.delete"}, {"address", *address}}), "alias " + *address + " is gone");
  });
}

void add_queue(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("queue", "Mail that waits to be sent")->require_subcommand(1);
  auto id = std::make_shared<std::string>();
  group->add_subcommand("list", "Show it")->callback([&with] {
    json all = {{"items", json::array()}};
    std::string after;
    for (auto server = with.connected();;) {
      const json page = server->ask({{"command", "queue.list"}, {"after", after}});
      if (page.at("items").empty()) break;
      after = page["items"].back().at("id").get<std::string>();
      for (const auto& item : page["items"]) all["items"].push_back(item);
    }
    for (auto& item : all["items"]) {
      if (with.as_json) break;
      item["to"] = item.at("recipients").empty() ? std::string() : item["recipients"][0].at("address").get<std::string>();
      item["last_reply"] = item.at("recipients").empty() ? std::string() : item["recipients"][0].at("last_reply").get<std::string>();
    }
    with.show(all, "items", {"id", "sender", "to", "size", "attempts", "next_attempt", "last_reply"});
  });
  auto* show = group->add_subcommand("show", "All about one message");
  show->add_option("id", *id)->required();
  show->callback([&with, id] { print_json(with.ask({{"command", "queue.show"}, {"id", *id}}).at("item")); });
  auto* retry = group->add_subcommand("retry", "Try one message, or all, now");
  retry->add_option("id", *id, "Of one message; without it all");
  retry->callback([&with, id] {
    json request = {{"command", "queue.retry"}};
    if (!id->empty()) request["id"] = *id;
    const json answer = with.ask(request);
    with.said(answer, answer.at("items").dump() + " due now");
  });
  auto* remove = group->add_subcommand("delete", "Forget a message; nobody is told");
  remove->add_option("id", *id)->required();
  remove->callback([&with, id] { with.said(with.ask({{"command", "queue.delete"}, {"id", *id}}), *id + " is gone"); });
}

void add_ban(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("ban", "Addresses that may not connect")->require_subcommand(1);
  auto network = std::make_shared<std::string>();
  auto duration = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  group->add_subcommand("list", "Show the bans, the next to end first")->callback([&with] {
    const json answer = with.ask({{"command", "ban.list"}});
    if (with.as_json) print_json(answer);
    else print_bans(answer);
  });
  auto* add = group->add_subcommand("add", "Ban an address or a network at once");
  add->add_option("network", *network, "192.0.2.1, 192.0.2.0/24, 2001:db8::/48")->required();
  add->add_option("--for", *duration, "30s, 10m, 2h, 7d or a sum of them like 1d12h; without it until it is removed");
  add->add_option("--reason", *reason, "For those who look at the list");
  add->callback([=, &with] {
    json request = {{"command", "ban.add"}, {"network", *network}, {"reason", *reason}};
    if (!duration->empty()) request["seconds"] = parse_duration(*duration);
    const json answer = with.ask(request);
    with.said(answer, answer.at("network").get<std::string>() + " is banned");
  });
  auto* remove = group->add_subcommand("remove", "Lift the bans of an address or network, and forget what was counted");
  remove->add_option("network", *network)->required();
  remove->callback([=, &with] {
    const json answer = with.ask({{"command", "ban.remove"}, {"network", *network}});
    std::string text = answer.at("network").get<std::string>() + " is free";
    if (answer.contains("still_banned_by")) text = "a ban is gone, but " + answer["still_banned_by"].get<std::string>() + " is banned too";
    with.said(answer, text);
  });
  auto* explain = group->add_subcommand("explain", "What counts for an address, until when, and by which rule");
  explain->add_option("address", *network)->required();
  explain->callback([=, &with] {
    const json answer = with.ask({{"command", "ban.explain"}, {"address", *network}});
    if (with.as_json) print_json(answer);
    else print_explanation(answer);
  });
  auto* out = group->add_subcommand("export", "Print the bans for a packet filter");
  out->add_flag("--nft")->description("As text for nft -f -, which replaces the table briefwerk")->required();
  out->callback([&with] {
    const json answer = with.ask({{"command", "ban.export"}});
    if (with.as_json) print_json(answer);
    else print_text(answer.at("nft").get<std::string>());
  });
}

void add_dmarc(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("dmarc", "DMARC aggregate reports that others sent")->require_subcommand(1);
  auto paths = std::make_shared<std::vector<std::string>>();
  auto account = std::make_shared<std::string>();
  auto mailbox = std::make_shared<std::string>("INBOX");
  const auto read = [=, &with] {
    if (paths->empty() == account->empty()) throw failure("give files, or --account");
    report_reader reports;
    for (const auto& path : *paths) reports.read_path(path);
    std::uint64_t number = 0;
    if (!account->empty())
      each_message(with, *account, *mailbox, [&](const json&, std::string octets) {
        reports.read_message(octets, *account + ", " + *mailbox + ", message " + std::to_string(++number));
      });
    return reports;
  };
  auto* report = group->add_subcommand("report", "What they say, by domain and source");
  auto* list = group->add_subcommand("list", "Which there are");
  for (auto* command : {report, list}) {
    command->add_option("files", *paths, "XML, gzip, zip, messages, mbox files, Maildirs");
    auto* of = command->add_option("--account", *account, "Messages of this account instead");
    command->add_option("--mailbox", *mailbox, "Name of its mailbox")->needs(of);
  }
  const auto show = [&with](const report_reader& reports, const json& what, void (*print)(const json&)) {
    if (with.as_json) print_json(what);
    else print(what);
    if (reports.unreadable() != 0) throw failure(std::to_string(reports.unreadable()) + " could not be read");
  };
  report->callback([=] {
    const auto reports = read();
    show(reports, reports.summary(), print_report_summary);
  });
  list->callback([=] {
    const auto reports = read();
    show(reports, reports.list(), print_report_list);
  });
}

void add_status(CLI::App& app, session& with) {
  app.add_subcommand("status", "What the server does, in figures")->callback([&with] {
    const json answer = with.ask({{"command", "status"}});
    if (with.as_json) print_json(answer);
    else print_status(answer);
  });
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("briefwerkctl: administration of briefwerkd. Speaks to the running server, or works on its data where none runs.");
  session with;
  app.add_option("--config", with.config_file, "Configuration of the server")->envname("BRIEFWERK_CONFIG");
  app.add_flag("--json", with.as_json, "Answer in JSON, for programs");
  app.add_option("--timeout", with.timeout, "Give up (exit code 2) when the server is silent for so many seconds, while it works it is not; 0: never")
      ->capture_default_str()
      ->check(CLI::Range(0, 86400));
  app.set_version_flag("--version", "briefwerkctl " BRIEFWERK_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  add_init(app, with);
  add_domain(app, with);
  add_account(app, with);
  add_alias(app, with);
  add_queue(app, with);
  add_quarantine(app, with);
  add_mailbox(app, with);
  add_index(app, with);
  add_ban(app, with);
  add_dmarc(app, with);
  add_filter(app, with);
  add_spam(app, with);
  add_dkim(app, with);
  add_dns(app, with);
  add_verify(app, with);
  add_status(app, with);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& wrong) {  // --help is one
    return app.exit(wrong) == 0 ? 0 : 2;
  } catch (const no_answer& why) {
    std::fprintf(stderr, "briefwerkctl: %s\n", why.what());
    return 2;
  } catch (const std::exception& why) {
    std::fprintf(stderr, "briefwerkctl: %s\n", why.what());
    return 1;
  }
  return 0;
}
