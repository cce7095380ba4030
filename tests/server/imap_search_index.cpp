// SEARCH with a full-text index answers what it answers without one.

#include <atomic>

#include "briefwerk/mail/summary.hpp"
#include "briefwerk/search.hpp"
#include "imap_support.hpp"
#include "search/account_indexer.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::server::testing;

// The index itself, counted.
class counting_finder final : public search::finder {
 public:
  base::task<base::result<search::findings>> find(store::account_id account, store::mailbox_id mailbox,
                                                  std::vector<search::probe> probes) override {
    ++asked;
    if (broken) co_return base::fail(base::errc::unavailable);
    co_return where->find(account, mailbox, probes);
  }
  std::unique_ptr<search::index> where;
  std::atomic<int> asked{0};
  std::atomic<bool> broken{false};
};

struct indexed_house {
  indexed_house() {
    std::string name = (std::filesystem::temp_directory_path() / "briefwerk-index-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    auto opened = search::open_xapian_index(folder);
    REQUIRE(opened.has_value());
    finder.where = std::move(*opened);
  }
  ~indexed_house() { std::filesystem::remove_all(folder); }
  void build() {
    const search::service_options options{.least_messages = 1, .batch = 1};
    search::account_indexer indexer(*finder.where, at.mail(), options, [] { return false; }, [] {});
    const auto done = indexer.run(at.alice(), true);
    REQUIRE(done.has_value());
    CHECK_FALSE(done->more);
  }

  std::string folder;
  counting_finder finder;
  house at{channel::plain, 1, [this](server::imap_options& options) { options.finder = &finder; }};
};

std::string message(int number) {
  const bool odd = number % 2 == 1;
  const std::string text = std::string("Content-Type: text/plain; charset=iso-8859-1\r\n\r\nK\xf6ln, the ") +
                           (number % 5 == 0 ? "fifth" : "usual") + " message, code 00aa11bb22cc" + std::to_string(number) + "dd.\r\n";
  const std::string head = "From: Sender <sender" + std::to_string(number) + "@example.org>\r\nSubject: " +
                           (odd ? "Odd" : "=?utf-8?q?Gr=C3=BC=C3=9Fe?=") + " number " + std::to_string(number) +
                           "\r\nX-Kind: " + (number % 3 == 0 ? "third" : "plain") + "\r\n";
  if (number % 7 != 0) return head + text;
  return head + "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + text +
         "--b\r\nContent-Type: application/pdf; name*=utf-8''Beleg%20" + std::to_string(number) +
         ".pdf\r\nX-Part: seventh\r\n\r\nx\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nStatus: 5.1.1\r\n--b--\r\n";
}

const char* const programs[] = {
    "BODY \"usual\"", "BODY \"usu\"", "NOT BODY \"usual\"", "BODY \"K\"", "BODY \"usual message\"", "BODY \"message usual\"",
    "OR BODY \"fifth\" SUBJECT \"odd\"", "NOT OR BODY \"fifth\" HEADER X-Kind \"third\"", "TEXT \"third\"", "TEXT \"beleg 1\"", "TEXT \"seventh\"",
    "BODY \"seventh\"", "HEADER X-Part \"seventh\"", "BODY \"5.1.1\"", "TEXT \"cc17dd\"",
    "SUBJECT \"number 1\"", "NOT SUBJECT \"odd\"", "HEADER X-Kind \"hir\"", "HEADER X-Kind \"\"", "HEADER X-None \"\"",
    "NOT HEADER X-Kind \"third\"", "FROM \"sender12\"", "FROM \"der7@example\"", "BODY \"fifth\" SUBJECT \"odd\" FROM \"sender1\"",
    "SUBJECT \"odd\" OR BODY \"fifth\" HEADER X-Kind \"third\"", "TO \"nobody\"", "BODY \", \"", "UNSEEN BODY \"fifth\" 10:90",
    "BODY \"22cc1\" NOT TEXT \"usual\"", "BODY \"absent\"", "NOT BODY \"absent\"", "BODY {5+}\r\nk\xc3\xb6ln", "SUBJECT {7+}\r\ngr\xc3\xbc\xc3\x9f" "e"};

}  // namespace

TEST_CASE("SEARCH answers the same with an index, whole, lagging, gone, and with changes in between") {
  indexed_house here;
  client c(here.at);
  c.login();
  for (int i = 0; i < 600; ++i) {
    const std::string summary = mail::encode_summary(mail::summarise(message(i)));
    REQUIRE(base::sync_wait(here.at.mail().deliver({message(i), summary}, {{.account = here.at.alice()}}, {})));
  }
  c.command("SELECT INBOX");
  const auto all_answers = [&] {
    std::vector<std::string> out;
    for (const char* program : programs) {
      const std::string charset = std::string_view(program).find('{') == std::string_view::npos ? "" : "CHARSET UTF-8 ";
      const auto said = c.command("UID SEARCH " + charset + program);
      REQUIRE_MESSAGE(said.back().find(" OK ") != std::string::npos, said.back());
      out.push_back(said.front());
    }
    return out;
  };
  const auto scanned = all_answers();
  CHECK(here.finder.asked > 0);  // in vain
  CHECK(scanned[0] != scanned[2]);
  here.build();
  CHECK(all_answers() == scanned);

  for (int i = 600; i < 640; ++i) {
    const std::string summary = mail::encode_summary(mail::summarise(message(i)));
    REQUIRE(base::sync_wait(here.at.mail().deliver({message(i), summary}, {{.account = here.at.alice()}}, {})));
  }
  c.command("UID STORE 20:40 +FLAGS.SILENT (\\Deleted)");
  c.command("EXPUNGE");
  const auto lagging = all_answers();
  here.finder.broken = true;
  CHECK(all_answers() == lagging);
  here.finder.broken = false;
  here.build();
  CHECK(all_answers() == lagging);
  CHECK(lagging != scanned);

  // Another mailbox has another place in the same index.
  c.command("CREATE Other");
  c.command("UID COPY 100:300 Other");
  here.build();
  c.command("SELECT Other");
  const auto indexed = all_answers();
  here.finder.broken = true;
  CHECK(all_answers() == indexed);
}

