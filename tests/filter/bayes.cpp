#include "briefwerk/filter/bayes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "briefwerk/base/limits/filter.hpp"
#include "briefwerk/filter/tokens.hpp"
#include "filter/html_text.hpp"
#include "filter/support.hpp"

using namespace briefwerk;
using namespace briefwerk::filter;

namespace {

constexpr base::siphash_key key = {1, 2};
constexpr std::int64_t now = 1000000;

std::string letter(const std::string& subject, const std::string& text, int number = 0) {
  return "From: Ann <ann@example.org>\r\nMessage-ID: <" + std::to_string(number) +
         "@example.org>\r\nSubject: " + subject + "\r\n\r\n" + text + "\r\n";
}
std::string ham(int number) {
  return letter("minutes of the meeting", "agenda budget quarter review number " + std::to_string(number * 7919),
                number);
}
std::string spam(int number) {
  return letter("cheap pills", "buy discount lottery winner offer " + std::to_string(number * 104729), number + 100000);
}

// Has seen so many messages of either kind.
struct trained : bayes {
  explicit trained(int messages) : bayes({.entries = 100000, .least_messages = 3}, key) {
    for (int i = 0; i < messages; ++i) {
      learn(ham(i), kind_of_mail::ham, {}, now);
      learn(spam(i), kind_of_mail::spam, {}, now);
    }
  }
};

bool holds(const std::vector<token>& all, const std::vector<token>& some) { return std::ranges::includes(all, some); }

std::string text_of_html(std::string_view html) {
  std::string out;
  append_html_text(out, html);
  return out;
}

}  // namespace

TEST_CASE("tokens: what stands there, whatever it is wrapped in") {
  const std::string head =
      "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ";
  const auto plain = tokens_of("\r\nlottery winner\r\n", key);
  CHECK_MESSAGE(holds(tokens_of(head + "base64\r\n\r\nbG90dGVyeSB3aW5uZXI=\r\n", key),
                      tokens_of("\r\nlottery winner", key)) == false,
                "the encoding itself is a token, so one does not hold all of the other");
  const auto words = [](std::string_view body) {  // the tokens of a body that no empty one has
    std::vector<token> out;
    std::ranges::set_difference(tokens_of("\r\n" + std::string(body), key), tokens_of("\r\n", key),
                                std::back_inserter(out));
    return out;
  };
  const auto wanted = words("lottery winner");
  CHECK_MESSAGE(wanted.size() == 3, "two words and the pair of them");
  CHECK_MESSAGE(holds(tokens_of(head + "base64\r\n\r\nbG90dGVyeSB3aW5uZXI=\r\n", key), wanted), "base64");
  CHECK_MESSAGE(holds(tokens_of(head + "quoted-printable\r\n\r\nlott=\r\nery =77inner\r\n", key), wanted),
                "quoted-printable");
  CHECK_MESSAGE(
      holds(tokens_of("Content-Type: text/html\r\n\r\nlot<b>te</b><!-- x -->ry&nbsp;w&#105;nner", key), wanted),
      "HTML");
  CHECK_MESSAGE(holds(tokens_of("\r\nLottery, WINNER!", key), words("lottery")), "case and punctuation");
  CHECK(plain == tokens_of("\r\nlottery winner\r\n", key));
  CHECK_MESSAGE(tokens_of("\r\nlottery winner\r\n", {1, 3}) != plain, "another key, other tokens");
}

TEST_CASE("tokens: a delivery changes nothing") {
  const std::string message = letter("hello", "see you at noon");
  const std::string delivered =
      "Return-Path: <ann@example.org>\r\nAuthentication-Results: mx.example.net; spf=pass\r\nX-Spam-Flag: YES\r\n"
      "X-Briefwerk-Spam: 7.1\r\nReceived: from relay.example.org ([192.0.2.1])\r\n by mx.example.net; today\r\n" +
      message;
  CHECK(tokens_of(message, key) == tokens_of(delivered, key));
  CHECK(identity_of(message, key) == identity_of(delivered, key));
  CHECK(identity_of(message, key) != identity_of(letter("hello", "see you at ten"), key));
}

TEST_CASE("tokens: bounded") {
  std::string words = "\r\n";
  for (int i = 0; i < 100000; ++i) words += std::to_string(i * 7919) + " ";
  const auto all = tokens_of(words, key);
  CHECK(all.size() <= base::limits::spam_tokens);
  CHECK(all.size() >= base::limits::spam_words);
  CHECK(std::ranges::adjacent_find(all, std::greater_equal()) == all.end());
}

TEST_CASE("text of HTML") {
  const struct {
    std::string_view html, text, why;
  } rows[] = {
      {"a<br>b", "a b", "a block splits"},
      {"vi<i>ag</i>ra", "viagra", "an inline tag does not"},
      {"vi<!-- > -->agra", "viagra", "nor a comment"},
      {"<style>p { x }</style>seen", " seen", "style is not seen"},
      {"<img alt=\"a > b\">x", " x", "a quoted bracket"},
      {"&#65;&#x42;&amp;&lt;", "AB&<", "entities"},
      {"a & b &nosuchthing", "a & b &nosuchthing", "a lone ampersand"},
      {"&#xd800;&#1114112;", "  ", "no character"},
      {"x<unfinished", "x", "a tag without end"},
      {"x<!-- unfinished", "x", "a comment without end"},
  };
  for (const auto& [html, text, why] : rows) {
    INFO(why);
    CHECK(text_of_html(html).substr(0, 60).find(text) != std::string::npos);
    for (std::size_t cut = 0; cut <= html.size(); ++cut) CHECK(text_of_html(html.substr(0, cut)).size() <= html.size());
  }
}

