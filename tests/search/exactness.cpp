// What the index answers beside what scanning finds: nothing that matches may be missing, nothing sure may be wrong.

#include <random>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/mail/header.hpp"
#include "support.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::search;
using namespace briefwerk::search::testing;

using randomness = std::mt19937;

std::size_t below(randomness& random, std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); }

template <class T, std::size_t N>
const T& one_of(randomness& random, const T (&all)[N]) {
  return all[below(random, N)];
}

std::string random_word(randomness& random) {
  static const std::string_view letters[] = {"a", "b", "s", "t", "e", "E", "ß", "ü", "u\u0308", "Ä", "é", "ﬁ", "ﬀ", "ǆ",
                                             "Σ", "ς", "я", "Й", "각", "중", "ı", "İ", "\u0301"};
  static const std::string_view dense[] = {"日", "本", "語", "の", "が", "か\u3099", "テ", "ー", "中", "国", "ก", "า"};
  std::string out;
  switch (below(random, 8)) {
    case 0:
      for (auto n = 1 + below(random, 6); n != 0; --n) out += one_of(random, dense);
      return out;
    case 1:  // a code
      for (auto n = 9 + below(random, 60); n != 0; --n) out += "ABCDEFab0123456789"[below(random, 18)];
      return out;
    case 2: {
      static const std::string_view known[] = {"Straße", "STRASSE", "über", "Rechnung", "invoice", "Überweisung", "café", "naïve"};
      return std::string(one_of(random, known));
    }
    default:
      for (auto n = 1 + below(random, 5); n != 0; --n) out += one_of(random, letters);
      if (below(random, 8) == 0) out += one_of(random, dense);
      return out;
  }
}

std::string random_text(randomness& random, std::size_t words) {
  static const std::string_view between[] = {" ", " ", " ", "\r\n", ", ", "-", ".", "  ", "“", "\u00a0", "/", "@"};
  std::string out;
  for (; words != 0; --words) out.append(random_word(random)).append(one_of(random, between));
  return out;
}

std::string random_part(randomness& random) {
  const std::string text = random_text(random, 1 + below(random, 12));
  switch (below(random, 4)) {
    case 0: return "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base::base64_encode(text) + "\r\n";
    case 1: {
      std::string quoted = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n";
      constexpr std::string_view digits = "0123456789ABCDEF";
      for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        quoted += '=';
        quoted += digits[octet >> 4];
        quoted += digits[octet & 15];
        if (below(random, 20) == 0) quoted += "=\r\n";
      }
      return quoted + "\r\n";
    }
    case 2: return "Content-Type: text/plain; charset=iso-8859-1\r\n\r\nGr\xfc\xdf" "e aus K\xf6ln " + std::string(below(random, 2) ? "STRA\xdf" "E" : "") + "\r\n";
    default: return "Content-Type: text/html; charset=utf-8\r\n\r\n<p>" + text + "</p>\r\n";
  }
}

std::string random_message(randomness& random) {
  std::string out = "From: " + random_word(random) + " <" + std::to_string(below(random, 50)) + "@example.org>\r\n";
  out += "To: Kasper <kasper@example.net>\r\nSubject: " + mail::encode_text(random_text(random, 1 + below(random, 4))) + "\r\n";
  if (below(random, 2)) out += "X-Mark: " + random_text(random, 1).substr(0, 1) + "mark " + std::to_string(below(random, 20)) + "\r\n";
  out += "Message-ID: <" + std::to_string(random()) + "@example.org>\r\n";
  if (below(random, 3) == 0) return out + random_part(random);
  out += "Content-Type: multipart/mixed; boundary=b\r\n\r\n";
  for (auto n = below(random, 3); n != 0; --n) out += "--b\r\n" + random_part(random);
  if (below(random, 3) == 0)
    out += "--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: " + random_word(random) + "\r\n\r\n" + random_text(random, 3) + "\r\n";
  return out + "--b--\r\n";
}

// A stretch of a text, cut between characters.
std::string cut(randomness& random, const std::string& text) {
  if (text.empty()) return "e";
  const auto begin = mail::utf8_prefix(text, below(random, text.size()));
  const auto end = begin + mail::utf8_prefix(std::string_view(text).substr(begin), 1 + below(random, 14));
  return text.substr(begin, end - begin);
}

