#include "briefwerk/search/fuzzy.hpp"

#include <random>

#include "support.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::search;
using namespace briefwerk::search::testing;

unsigned score(std::string_view asked, std::string_view text) {
  fuzzy_searcher searcher(asked);
  searcher.look_at(text);
  return searcher.score();
}

// By scanning, as a session does it.
unsigned scanned(const probe& asked, const std::string& message) {
  fuzzy_searcher searcher(asked.text);
  const auto look = [&](std::string_view text) { return searcher.look_at(text), false; };
  const std::string summary = mail::encode_summary(mail::summarise(message));
  if (asked.in == field::subject) {
    if (const auto text = mail::envelope_text(mail::view_summary(summary)->envelope, mail::envelope_field::subject)) searcher.look_at(*text);
  } else if (asked.in == field::header) {
    mail::visit_field_text(message, asked.name, look);
  } else {
    if (asked.in == field::text) mail::visit_header_text(message, look);
    if (asked.in == field::text) mail::visit_part_headers(mail::mime_tree(message), look);
    mail::visit_body_text(mail::mime_tree(message), look);
  }
  return searcher.score();
}

}  // namespace

TEST_CASE("how well a text matches what is asked fuzzily") {
  struct row {
    const char* why;
    const char* asked;
    const char* text;
    unsigned score;
  };
  const row rows[] = {
      {"the word", "hello", "Say Hello!", 100},
      {"a longer word begins with it", "hell", "hello", 50},
      {"not in the middle", "ello", "bello gbellox", 10},
      {"one letter missing", "helo", "hello", 10},
      {"one replaced", "hallo", "hello", 10},
      {"two exchanged", "hlelo", "hello", 10},
      {"two are too many for a short word", "hxlxo", "hello", 0},
      {"two of a long word", "recieve noticce", "receive notice", 10},
      {"no errors in three letters", "cat", "car", 0},
      {"every word, in any order", "break imap", "IMAP is to break", 100},
      {"the mean of them", "imap break", "broken IMAP, breaking", 75},
      {"one is missing", "imap absent", "IMAP is broken", 0},
      {"a mark is a letter", "gr\xc3\xbcn", "grun", 10},
      {"case and compatibility", "STRASSE", "strasse", 100},
      {"a script without spaces", "\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 100},
      {"in order", "\xe6\x9c\xac\xe6\x97\xa5", "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", 0},
      {"a code", "0123456789ab", "id 0123456789ab", 100},
      {"a part of a code", "23456789ab", "id 0123456789ab", 50},
      {"a code with an error", "0123456788ab", "id 0123456789ab", 0},
      {"no word", "?!", "what?!", 100},
      {"no word, not there", "?!", "what!?", 0},
      {"the best of the text", "note", "notes, a note, not", 100},
  };
  for (const auto& one : rows) {
    CAPTURE(one.why);
    CHECK(score(one.asked, one.text) == one.score);
  }
}

TEST_CASE("the index scores as a scan does") {
  std::mt19937 random(7);
  const auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); };
  const auto word = [&] {
    std::string out;
    for (auto n = 2 + below(7); n != 0; --n) out += "abcä"[below(3)];
    if (below(12) == 0) out += "日本";
    if (below(12) == 0) out += "12345678";
    return out;
  };
  const auto text = [&](std::size_t words) {
    std::string out;
    for (; words != 0; --words) out.append(word()).append(below(3) ? " " : ", ");
    return out;
  };
  house at;
  std::vector<std::string> messages;
  for (int i = 0; i < 150; ++i) {
    messages.push_back("Subject: " + mail::repair_utf8(text(3)) + "\r\nX-Mark: " + word() +
                       "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text(6 + below(20)) + "\r\n");
    at.deliver(messages.back());
  }
  at.build();
  std::size_t sure = 0;
  for (int round = 0; round < 300; ++round) {
    static const field fields[] = {field::subject, field::body, field::text, field::header};
    const probe asked{.in = fields[below(4)], .name = "X-Mark", .text = text(1 + below(2)), .fuzzy = true};
    const auto found = at.ask({asked});
    const auto& answer = found.answers[0];
    CHECK(answer.scores.size() == answer.sure.size());
    std::size_t missing = 0, wrong = 0;
    for (std::uint32_t uid = 1; uid <= messages.size(); ++uid) {
      const unsigned expected = scanned(asked, messages[uid - 1]);
      if (answer.sure.contains(uid)) {
        wrong += answer.score_of(uid) != expected;
        ++sure;
      } else if (!answer.maybe.contains(uid)) {
        missing += expected != 0;
      }
    }
    CAPTURE(asked.text);
    CHECK(missing == 0);
    CHECK(wrong == 0);
  }
  CHECK(sure > 1000);
}
