// SEARCH in header fields of many messages: the texts that are kept of them, and a session's answers with and without them.

#include <map>
#include <random>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/summary.hpp"
#include "imap_support.hpp"
#include "server/imap/searched_texts.hpp"

namespace imap = briefwerk::server::imap;
namespace mail = briefwerk::mail;
namespace store = briefwerk::store;
namespace base = briefwerk::base;
namespace t = briefwerk::server::testing;
using base::sync_wait;
using imap::verdict;
using mail::envelope_field;
using t::client;
using t::house;

namespace {

using numbers = std::vector<std::uint32_t>;

std::string name_of(std::span<const verdict> found) {
  std::string out;
  for (const verdict one : found) out += one == verdict::yes ? 'y' : one == verdict::no ? 'n' : '?';
  return out;
}

}  // namespace

TEST_CASE("a block of texts says who holds a text") {
  imap::text_block block;
  const std::string_view texts[] = {"ABC", "", "ABCABC", "XAB", "CX", "\xc3\x84" "B"};
  for (std::uint32_t i = 0; i < std::size(texts); ++i) block.add(10 + 2 * i, texts[i]);
  block.add(30, std::string(imap::text_block::longest, 'L'));
  block.add(40, std::string(imap::text_block::longest + 1, 'L'));
  struct row {
    const char* why;
    std::string_view needle;
    numbers wanted;
    std::string found;
  };
  const row rows[] = {
      {"all of them", "ABC", {10, 12, 14, 16, 18, 20, 30, 40}, "ynynnnn?"},
      {"at the end, at the beginning", "X", {10, 12, 14, 16, 18, 20}, "nnnyyn"},
      {"nothing is found across two texts", "BC", {16, 18}, "nn"},
      {"nor from one to the one behind an empty one", "CA", {10, 12, 14}, "nny"},
      {"the whole text", "ABCABC", {10, 14}, "ny"},
      {"octets of a character", "\xc3\x84", {10, 20}, "ny"},
      {"the longest that is kept, and one that is too long", "LL", {30, 40}, "y?"},
      {"of the others nothing is said", "ABC", {1, 10, 11, 13, 14, 15, 35, 50}, "?y??y???"},
      {"one of many", "CX", {18}, "y"},
      {"nobody", "ABCD", {10, 14, 40}, "nn?"},
      {"nobody is asked for", "ABC", {}, ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    std::vector<verdict> found(row.wanted.size(), verdict::unknown);
    block.judge(row.needle, row.wanted, found);
    CHECK(name_of(found) == row.found);
    // The same of two halves that are joined.
    imap::text_block odd, even;
    for (std::uint32_t i = 0; i < std::size(texts); ++i) (i % 2 == 0 ? even : odd).add(10 + 2 * i, texts[i]);
    even.add(30, std::string(imap::text_block::longest, 'L'));
    odd.add(30, std::string(imap::text_block::longest, 'L'));
    odd.add(40, std::string(imap::text_block::longest + 1, 'L'));
    const auto both = imap::text_block::merged(odd, even);
    CHECK(both.uids().size() == block.uids().size());
    std::ranges::fill(found, verdict::unknown);
    both.judge(row.needle, row.wanted, found);
    CHECK(name_of(found) == row.found);
  }
}

TEST_CASE("a column of texts answers what a naive reader would, whatever comes in which order") {
  std::mt19937 random(7);
  for (int round = 0; round < 30; ++round) {
    imap::text_column column;
    std::map<std::uint32_t, std::string> expected;
    for (int part = 0; part < 6; ++part) {
      std::map<std::uint32_t, imap::text_block> blocks;
      std::uint32_t uid = random() % 3000;
      for (unsigned i = random() % 200; i > 0; --i) {
        uid += 1 + random() % 20;
        const auto known = expected.find(uid);
        std::string text = known != expected.end() ? known->second : "";
        if (known == expected.end())
          for (unsigned length = random() % 6; length > 0; --length) text += "AB"[random() % 2];
        blocks[uid / imap::text_column::block_uids].add(uid, text);
        expected.emplace(uid, text);
      }
      for (auto& [number, block] : blocks) column.put(number, std::move(block));
    }
    CHECK(column.messages() == expected.size());
    numbers wanted;
    for (std::uint32_t uid = 0; uid < 8000; uid += 1 + random() % 9) wanted.push_back(uid);
    numbers missing, absent;
    column.find_missing(wanted, missing);
    for (std::uint32_t i = 0; i < wanted.size(); ++i)
      if (!expected.contains(wanted[i])) absent.push_back(i);
    CHECK(missing == absent);
    for (const std::string_view needle : {"A", "AB", "BAB", "ABBA"}) {
      std::vector<verdict> found(wanted.size(), verdict::unknown);
      for (std::size_t i = 0; i < column.count(); ++i) column.at(i).judge(needle, wanted, found);
      std::string naive;
      for (const std::uint32_t uid : wanted)
        naive += !expected.contains(uid) ? '?' : expected[uid].find(needle) != std::string::npos ? 'y' : 'n';
      CHECK(name_of(found) == naive);
    }
  }
}

namespace {

std::string message(std::mt19937& random, unsigned number) {
  // RFC 2047 words, raw UTF-8, a charset that only guessing finds, and folding in the middle of a word of a search.
  const char* const subjects[] = {"Subject: Order Nr ", "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= Nr ", "Subject: gr\xc3\xbc\xc3\x9f" "e Nr ",
                                  "Subject: =?iso-8859-1?q?GR=DCN?= Nr ", "Subject: \"quoted\\ back\" Nr ", "Subject: two\r\n lines Nr "};
  std::string out;
  if (random() % 8 != 0) out += subjects[random() % std::size(subjects)] + std::to_string(number) + "\r\n";
  if (random() % 8 != 0) out += "From: =?utf-8?q?J=C3=B6rg?= \"Sm(i)th\" <p" + std::to_string(random() % 30) + "@x.test>\r\n";
  if (random() % 4 != 0) {
    out += "To: ";
    for (unsigned i = random() % 4; i > 0; --i) out += "T" + std::to_string(random() % 30) + " <t" + std::to_string(random() % 30) + "@y.test>, ";
    out += "last@y.test\r\n";
  }
  // Too long to be kept.
  if (number % 97 == 0) {
    out += "Cc: ";
    for (unsigned i = 0; i < 300; ++i) out += "c" + std::to_string(i) + "@copies.test,\r\n ";
    out += "end" + std::to_string(number) + "@copies.test\r\n";
  }
  if (random() % 10 == 0) out += "Bcc: secret@z.test\r\n";
  if (random() % 10 != 0) out += "Message-ID: <" + std::to_string(number) + "@ids.test>\r\n";
  out += "Date: Mon, " + std::to_string(1 + random() % 28) + " Jan 2024 10:00:00 +0000\r\n";
  return out + "X-Kind: " + (random() % 2 == 0 ? "even" : "odd") + "\r\n\r\nwords\r\n";
}

// RFC 9051 §6.4.4: strings are found anywhere in a field, whatever their case (RFC 5051: i;unicode-casemap), an empty one
// wherever the field is. Addresses as name <mailbox@host>.
const char* const programs[] = {
    "SUBJECT \"order\"", "SUBJECT \"ORDER NR 1\"", "NOT SUBJECT \"nr 2\"", "SUBJECT {7+}\r\nGR\xc3\x9c\xc3\x9f" "e", "SUBJECT {4+}\r\ngr\xc3\xbc",
    "SUBJECT \"grun\"", "SUBJECT \"two lines\"", "SUBJECT \"\"", "NOT SUBJECT \"\"", "HEADER Subject \"\"", "HEADER Message-Id \"\"",
    "HEADER Message-Id \"12@IDS\"", "FROM \"p1\"", "FROM {5+}\r\nj\xc3\xb6rg", "FROM \"SM(I)TH\"", "FROM \"<p7@x.TEST>\"", "TO \"t3\"", "TO \"y.test>, \"",
    "TO \"\"", "CC \"c299@copies\"", "CC \"end97@\"", "NOT CC \"copies\"", "BCC \"SECRET\"", "OR FROM \"p2\" TO \"t2\"",
    "FROM \"p1\" NOT TO \"t1\" SUBJECT \"nr\"", "SUBJECT \"nr 3\" SENTSINCE 10-Jan-2024", "SUBJECT \"nr 4\" HEADER X-Kind \"odd\"",
    "OR SUBJECT \"nr 5\" BODY \"words\"", "NOT OR SUBJECT \"nr\" FROM \"p\"", "UNSEEN SUBJECT \"nr 1\"", "100:900 SUBJECT \"1\"",
    "UID 700:* TO \"T1\"", "SUBJECT \"nobody wrote this\"", "FUZZY SUBJECT \"order\""};

}  // namespace

TEST_CASE("SEARCH answers the same whatever is kept, while mailboxes change") {
  // What is told without anything kept of the same mail by the same commands.
  std::vector<std::vector<std::string>> told;
  struct row {
    const char* why;
    std::uint64_t memory;
    bool keeps;
  };
  const row rows[] = {{"nothing is kept: messages are looked at", 0, false},
                      {"all texts are kept", 64u << 20, true},
                      {"room for one mailbox at most, and not for all of its fields", 200'000, true},
                      {"no room", 1000, false}};
  for (const auto& row : rows) {
    CAPTURE(row.why);
    house home(t::channel::plain, 2, [&](briefwerk::server::imap_options& options) { options.search_memory = row.memory; });
    std::mt19937 random(29);
    unsigned number = 0;
    const auto append = [&](const char* mailbox, std::size_t count) {
      std::vector<std::string> octets, summaries;
      for (std::size_t i = 0; i < count; ++i) {
        octets.push_back(message(random, ++number));
        // Of some nothing was kept at delivery.
        summaries.push_back(random() % 50 == 0 ? "" : mail::encode_summary(mail::summarise(octets.back())));
      }
      std::vector<store::message_source> pieces;
      std::vector<store::local_target> targets(count);
      for (std::size_t i = 0; i < count; ++i) {
        pieces.push_back({octets[i], summaries[i]});
        targets[i].account = home.alice();
        targets[i].mailbox = mailbox;
      }
      REQUIRE(sync_wait(home.mail().append(std::move(pieces), std::move(targets))).has_value());
    };
    client c(home), other(home);
    for (client* one : {&c, &other}) one->login();
    append("INBOX", 1500);
    append("Archive", 700);
    c.command("SELECT INBOX");
    other.command("SELECT Archive");
    std::size_t at = 0;
    const auto check = [&] {
      std::vector<std::string> answers;
      for (client* one : {&c, &other}) {
        one->command("NOOP");
        for (const char* program : programs) {
          CAPTURE(program);
          const auto said = one->command(std::string("UID SEARCH CHARSET UTF-8 ") + program);
          REQUIRE_MESSAGE(said.back().find(" OK ") != std::string::npos, said.back());
          answers.push_back(said.front());
          if (at < told.size()) CHECK(said.front() == told[at][answers.size() - 1]);
        }
      }
      if (row.memory == 0) told.push_back(std::move(answers));
      ++at;
    };
    check();
    check();
    append("INBOX", 30);
    check();
    c.command("STORE 100:200,1400 +FLAGS.SILENT (\\Deleted)");
    c.command("EXPUNGE");
    check();
    c.command("MOVE 1:800 Archive");
    check();
    const auto& held = home.figures().get_counter("imap.searched_texts.octets");
    CHECK(held.value() <= static_cast<std::int64_t>(row.memory));
    CHECK((held.value() > 0) == row.keeps);
    // Most of what was known is gone, and others come.
    c.command("STORE 1:* +FLAGS.SILENT (\\Deleted)");
    c.command("EXPUNGE");
    append("INBOX", 600);
    check();
    c.command("UNSELECT");
    other.command("DELETE Archive");
    other.command("UNSELECT");
    c.command("CREATE Archive");
    append("Archive", 600);
    c.command("SELECT INBOX");
    other.command("SELECT Archive");
    check();
  }
  CHECK(told.size() == 7);
  CHECK(told[0][0] != "* SEARCH");
  CHECK(told[0] != told[4]);
}

TEST_CASE("ESEARCH in several mailboxes finds in kept texts") {
  house home;
  client c(home);
  c.login();
  std::mt19937 random(3);
  for (const char* mailbox : {"INBOX", "One", "Two"}) {
    c.command(std::string("CREATE ") + mailbox);
    for (unsigned i = 0; i < 600; ++i) {
      const std::string octets = message(random, i), summary = mail::encode_summary(mail::summarise(octets));
      store::local_target target;
      target.account = home.alice();
      target.mailbox = mailbox;
      REQUIRE(sync_wait(home.mail().append({{octets, summary}}, {target})).has_value());
    }
  }
  c.command("SELECT INBOX");
  const auto sorted = [](std::vector<std::string> said) {
    said.pop_back();
    for (auto& line : said) line.erase(line.find("TAG "), line.find(')') - line.find("TAG "));
    return said;
  };
  const auto first = sorted(c.command("ESEARCH IN (personal) RETURN (COUNT) SUBJECT \"nr 1\""));
  CHECK(first.size() == 3);
  CHECK(home.figures().get_counter("imap.searched_texts.octets").value() > 0);
  CHECK(sorted(c.command("ESEARCH IN (personal) RETURN (COUNT) SUBJECT \"nr 1\"")) == first);
}
