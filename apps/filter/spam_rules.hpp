#pragma once

// The file of rules that filter.spam.rules names: JSON with comments, described in spam-rules.json itself.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "apps/config/filter_config.hpp"
#include "briefwerk/filter/spam_stage.hpp"
#include "briefwerk/net/error.hpp"

namespace briefwerk::apps {

inline constexpr std::size_t longest_rule_file = 1u << 20;  // octets
inline constexpr std::size_t most_spam_rules = 5000;
inline constexpr std::size_t longest_spam_pattern = 2000;

// The text of spam-rules.json, as it was when this program was made.
std::string_view default_spam_rules() noexcept;

// `name` stands in front of errors, which say which rule is wrong, and why. Patterns and tests are the stage's to check.
net::explained<std::vector<filter::spam_rule>> parse_spam_rules(std::string_view text, const std::string& name);

// Those of the configured file, or the default ones, with the configured scores; rules without points are left out.
net::explained<std::vector<filter::spam_rule>> load_spam_rules(const spam_config& conf);

// What is wrong with the file, its patterns and tests included; empty: nothing. For briefwerkd --check.
std::string wrong_spam_rules(const spam_config& conf);

}  // namespace briefwerk::apps