TEST_CASE("bayes: nothing learned, no opinion") {
  const bayes one({.entries = 1000, .least_messages = 3}, key);
  CHECK_FALSE(one.judge(spam(1), {}, now).known);
  CHECK_FALSE(trained(2).judge(spam(99), {}, now).known);
}

TEST_CASE("bayes: learns, and takes back") {
  trained one(10);
  CHECK(one.judge(spam(99), {}, now).spam > 0.95);
  CHECK(one.judge(ham(99), {}, now).spam < 0.05);
  CHECK_MESSAGE(one.judge(letter("Ann", "unheard"), {}, now).known, "undecided is an opinion too");

  const auto before = one.learned({}, now);
  CHECK_MESSAGE(!one.learn(spam(0), kind_of_mail::spam, {}, now), "counted already");
  CHECK(one.learned({}, now).spam == before.spam);
  CHECK(one.learn(spam(0), kind_of_mail::ham, {}, now));
  CHECK_MESSAGE(one.learned({}, now).spam == before.spam - 1, "taken back before it counts as the other");
  CHECK(one.learned({}, now).ham == before.ham + 1);
  CHECK(one.unlearn(spam(0), {}, now));
  CHECK_FALSE(one.unlearn(spam(0), {}, now));
  CHECK(one.learned({}, now).ham == before.ham);
  for (int i = 1; i < 10; ++i) {
    one.unlearn(spam(i), {}, now);
    one.unlearn(ham(i), {}, now);
  }
  one.unlearn(ham(0), {}, now);
  CHECK(one.learned({}, now).spam == 0);
  CHECK(one.learned({}, now).ham == 0);
}

TEST_CASE("bayes: an account's own over the shared prior") {
  trained one(10);
  CHECK(one.judge(spam(99), "ann", now).spam > 0.95);
  for (int i = 200; i < 220; ++i) one.learn(spam(i), kind_of_mail::ham, "ann", now);
  CHECK_MESSAGE(one.judge(spam(99), "ann", now).spam < 0.5, "she wants them");
  CHECK_MESSAGE(one.judge(spam(99), "bob", now).spam > 0.95, "he has said nothing");
}

TEST_CASE("bayes: what an account taught is forgotten, and nothing else") {
  trained one(10);
  for (int i = 200; i < 220; ++i) one.learn(spam(i), kind_of_mail::ham, "ann", now);
  one.learn(spam(200), kind_of_mail::ham, "bob", now);
  const auto before = one.size();
  testing::memory_store rows;
  one.state().save(rows, now);
  CHECK(one.forget("ann") > 20);
  CHECK(one.forget("ann") == 0);
  CHECK(one.learned("ann", now).ham == 0);
  CHECK(one.learned("bob", now).ham == 1);
  CHECK(one.judge(spam(99), "ann", now).spam > 0.95);
  one.state().save(rows, now);
  CHECK_MESSAGE(rows.kept.size() < before, "the rows are gone as well");
  CHECK_MESSAGE(one.learn(spam(200), kind_of_mail::ham, "ann", now), "a new beginning");
}

TEST_CASE("bayes: what is judged well is not counted") {
  bayes one({.entries = 100000, .least_messages = 3}, key);
  int counted = 0;
  for (int i = 0; i < 300; ++i) {
    counted += one.learn(ham(i), kind_of_mail::ham, {}, now);
    counted += one.learn(spam(i), kind_of_mail::spam, {}, now);
  }
  CHECK(counted < 600);
  CHECK(one.judge(spam(999), {}, now).spam > 0.95);
}

TEST_CASE("bayes: bounded, kept over a restart, forgotten in time") {
  testing::memory_store rows;
  {
    trained one(10);
    one.state().save(rows, now);
  }
  for (const auto& [row, value] : rows.kept) {
    CHECK(row.size() == 16);
    CHECK_MESSAGE((row + value).find("lottery") == std::string::npos, "hashes and numbers, no words");
  }
  bayes again({.entries = 100000, .least_messages = 3}, key);
  REQUIRE(again.state().load(rows, now));
  CHECK(again.judge(spam(99), {}, now).spam > 0.95);
  CHECK_MESSAGE(again.judge(spam(99), {}, now + 500 * 86400).spam == 0.5, "the tokens have expired");

  bayes small({.entries = 2000, .least_messages = 3}, key);
  for (int i = 0; i < 2000; ++i)
    small.learn(letter("x", std::to_string(i * 7919), i), i % 2 ? kind_of_mail::ham : kind_of_mail::spam, {}, now + i);
  testing::memory_store few;
  small.state().save(few, now);
  CHECK(few.kept.size() <= 2000 + 64);
}
