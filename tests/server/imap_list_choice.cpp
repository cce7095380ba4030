// LIST and LSUB: the choice of names beside a naive reference that knows all of them at once.

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "imap_support.hpp"
#include "server/imap/list_choice.hpp"
#include "server/imap/shared_names.hpp"

namespace imap = briefwerk::server::imap;
namespace wire = briefwerk::protocol::imap;
namespace store = briefwerk::store;

namespace {

std::vector<std::string> parents_of(std::string_view name) {
  std::vector<std::string> out;
  for (auto cut = name.find('/'); cut != name.npos; cut = name.find('/', cut + 1)) out.emplace_back(name.substr(0, cut));
  return out;
}

// "name" of what is there, "(name)" of what only leads to others; then what is said of names below.
std::string text_of(std::string_view name, bool is_there, bool children, bool subscribed_below) {
  return (is_there ? std::string(name) : "(" + std::string(name) + ")") + (children ? "+" : "") + (subscribed_below ? "*" : "");
}

struct names {
  std::vector<store::mailbox_info> all;  // by octets, INBOX first
  std::set<std::string> there, subscribed, with_children, with_subscribed;

  void add(std::string name, bool is_mailbox, bool is_subscribed) {
    if (!there.insert(name).second) return;
    store::mailbox_info info;
    info.name = name;
    info.id = is_mailbox ? 1 : 0;
    info.selectable = is_mailbox;
    info.subscribed = is_subscribed;
    if (is_mailbox && name.size() % 3 == 0) info.use = briefwerk::mail::special_use::sent;
    all.push_back(info);
    if (is_subscribed) subscribed.insert(name);
    for (const auto& parent : parents_of(name)) {
      if (is_mailbox) with_children.insert(parent);
      if (is_subscribed) with_subscribed.insert(parent);
    }
  }
  void finish() {
    std::ranges::sort(all, {}, &store::mailbox_info::name);
    if (const auto first = std::ranges::find(all, "INBOX", &store::mailbox_info::name); first != all.end())
      std::rotate(all.begin(), first, first + 1);
  }
  std::vector<std::string> chosen(const wire::list_command& command) const {
    imap::list_choice choice(command);
    std::vector<std::string> out;
    for (const auto& info : all) {
      const store::listed_mailbox one{info, with_children.contains(info.name), with_subscribed.contains(info.name)};
      for (const auto& row : choice.take(one, imap::parse_shared_name(info.name).has_value()))
        out.push_back(text_of(row.name, row.listed != nullptr, row.has_children, row.has_subscribed_below));
    }
    std::ranges::sort(out);
    return out;
  }
  // As the RFCs say it, with all names at hand.
  std::vector<std::string> expected(const wire::list_command& command) const {
    std::vector<imap::list_matcher> patterns;
    for (const auto one : command.patterns) patterns.emplace_back(command.reference, one);
    const auto matches = [&](std::string_view name) {
      return std::ranges::any_of(patterns, [&](const auto& one) { return one.matches(name); });
    };
    const bool percent = std::ranges::any_of(patterns, [](const auto& one) { return one.has_percent(); });
    std::set<std::string> out;
    for (const auto& info : all) {
      const bool below = with_subscribed.contains(info.name);
      const bool is_told = command.lsub ? info.subscribed
                           : command.select_subscribed
                               ? info.subscribed || (command.recursive_match && below)
                               : info.id != 0 || (percent && with_children.contains(info.name));
      const bool has_use = command.lsub || !command.select_special_use || info.use;
      if (is_told && has_use && matches(info.name)) out.insert(text_of(info.name, true, with_children.contains(info.name), below));
      for (const auto& parent : parents_of(info.name)) {
        if (!matches(parent)) continue;
        if (command.lsub) {
          if (percent && info.subscribed && !matches(info.name) && !subscribed.contains(parent)) out.insert(text_of(parent, false, true, true));
        } else if (command.select_subscribed) {
          if (command.recursive_match && info.subscribed && !there.contains(parent)) out.insert(text_of(parent, false, false, true));
        } else if (percent && !command.select_special_use && info.id != 0 && imap::parse_shared_name(info.name) && !there.contains(parent)) {
          out.insert(text_of(parent, false, true, false));
        }
      }
    }
    return {out.begin(), out.end()};
  }
};

}  // namespace

TEST_CASE("names come one after the other, and the answer is that of who knows all") {
  std::mt19937 random(29);
  // What stands before and behind '/', and begins alike.
  const std::string_view levels[] = {"a", "b", "a b", "a!", "a0", "ab", "A", "INBOX", "\xc3\xa4"};
  const std::vector<std::string_view> patterns[] = {{"*"}, {"%"}, {"%/%"}, {"a*"}, {"a/%"}, {"%/a", "b*"}, {"INBOX/%"}, {"Other Users/%"}, {"%/%/%"}, {"a"}};
  for (int round = 0; round < 300; ++round) {
    names known;
    if (round % 3 != 0) known.add("INBOX", true, random() % 2 == 0);
    for (unsigned i = random() % 30; i > 0; --i) {
      std::string name(random() % 4 == 0 ? "Other Users/bob" : levels[random() % std::size(levels)]);
      for (unsigned depth = random() % 4; depth > 0; --depth) name.append("/").append(levels[random() % std::size(levels)]);
      const bool is_mailbox = random() % 3 != 0;
      known.add(name, is_mailbox, !is_mailbox || random() % 3 == 0);
    }
    known.finish();
    for (const auto& pattern : patterns) {
      for (int form = 0; form < 5; ++form) {
        wire::list_command command;
        command.patterns = pattern;
        command.lsub = form == 1;
        command.select_subscribed = form == 2 || form == 3;
        command.recursive_match = form == 3;
        command.select_special_use = form == 4;
        CAPTURE(round);
        CAPTURE(pattern.front());
        CAPTURE(form);
        CHECK(known.chosen(command) == known.expected(command));
      }
    }
  }
}
