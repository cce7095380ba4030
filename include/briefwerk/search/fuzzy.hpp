#pragma once

// What SEARCH=FUZZY (RFC 6203) means here. A text asked is a set of words, each of which must be found in the field, in any
// order: as it is (100), at the beginning of a longer word (50), or nearly: with one letter wrong, missing, too many or
// two exchanged, in words from four letters on; with two from eight on (10). Characters of scripts without spaces, and
// codes (see search/index.hpp) must stand there one behind the other (100; 50 for a part of a code). Case is ignored as ever;
// marks count as letters. A message's score is the mean of its words' scores, each the best that the field has.
// What holds no word is looked for as it is (100).

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace briefwerk::search {

// Looks for one text in the texts of many messages, one after the other.
class fuzzy_searcher {
 public:
  explicit fuzzy_searcher(std::string_view asked);
  ~fuzzy_searcher();

  void begin();                    // a new message
  void look_at(std::string_view utf8);  // one piece of its text
  bool is_best() const noexcept;   // no further text can raise the score
  unsigned score() const noexcept; // 0: no match, else up to 100

 private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace briefwerk::search