TEST_CASE("the index is not asked where few messages are open") {
  indexed_house here;
  client c(here.at);
  c.login();
  for (int i = 0; i < 60; ++i) c.append("INBOX", message(i));
  c.command("SELECT INBOX");
  here.finder.asked = 0;
  c.command("UID SEARCH 1:20 BODY \"fifth\"");
  c.command("UID SEARCH SUBJECT \"odd\"");
  c.command("UID SEARCH FLAGGED BODY \"fifth\"");
  CHECK(here.finder.asked == 0);
  c.command("UID SEARCH BODY \"fifth\"");
  CHECK(here.finder.asked == 1);
}

TEST_CASE("SEARCH=FUZZY (RFC 6203): scores, order, the same with an index") {
  indexed_house here;
  client c(here.at);
  c.login();
  c.append("INBOX", "Subject: Helo world\r\n\r\nnothing\r\n");
  c.append("INBOX", "Subject: other\r\n\r\nsay hello\r\n");
  c.append("INBOX", "Subject: helos\r\n\r\nmore\r\n");
  c.append("INBOX", "Subject: none\r\n\r\nof it\r\n");
  c.command("SELECT INBOX");
  CHECK(c.command("CAPABILITY").front().find(" SEARCH=FUZZY") != std::string::npos);
  CHECK(c.command("SEARCH FUZZY TEXT Helo").front() == "* SEARCH 1 2 3");
  CHECK(c.command("SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT Helo").front() == "* ESEARCH (TAG \"t9\") ALL 1:3 RELEVANCY (100 10 50)");
  CHECK(c.command("SORT (RELEVANCY) UTF-8 FUZZY TEXT Helo").front() == "* SORT 1 3 2");
  CHECK(c.command("SORT (REVERSE RELEVANCY) UTF-8 FUZZY TEXT Helo").front() == "* SORT 2 3 1");
  CHECK(c.command("SORT RETURN (RELEVANCY PARTIAL 1:2) (RELEVANCY) UTF-8 FUZZY TEXT Helo").front() ==
        "* ESEARCH (TAG \"t12\") PARTIAL (1:2 1,3) RELEVANCY (100 50)");
  CHECK(c.command("SEARCH RETURN (RELEVANCY) FUZZY TEXT absent").front() == "* ESEARCH (TAG \"t13\") RELEVANCY ()");
  CHECK(c.command("SEARCH RETURN (RELEVANCY ALL) FUZZY SUBJECT hellos").front() == "* ESEARCH (TAG \"t14\") ALL 3 RELEVANCY (10)");
  CHECK(c.command("SEARCH RETURN (RELEVANCY ALL) FUZZY (OR SUBJECT helo BODY hello NOT SEEN)").front() ==
        "* ESEARCH (TAG \"t15\") ALL 1:3 RELEVANCY (100 100 50)");
  CHECK(c.command("SEARCH RETURN (RELEVANCY ALL) FUZZY UNSEEN").front() == "* ESEARCH (TAG \"t16\") ALL 1:4 RELEVANCY (100 100 100 100)");
  CHECK(c.command("SORT (RELEVANCY) UTF-8 TEXT Helo").back().find(" BAD ") != std::string::npos);

  for (int i = 0; i < 600; ++i) c.append("INBOX", message(i));
  const char* const fuzzy[] = {"FUZZY BODY usula", "FUZZY TEXT \"messages fift\"", "FUZZY SUBJECT \"numer 1\"", "NOT FUZZY BODY usaul",
                               "FUZZY (SUBJECT od BODY fith)", "FUZZY HEADER X-Kind thrid", "FUZZY FROM sender", "FUZZY BODY 22cc17dd"};
  const auto answers = [&] {
    std::vector<std::string> out;
    for (const char* program : fuzzy) {
      const auto said = c.command("UID SEARCH RETURN (RELEVANCY ALL) " + std::string(program));
      REQUIRE_MESSAGE(said.back().find(" OK ") != std::string::npos, said.back());
      const std::string line = said[said.size() - 2];
      out.push_back(line.substr(line.find(')')));
    }
    return out;
  };
  const auto scanned = answers();
  here.build();
  here.finder.asked = 0;
  CHECK(answers() == scanned);
  CHECK(here.finder.asked > 0);
}