probe random_probe(randomness& random, const std::vector<std::string>& messages) {
  static const field fields[] = {field::from, field::to, field::subject, field::message_id, field::header, field::body, field::body, field::text};
  probe out{.in = one_of(random, fields), .name = below(random, 2) ? "x-mark" : "content-type", .text = {}};
  if (below(random, 3) == 0) {
    out.text = random_text(random, 1 + below(random, 2));
    if (below(random, 2)) out.text.pop_back();
    out.text = mail::repair_utf8(out.text);
  } else {
    std::vector<std::string> texts;
    const auto& message = messages[below(random, messages.size())];
    const auto keep = [&](std::string_view text) { return texts.emplace_back(text), false; };
    mail::visit_header_text(message, keep);
    mail::visit_part_headers(mail::mime_tree(message), keep);
    mail::visit_body_text(mail::mime_tree(message), keep);
    out.text = cut(random, texts[below(random, texts.size())]);
  }
  if (below(random, 4) == 0) out.text = mail::casemap(out.text);
  if (out.text.empty() && out.in != field::header) out.text = "a";
  return out;
}

}  // namespace

TEST_CASE("nothing that scanning finds is missing, and nothing sure is wrong") {
  randomness random(20);
  house at;
  std::vector<std::string> messages;
  for (int i = 0; i < 200; ++i) messages.push_back(random_message(random));
  for (const auto& one : messages) at.deliver(one);
  CHECK(at.build().indexed == messages.size());

  std::size_t matches = 0, sure = 0;
  for (int round = 0; round < 1500; ++round) {
    const probe asked = random_probe(random, messages);
    const auto found = at.ask({asked});
    REQUIRE(found.answers.size() == 1);
    REQUIRE(found.below == messages.size() + 1);
    const auto& answer = found.answers[0];
    sure += answer.sure.size();
    std::size_t missing = 0, wrong = 0;
    for (std::uint32_t uid = 1; uid <= messages.size(); ++uid) {
      const bool there = holds(asked, messages[uid - 1]);
      matches += there;
      if (there && !answer.sure.contains(uid) && !answer.maybe.contains(uid)) ++missing;
      if (!there && answer.sure.contains(uid)) ++wrong;
    }
    CAPTURE(static_cast<int>(asked.in));
    CAPTURE(asked.text);
    CHECK(missing == 0);
    CHECK(wrong == 0);
  }
  CHECK(matches > 2000);
  CHECK(sure > matches / 4);  // the index does decide
}

TEST_CASE("what one text of a search is sure of, and what it leaves to scanning") {
  house at;
  at.deliver("Subject: Rechnung\r\nX-Mailer: Example 7\r\n\r\nDie \xc3\x9c" "berweisung an die Stra\xc3\x9f" "e 12 ist erfolgt.\r\n");
  at.deliver("Subject: other\r\n\r\nhello big world, id 0123456789abcdef0123\r\n");
  at.deliver("Subject: third\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\r\n");
  at.build();
  struct row {
    const char* why;
    field in;
    const char* text;
    const char* sure;
    const char* maybe;
  };
  const row rows[] = {
      {"a part of one word", field::body, "berweis", "1", ""},
      {"in any case", field::body, "\xc3\xbc" "berweisung", "1", ""},
      {"no word has it", field::body, "uberweisung", "", ""},
      {"two words, whose order is not kept", field::body, "big world", "", "2"},
      {"in a wrong order, which scanning will tell", field::body, "world big", "", "2"},
      {"two words of which one is in another message", field::body, "big berweisung", "", ""},
      {"a part of a code", field::body, "56789abcd", "", "2"},
      {"the groups of a code in no message", field::body, "98765", "", ""},
      {"two characters of a script without spaces", field::body, "\xe6\x97\xa5\xe6\x9c\xac", "3", ""},
      {"three", field::body, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "", "3"},
      {"no character of a word", field::body, ", ", "", "1:3"},
      {"a header field", field::text, "mailer", "1", ""},
      {"not in the body", field::body, "mailer", "", ""},
      {"what was kept at delivery", field::subject, "echnun", "1", ""},
      {"a named field", field::header, "example", "", "1"},
      {"its presence", field::header, "", "1", ""},
  };
  for (const auto& one : rows) {
    CAPTURE(one.why);
    const auto found = at.ask({{.in = one.in, .name = "x-mailer", .text = one.text}});
    CHECK(found.answers[0].sure.to_string() == one.sure);
    CHECK(found.answers[0].maybe.to_string() == one.maybe);
  }
}
