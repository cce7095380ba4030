#pragma once

// A classifier that learns from its users which mail is spam: for each token (tokens.hpp), in how many messages of
// either kind it stood; a message's opinion combines its tokens' probabilities. What all share is the prior of what one
// account has taught. Only keyed hashes and counts are kept, in a bounded table that drops what was not met for
// longest. Thread-safe.

#include <chrono>
#include <cstdint>
#include <span>
#include <string_view>

#include "briefwerk/base/siphash.hpp"
#include "briefwerk/filter/state_table.hpp"
#include "briefwerk/filter/tokens.hpp"

namespace briefwerk::filter {

enum class kind_of_mail : std::uint8_t { ham, spam };

struct bayes_options {
  std::size_t entries = 2000000;      // counted tokens of all accounts at most, about 64 octets of memory each
  std::chrono::days lifetime{400};    // of a token that no learned message brings again
  std::uint32_t least_messages = 20;  // of either kind must have been counted before there is an opinion
};

class bayes {
 public:
  bayes(bayes_options options, base::siphash_key key);

  struct opinion {
    bool known = false;   // enough was learned
    double spam = 0.5;    // 0: surely ham, 1: surely spam
    double evidence = 0;  // the same without bounds: 0 undecided, negative ham
  };
  // Evidence from which on a message is spam: fewer than one ham in a thousand comes to it (benchmarks/spam_quality).
  static constexpr double spam_evidence = 2.5;

  // `account` empty: what all share. `now` in Unix seconds.
  opinion judge(std::string_view message, std::string_view account, std::int64_t now) const;

  // Counts the message where it teaches something: where it is not yet judged rightly and with a margin (train on or
  // near error; learning all would drown the rare in the usual), and always before least_messages. One that was counted
  // as the other kind is taken back first. False: it changed nothing, since it was counted already or is judged well
  // enough.
  bool learn(std::string_view message, kind_of_mail as, std::string_view account, std::int64_t now);
  // False where it was not counted.
  bool unlearn(std::string_view message, std::string_view account, std::int64_t now);

  struct totals {
    std::uint32_t spam = 0, ham = 0;  // messages counted
  };
  totals learned(std::string_view account, std::int64_t now) const;

  // All that an account has taught itself, or all that is shared (""). Looks at each entry of the table. Answers how
  // many counts went.
  std::size_t forget(std::string_view account);
  std::size_t size() const { return table_.size(); }  // entries, of bayes_options::entries

  kept_table& state() noexcept { return table_; }

 private:
  struct counts {
    std::int64_t expires = 0;
    std::uint32_t spam = 0, ham = 0;
  };
  state_key scope_of(std::string_view account) const noexcept;
  state_key learned_key(std::string_view message, const state_key& scope) const;
  void count(const state_key& row, kind_of_mail as, int change, std::int64_t now, std::int64_t expires);
  void count_all(std::span<const token> tokens, kind_of_mail as, int change, const state_key& scope, std::int64_t now);
  double evidence_of(std::span<const token> tokens, std::string_view account, std::int64_t now) const;
  totals totals_of(const state_key& scope, std::int64_t now) const;

  bayes_options options_;
  base::siphash_key key_;
  state_table<counts> table_;
};

}  // namespace briefwerk::filter
