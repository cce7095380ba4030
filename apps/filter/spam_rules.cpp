#include "apps/filter/spam_rules.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "briefwerk/base/clock.hpp"

namespace briefwerk::apps {
namespace {

using json = nlohmann::ordered_json;
using rules = std::vector<filter::spam_rule>;

std::unexpected<net::explained_error> refuse(std::string text) {
  return std::unexpected(net::explained_error{make_error_code(base::errc::malformed), std::move(text)});
}

// A key of one rule into its member; answers what is wrong.
std::string read_key(const std::string& key, const json& value, filter::spam_rule& out) {
  const auto text = [&](std::string& to) -> std::string {
    if (!value.is_string()) return key + " must be a text";
    to = value.get<std::string>();
    return {};
  };
  std::string about;
  if (key == "name") return text(out.name);
  if (key == "test") return text(out.test);
  if (key == "field") return text(out.field);
  if (key == "about") return text(about);
  if (key == "pattern") {
    if (std::string wrong = text(out.pattern); !wrong.empty()) return wrong;
    return out.pattern.size() > longest_spam_pattern ? "pattern is too long" : std::string();
  }
  if (key == "links") {
    if (!value.is_boolean()) return "links must be true or false";
    out.links = value.get<bool>();
    return {};
  }
  if (key == "score") {
    if (!value.is_number() || std::abs(value.get<double>()) > 1000) return "score must be a number from -1000 to 1000";
    out.score = value.get<double>();
    return {};
  }
  return "there is no key \"" + key + "\"";
}

std::string read_rule(const json& from, filter::spam_rule& out) {
  if (!from.is_object()) return "is no object";
  std::string wrong;
  for (const auto& [key, value] : from.items()) {
    std::string one = read_key(key, value, out);
    if (wrong.empty()) wrong = std::move(one);
  }
  if (!wrong.empty()) return wrong;
  for (const char* key : {"name", "score"}) {
    if (!from.contains(key)) return std::string(key) + " is missing";
  }
  if (out.test.empty() && out.pattern.empty()) return "has neither a test nor a pattern";
  if (!out.test.empty() && !out.pattern.empty()) return "has a test and a pattern";
  return {};
}

net::explained<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(longest_rule_file + 1, '\0');
  if (!in) return refuse("cannot read " + path);
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (in.bad()) return refuse("cannot read " + path);
  if (text.size() > longest_rule_file) return refuse(path + " is too large");
  return text;
}

}  // namespace

net::explained<rules> parse_spam_rules(std::string_view text, const std::string& name) {
  json tree;
  try {
    tree = json::parse(text, nullptr, true, true);
  } catch (const json::parse_error& bad) {
    const auto before = text.substr(0, std::min(bad.byte, text.size()));
    return refuse(name + ": line " + std::to_string(std::ranges::count(before, '\n') + 1) + ": not JSON");
  }
  if (!tree.is_object() || tree.size() != 1 || !tree.contains("rules") || !tree["rules"].is_array()) {
    return refuse(name + ": must be an object with a list of \"rules\"");
  }
  if (tree["rules"].size() > most_spam_rules) {
    return refuse(name + ": has more than " + std::to_string(most_spam_rules) + " rules");
  }
  rules out;
  std::set<std::string> names;
  for (const json& one : tree["rules"]) {
    filter::spam_rule rule;
    std::string wrong = read_rule(one, rule);
    if (wrong.empty() && !names.insert(rule.name).second) wrong = "stands there twice";
    if (!wrong.empty()) {
      const std::string which = rule.name.empty() ? "rule " + std::to_string(out.size() + 1) : "the rule " + rule.name;
      return refuse(name + ": " + which + ": " + wrong);
    }
    out.push_back(std::move(rule));
  }
  return out;
}

net::explained<rules> load_spam_rules(const spam_config& conf) {
  std::string text(default_spam_rules());
  if (!conf.rules.empty()) {
    auto read = read_file(conf.rules);
    if (!read) return std::unexpected(read.error());
    text = std::move(*read);
  }
  auto all = parse_spam_rules(text, conf.rules.empty() ? "spam-rules.json" : conf.rules);
  if (!all) return all;
  for (const spam_score_config& one : conf.scores) {
    const auto found = std::ranges::find(*all, one.rule, &filter::spam_rule::name);
    if (found == all->end()) return refuse("filter.spam.scores: there is no rule " + one.rule);
    found->score = one.score;
  }
  std::erase_if(*all, [](const filter::spam_rule& one) { return one.score == 0; });
  return all;
}

std::string wrong_spam_rules(const spam_config& conf) {
  auto loaded = load_spam_rules(conf);
  if (!loaded) return loaded.error().text;
  std::string wrong;
  (void)filter::spam_stage::create({.rules = std::move(*loaded), .classifier = nullptr}, base::system_clock(), wrong);
  return wrong;
}

}  // namespace briefwerk::apps
