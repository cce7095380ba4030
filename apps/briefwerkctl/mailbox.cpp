#include "apps/briefwerkctl/mailbox.hpp"

#include <cstdio>
#include <filesystem>

#include "apps/briefwerkctl/mail_files.hpp"
#include "briefwerk/base/encoding.hpp"
#include "briefwerk/net/certificate.hpp"

namespace briefwerk::apps::ctl {

std::uint64_t each_message(const session& with, const std::string& account, const std::string& mailbox,
                           const std::function<void(const json& answer, std::string octets)>& use) {
  auto server = with.connected();
  std::uint64_t after = 0, damaged = 0;
  for (bool more = true; more;) {
    const json page = server->ask({{"command", "mailbox.export"}, {"account", account}, {"mailbox", mailbox}, {"after", after}});
    for (const auto& message : page.at("messages")) {
      auto octets = base::base64_decode(message.at("octets").get<std::string>());
      if (!octets) throw failure("a message did not arrive whole");
      use(message, std::move(*octets));
    }
    for (const auto& one : page.at("damaged")) {
      ++damaged;
      std::fprintf(stderr, "briefwerkctl: message %s cannot be read: %s\n", one.at("uid").dump().c_str(),
                   one.at("reason").get<std::string>().c_str());
    }
    after = page.at("last").get<std::uint64_t>();
    more = page.at("more").get<bool>();
  }
  return damaged;
}

namespace {

struct exported {
  std::uint64_t messages = 0, damaged = 0;
};

exported write_mailbox(const session& with, const std::string& account, const std::string& mailbox, mail_writer& out) {
  exported done;
  done.damaged = each_message(with, account, mailbox, [&](const json& message, std::string octets) {
    out.write({std::move(octets), message.at("flags").get<std::vector<std::string>>(), message.at("date").get<std::int64_t>()});
    ++done.messages;
  });
  out.finish();
  return done;
}

void tell(const session& with, const exported& done) {
  with.said({{"messages", done.messages}, {"damaged", done.damaged}}, std::to_string(done.messages) + " messages exported");
  if (done.damaged) throw failure(std::to_string(done.damaged) + " messages were left out");
}

// Names of mailboxes are the user's: none of them leads elsewhere, and the number keeps them apart.
std::string file_name(std::size_t number, const std::string& mailbox) {
  std::string name = std::to_string(number) + "-";
  for (const char c : mailbox.substr(0, 60)) {
    const bool harmless = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
    name += harmless ? c : '_';
  }
  return name;
}

// All of a user's in a new folder: each mailbox, and account.json, which names them and tells the rest.
void export_account(const session& with, const std::string& account, const std::string& path, const std::string& format) {
  json boxes = with.ask({{"command", "mailbox.list"}, {"account", account}}).at("mailboxes");
  const json found = with.ask({{"command", "account.find"}, {"address", account}});
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::create_directory(path, error)) throw failure("cannot make " + path + ": " + (error ? error.message() : "it is there already"));
  fs::permissions(path, fs::perms::owner_all, error);
  exported sum;
  std::size_t number = 0;
  for (json& box : boxes) {
    if (!box.at("selectable").get<bool>()) continue;
    const std::string name = box.at("name").get<std::string>();
    box["file"] = file_name(++number, name) + (format == "mbox" ? ".mbox" : "");
    const std::string file = path + "/" + box["file"].get<std::string>();
    const auto out = format == "mbox" ? write_mbox(file) : write_maildir(file);
    const exported one = write_mailbox(with, account, name, *out);
    sum.messages += one.messages;
    sum.damaged += one.damaged;
  }
  const json about = {{"account", found.at("account")}, {"aliases", found.at("aliases")}, {"mailboxes", boxes}};
  const auto written = net::write_file(path + "/account.json", about.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
  if (!written) throw failure(written.error().text);
  tell(with, sum);
}

void import_mailbox(const session& with, const std::string& account, const std::string& mailbox, const std::string& path) {
  constexpr std::size_t octets_at_once = 4u << 20, messages_at_once = 200;
  auto server = with.connected();
  std::uint64_t count = 0;
  std::size_t octets = 0;
  json batch = json::array();
  const auto flush = [&] {
    if (batch.empty()) return;
    const json answer = server->ask({{"command", "mailbox.import"}, {"account", account}, {"mailbox", mailbox}, {"messages", std::move(batch)}});
    count += answer.at("messages").get<std::uint64_t>();
    batch = json::array();
    octets = 0;
  };
  read_mail(path, [&](filed_message message) {
    octets += message.octets.size();
    json row = {{"octets", base::base64_encode(message.octets)}, {"flags", message.flags}};
    if (message.date > 0) row["date"] = message.date;
    batch.push_back(std::move(row));
    if (octets >= octets_at_once || batch.size() >= messages_at_once) flush();
  });
  flush();
  with.said({{"messages", count}}, std::to_string(count) + " messages imported");
}

}  // namespace

void add_mailbox(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("mailbox", "Mail of an account")->require_subcommand(1);
  auto account = std::make_shared<std::string>();
  auto mailbox = std::make_shared<std::string>("INBOX");
  auto path = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("mbox");
  auto* list = group->add_subcommand("list", "Show the mailboxes");
  list->add_option("account", *account)->required();
  list->callback([&with, account] {
    with.show(with.ask({{"command", "mailbox.list"}, {"account", *account}}), "mailboxes",
              {"name", "use", "messages", "unseen", "octets"});
  });
  auto* rights = group->add_subcommand("rights", "Show who else may do what with a mailbox");
  auto* share = group->add_subcommand("share", "Let others do something with a mailbox, or no longer");
  for (auto* command : {rights, share}) {
    command->add_option("account", *account)->required();
    command->add_option("mailbox", *mailbox)->required();
  }
  rights->callback([=, &with] {
    with.show(with.ask({{"command", "mailbox.rights"}, {"account", *account}, {"mailbox", *mailbox}}), "rights",
              {"identifier", "rights"});
  });
  auto identifier = std::make_shared<std::string>();
  auto letters = std::make_shared<std::string>();
  share->add_option("--identifier", *identifier, "Address of an account, or anyone; behind a -: whom to take rights from")
      ->required();
  share->add_option("--rights", *letters, "As of RFC 4314: lr to read, lrswite to write, --rights=-w to change one, \"\" for none")
      ->required();
  share->callback([=, &with] {
    with.said(with.ask({{"command", "mailbox.share"}, {"account", *account}, {"mailbox", *mailbox},
                        {"identifier", *identifier}, {"rights", *letters}}),
              *identifier + ": rights are set");
  });
  auto* out = group->add_subcommand("export", "Write the messages to an mbox file or a Maildir");
  auto* in = group->add_subcommand("import", "Take the messages of an mbox file or a Maildir");
  for (auto* command : {out, in}) {
    command->add_option("account", *account)->required();
    command->add_option("path", *path)->required();
    command->add_option("--mailbox", *mailbox, "Name of the mailbox");
  }
  out->add_option("--format", *format)->check(CLI::IsMember({"mbox", "maildir"}));
  out->callback([=, &with] {
    const auto writer = *format == "mbox" ? write_mbox(*path) : write_maildir(*path);
    tell(with, write_mailbox(with, *account, *mailbox, *writer));
  });
  in->callback([=, &with] { import_mailbox(with, *account, *mailbox, *path); });
}

void add_account_export(CLI::App& group, session& with) {
  auto* command = group.add_subcommand("export", "Write all of an account to a new folder: every mailbox, and account.json");
  auto account = std::make_shared<std::string>();
  auto path = std::make_shared<std::string>();
  auto format = std::make_shared<std::string>("mbox");
  command->add_option("address", *account)->required();
  command->add_option("path", *path)->required();
  command->add_option("--format", *format)->check(CLI::IsMember({"mbox", "maildir"}));
  command->callback([=, &with] { export_account(with, *account, *path, *format); });
}

}  // namespace briefwerk::apps::ctl
