#pragma once

// Where policies stand: the look-ups of one evaluation, each name asked once.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/dmarc.hpp"

namespace briefwerk::mailauth::dmarc {

// What _dmarc.NAME holds.
struct lookup {
  enum class state_type : std::uint8_t { nothing, found, unusable, temperror };
  state_type state = state_type::nothing;
  record found;         // state found
  std::string problem;  // state unusable
  // A record that cannot be used is there all the same: it takes part in the walk.
  bool is_record() const noexcept { return state == state_type::found || state == state_type::unusable; }
};

// What was found on the way up from one name, longest first.
struct walk {
  std::vector<std::string> names;  // that hold a record
  std::string organizational;      // empty after a temporary error
  std::string suffix;              // the name that says psd=y, when the walk ended there
  bool temperror = false;
};

class directory {
 public:
  directory(base::resolver& dns, const options& how, tracer trace) noexcept : dns_(dns), how_(how), trace_(trace) {}

  // The answer stays valid as long as the directory.
  base::task<const lookup*> look_up(std::string name);
  base::task<const walk*> walk_up(std::string name);  // RFC 9989 §4.10
  // By the method of the options; empty after a temporary error.
  base::task<std::string> organizational_domain(std::string name);

  // The record that speaks for mail of `author`.
  struct policy_place {
    const lookup* at = nullptr;  // nullptr: none is published
    std::string domain;
    bool temperror = false;
  };
  base::task<policy_place> discover(std::string author);  // RFC 9989 §4.10.1, RFC 7489 §6.6.3

  enum class existence : std::uint8_t { exists, missing, temperror };
  base::task<existence> exists(std::string name);  // RFC 9989 appendix A.4

 private:
  base::resolver& dns_;
  const options& how_;
  tracer trace_;
  std::map<std::string, lookup, std::less<>> lookups_;
  std::map<std::string, walk, std::less<>> walks_;
};

}  // namespace briefwerk::mailauth::dmarc
