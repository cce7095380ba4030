#include <cstdio>
#include <memory>
#include <utility>

#include "apps/briefwerkctl/mail_files.hpp"
#include "apps/briefwerkctl/session.hpp"
#include "briefwerk/base/encoding.hpp"
#include "briefwerk/filter/spam_stage.hpp"

namespace briefwerk::apps::ctl {
namespace {

struct lesson {
  std::vector<std::string> paths;
  std::string account;
  bool spam = false, ham = false;
};

// Sends messages to the server, some at a time.
class teacher {
 public:
  teacher(connection& server, const lesson& what) : server_(server), what_(what) {}

  void take(const std::string& octets) {
    if (octets.size() > largest) {
      std::fprintf(stderr, "briefwerkctl: a message of %zu octets is left out\n", octets.size());
      return;
    }
    octets_ += octets.size();
    batch_.push_back(base::base64_encode(octets));
    if (octets_ >= octets_at_once || batch_.size() >= messages_at_once) flush();
  }
  void flush() {
    if (batch_.empty()) return;
    const json answer = server_.ask({{"command", "spam.learn"},
                                     {"as", what_.spam ? "spam" : "ham"},
                                     {"account", what_.account},
                                     {"messages", std::exchange(batch_, json::array())}});
    octets_ = 0;
    messages += answer.at("messages").get<std::uint64_t>();
    learned += answer.at("learned").get<std::uint64_t>();
  }
  std::uint64_t messages = 0, learned = 0;

 private:
  static constexpr std::size_t octets_at_once = 4u << 20, messages_at_once = 200, largest = 32u << 20;
  connection& server_;
  const lesson& what_;
  json batch_ = json::array();
  std::size_t octets_ = 0;
};

void learn(const session& with, const lesson& what) {
  if (what.spam == what.ham) throw failure("give either --spam or --ham");
  auto server = with.connected();
  teacher to(*server, what);
  for (const std::string& path : what.paths) {
    read_messages(path, [&](const filed_message& message) { to.take(message.octets); });
  }
  to.flush();
  with.said({{"messages", to.messages}, {"learned", to.learned}},
            std::to_string(to.learned) + " of " + std::to_string(to.messages) + " messages taught something");
}

void print_learned(const json& answer) {
  const std::string account = answer.at("account").get<std::string>();
  std::printf("%s: %s spam and %s ham learned; %s counts of all accounts, %s rules\n",
              account.empty() ? "what all share" : account.c_str(), answer.at("spam").dump().c_str(),
              answer.at("ham").dump().c_str(), answer.at("entries").dump().c_str(), answer.at("rules").dump().c_str());
}

void print_tests(bool as_json) {
  json rows = json::array();
  for (const auto& one : filter::spam_tests()) rows.push_back({{"test", one.name}, {"meaning", one.meaning}});
  if (as_json) print_json({{"tests", std::move(rows)}});
  else print_table(rows, {"test", "meaning"});
}

}  // namespace

void add_spam(CLI::App& app, session& with) {
  auto* group = app.add_subcommand("spam", "What the server learns about spam")->require_subcommand(1);
  auto what = std::make_shared<lesson>();
  auto* teach = group->add_subcommand("learn", "Learn from messages; what was learned before is not learned twice");
  teach->add_option("paths", what->paths, "Messages, mbox files, Maildirs")->required();
  teach->add_flag("--spam", what->spam)->description("They are spam");
  teach->add_flag("--ham", what->ham)->description("They are wanted");
  auto* status = group->add_subcommand("status", "How much was learned");
  auto* forget = group->add_subcommand("forget", "Forget what was learned");
  for (auto* command : {teach, status, forget}) {
    command->add_option("--account", what->account, "For this account; without it what all share");
  }
  teach->callback([&with, what] { learn(with, *what); });
  status->callback([&with, what] {
    const json answer = with.ask({{"command", "spam.status"}, {"account", what->account}});
    if (with.as_json) print_json(answer);
    else print_learned(answer);
  });
  forget->callback([&with, what] {
    const json answer = with.ask({{"command", "spam.forget"}, {"account", what->account}});
    with.said(answer, answer.at("counts").dump() + " counts are forgotten");
  });
  group->add_subcommand("tests", "What rules can test besides patterns")->callback([&with] { print_tests(with.as_json); });
}

}  // namespace briefwerk::apps::ctl
