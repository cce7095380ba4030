#include "search/runs.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace {

using namespace briefwerk::search;

std::string shown(std::string_view text) {
  std::string out;
  run_reader reader(text);
  for (run one; reader.next(one);) {
    if (one.at_start) out += '<';
    out += one.kind == char_class::dense ? "d:" : one.is_code() ? "c:" : "w:";
    out.append(one.text);
    if (one.at_end) out += '>';
    out += ' ';
  }
  return out;
}

std::string groups(std::string_view text, unsigned size) {
  std::string out;
  for_each_group(text, size, [&](std::string_view group) { out.append(group).append("|"); });
  return out;
}

}  // namespace

TEST_CASE("texts are cut into runs") {
  struct row {
    const char* why;
    std::string_view text;
    const char* runs;
  };
  const row rows[] = {
      {"nothing", "", ""},
      {"separators alone", " ,.-", ""},
      {"words", "ONE, TWO", "<w:ONE w:TWO> "},
      {"a mark belongs to its letter", "U\u0308BER ", "<w:U\u0308BER "},
      {"letters mixed with digits, from nine on, are a code", "ISO88591 ISO885915", "<w:ISO88591 c:ISO885915> "},
      {"digits from twelve on", "20260301120 202603011200", "<w:20260301120 c:202603011200> "},
      {"what is long is a code", "ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJA", "<c:ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJA> "},
      {"a script without spaces ends a word", "PDF日本語 の", "<w:PDF d:日本語 d:の> "},
      {"marks of kana are dense", "カ\u3099", "<d:カ\u3099> "},
      {"octets that are no UTF-8 separate", "A\xff" "B", "<w:A w:B> "},
  };
  for (const auto& one : rows) {
    CAPTURE(one.why);
    CHECK(shown(one.text) == one.runs);
  }
}

TEST_CASE("groups of neighbouring characters") {
  CHECK(groups("ABCD", 3) == "ABC|BCD|");
  CHECK(groups("ABC", 3) == "ABC|");
  CHECK(groups("AB", 3) == "");
  CHECK(groups("日本語", 2) == "日本|本語|");
  CHECK(groups("日本語", 1) == "日|本|語|");
  CHECK(groups("", 1) == "");
}
