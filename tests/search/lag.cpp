// An index that lags, is damaged or gone, and the service that keeps it up to date.

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <thread>

#include "search/xapian_database.hpp"
#include "support.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::search;
using namespace briefwerk::search::testing;
using namespace std::chrono_literals;

std::string message(int number, std::string_view word = "common") {
  return "Subject: number " + std::to_string(number) + "\r\n\r\nThe word is " + std::string(word) + ".\r\n";
}

const std::vector<probe> common{{.in = field::body, .name = {}, .text = "common"}};

// The indexer belongs to the idle class: where other programs want every processor it gets little of them.
void wait_until(const std::function<bool()>& there, int line = __builtin_LINE()) {
  CAPTURE(line);
  const auto latest = std::chrono::steady_clock::now() + 4min;
  bool met = there();
  for (; !met && std::chrono::steady_clock::now() < latest; met = there()) std::this_thread::sleep_for(20ms);
  CHECK(met);
}

void overwrite(const std::string& folder, std::string_view with) {
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    if (file.path().extension() != ".glass") continue;
    std::ofstream out(file.path(), std::ios::binary | std::ios::trunc);
    for (std::uintmax_t size = 0; size < 8192; size += with.size()) out << with;
  }
}

// Hands everything on; one turn of the indexer is held up, and fails.
class failing_once final : public index {
 public:
  explicit failing_once(index& under) : under_(under) {}
  base::result<findings> find(const store::account_id& account, store::mailbox_id mailbox, const std::vector<probe>& probes) override {
    return under_.find(account, mailbox, probes);
  }
  base::result<std::unique_ptr<index_writer>> write(const store::account_id& account) override { return under_.write(account); }
  base::result<std::vector<indexed_mailbox>> state(const store::account_id& account) override {
    if (holds.exchange(false)) {
      held = true;
      while (held) std::this_thread::sleep_for(1ms);
      return base::fail(base::errc::unavailable);
    }
    return under_.state(account);
  }
  base::status erase(const store::account_id& account) override {
    ++erased;
    return under_.erase(account);
  }
  std::vector<store::account_id> accounts() const override { return under_.accounts(); }

  std::atomic<bool> holds{false}, held{false};
  std::atomic<int> erased{0};

 private:
  index& under_;
};

}  // namespace

TEST_CASE("what is not indexed yet is said") {
  house at;
  CHECK(at.ask(common).below == 0);
  for (int i = 0; i < 5; ++i) at.deliver(message(i));
  at.build();
  for (int i = 5; i < 8; ++i) at.deliver(message(i));
  auto found = at.ask(common);
  CHECK(found.below == 6);
  CHECK(found.answers[0].sure.to_string() == "1:5");
  CHECK(found.fit(*at.snapshot()));
  CHECK(at.build().indexed == 3);
  CHECK(at.ask(common).answers[0].sure.to_string() == "1:8");
}

TEST_CASE("messages and mailboxes that are gone leave the index") {
  house at;
  REQUIRE(sync_wait(at.mail().create(at.account, "Other", std::nullopt)));
  for (int i = 0; i < 10; ++i) at.deliver(message(i));
  for (int i = 0; i < 4; ++i) at.deliver(message(i), "Other");
  at.build();
  at.expunge({{3, 4}, {10, 10}});
  CHECK(at.build().removed == 3);
  const auto found = at.ask(common);
  CHECK(found.answers[0].sure.to_string() == "1:2,5:9");
  CHECK(found.fit(*at.snapshot()));
  REQUIRE(sync_wait(at.mail().remove(at.account, "Other")));
  CHECK(at.build().removed == 4);
  CHECK(at.where().state(at.account)->size() == 1);
}

TEST_CASE("an index of another past does not fit") {
  house at;
  for (int i = 0; i < 5; ++i) at.deliver(message(i));
  at.build();
  const auto found = at.ask(common);
  auto now = *at.snapshot();
  CHECK(found.fit(now));
  auto other = found;
  other.last_email_id[0] ^= 1;
  CHECK_FALSE(other.fit(now));
  now.uid_next = 3;
  CHECK_FALSE(found.fit(now));
  now = *at.snapshot();
  ++now.uid_validity;
  CHECK_FALSE(found.fit(now));
}

TEST_CASE("what was not committed is not there") {
  house at;
  for (int i = 0; i < 3; ++i) at.deliver(message(i));
  at.build();
  {
    auto writer = at.where().write(at.account);
    REQUIRE(writer.has_value());
    CHECK(at.where().write(at.account) == base::fail(base::errc::unavailable));
    const auto entry = at.snapshot()->at(0);
    const std::string octets = message(9);
    REQUIRE((*writer)->add(at.inbox(), {.entry = &entry, .summary = {}, .octets = octets}));
    REQUIRE((*writer)->reached(at.inbox(), 1, 100));
  }
  CHECK(at.ask(common).below == 4);
  CHECK(at.where().write(at.account).has_value());
}

TEST_CASE("many UIDs, in several blocks and mailboxes") {
  house at;
  auto writer = std::move(*at.where().write(at.account));
  store::message_entry entry;
  for (std::uint32_t uid = 1; uid < 14000; uid += 7) {
    entry.uid = uid;
    for (const store::mailbox_id mailbox : {7u, 9u}) {
      const std::string octets = message(1, (uid + mailbox) % 3 == 0 ? "third" : "other");
      REQUIRE(writer->add(mailbox, {.entry = &entry, .summary = {}, .octets = octets}));
      REQUIRE(writer->reached(mailbox, 1, uid + 1));
    }
    if (uid % 100 == 1) REQUIRE(writer->commit());
  }
  REQUIRE(writer->commit());
  for (const store::mailbox_id mailbox : {7u, 9u}) {
    mail::uid_set expected;
    for (std::uint32_t uid = 1; uid < 14000; uid += 7)
      if ((uid + mailbox) % 3 == 0) expected.insert(uid);
    const auto found = at.where().find(at.account, mailbox, {{.in = field::body, .name = {}, .text = "thir"}});
    REQUIRE(found.has_value());
    CHECK(found->answers[0].sure == expected);
  }
}

TEST_CASE("a commit can be held up between any two documents, and readers see nothing of it before its end") {
  house at;
  auto writer = std::move(*at.where().write(at.account));
  store::message_entry entry;
  for (entry.uid = 1; entry.uid <= 5; ++entry.uid) {
    const std::string octets = message(static_cast<int>(entry.uid));
    REQUIRE(writer->add(at.inbox(), {.entry = &entry, .summary = {}, .octets = octets}));
  }
  REQUIRE(writer->reached(at.inbox(), 1, 6));
  int held_up = 0;
  REQUIRE(writer->commit([&] {
    ++held_up;
    CHECK(at.ask(common).below == 0);
  }));
  CHECK(held_up >= 5);
  CHECK(at.ask(common).below == 6);
}

TEST_CASE("words of messages that are gone leave the list of words, and all others stay") {
  house at;
  store::message_entry entry;
  const auto lettered = [](std::uint32_t number) {
    std::string out = "w";
    for (; number != 0; number /= 20) out += static_cast<char>('a' + number % 20);
    return out + "x";
  };
  auto writer = std::move(*at.where().write(at.account));
  for (entry.uid = 1; entry.uid <= 6000; ++entry.uid) {
    std::string octets = "Subject: s\r\n\r\n";
    for (std::uint32_t i = 0; i < 5; ++i) octets += lettered(entry.uid * 5 + i) + " ";
    REQUIRE(writer->add(at.inbox(), {.entry = &entry, .summary = {}, .octets = octets}));
  }
  REQUIRE(writer->reached(at.inbox(), 1, 6001));
  REQUIRE(writer->commit());
  const auto part_is_there = [&](std::uint32_t part) {
    return !Xapian::Database(at.index_folder()).get_metadata(words_key(term_field::body, part)).empty();
  };
  CHECK(part_is_there(2));
  REQUIRE(writer->remove(at.inbox(), {{11, 5990}}));
  REQUIRE(writer->commit());
  CHECK(part_is_there(0));
  CHECK_FALSE(part_is_there(1));
  entry.uid = 6001;
  REQUIRE(writer->add(at.inbox(), {.entry = &entry, .summary = {}, .octets = "Subject: s\r\n\r\nlatecomer\r\n"}));
  REQUIRE(writer->reached(at.inbox(), 1, 6002));
  REQUIRE(writer->commit());
  const auto sure = [&](const std::string& text) { return at.ask({{.in = field::body, .name = {}, .text = text}}).answers[0].sure.to_string(); };
  for (const std::uint32_t uid : {1u, 10u, 5991u, 6000u}) CHECK(sure(lettered(uid * 5 + 3)) == std::to_string(uid));
  CHECK(sure(lettered(5000)).empty());
  CHECK(sure("atecome") == "6001");
}

TEST_CASE("a message whose octets cannot be read, or that has too many words, is left to scanning") {
  house at;
  auto writer = std::move(*at.where().write(at.account));
  store::message_entry entry;
  entry.uid = 1;
  REQUIRE(writer->add(at.inbox(), {.entry = &entry, .summary = {}, .octets = {}}));
  std::string large = "Subject: large\r\n\r\n";
  for (int i = 0; i < 30000; ++i) large += "word" + std::string(1, static_cast<char>('a' + i % 26)) + std::to_string(i) + "\r\n";
  entry.uid = 2;
  REQUIRE(writer->add(at.inbox(), {.entry = &entry, .summary = {}, .octets = large}));
  REQUIRE(writer->reached(at.inbox(), 1, 3));
  REQUIRE(writer->commit());
  const auto found = at.ask({{.in = field::body, .name = {}, .text = "29999"}, {.in = field::body, .name = {}, .text = "worda0"}});
  CHECK(found.answers[0].maybe.to_string() == "1:2");
  CHECK(found.answers[1].sure.to_string() == "2");
}

TEST_CASE("a damaged index is told, and built anew by the service") {
  for (const std::string_view garbage : {std::string_view("garbage!"), std::string_view("\0\0\0\0\0\0\0\0", 8)}) {
    house at;
    for (int i = 0; i < 50; ++i) at.deliver(message(i));
    at.build();
    overwrite(at.index_folder(), garbage);
    auto again = open_xapian_index(std::filesystem::path(at.index_folder()).parent_path());
    REQUIRE(again.has_value());
    const auto found = (*again)->find(at.account, at.inbox(), common);
    const bool answered = found.has_value() && found->below != 0;
    CHECK_FALSE(answered);
    service_options options{.least_messages = 1, .batch = 1};
    options.settle = 10ms;
    service indexing(**again, at.mail(), at.directory(), options);
    indexing.start();
    wait_until([&] {
      const auto now = (*again)->find(at.account, at.inbox(), common);
      return now && now->below == 51 && now->answers[0].sure.to_string() == "1:50";
    });
  }
}

TEST_CASE("the service indexes what comes, forgets what goes, and answers") {
  house at;
  service_options options{.least_messages = 5, .batch = 3};
  options.settle = 5ms;
  options.lag = 1h;
  service indexing(at.where(), at.mail(), at.directory(), options);
  indexing.start();
  const auto below = [&] {
    const auto found = sync_wait(indexing.find(at.account, at.inbox(), common));
    REQUIRE(found.has_value());
    return found->below;
  };
  for (int i = 0; i < 4; ++i) at.deliver(message(i));
  std::this_thread::sleep_for(50ms);
  CHECK(below() == 0);  // too few to be worth it
  for (int i = 4; i < 6; ++i) at.deliver(message(i));
  wait_until([&] { return below() >= 6; });
  const auto reached = below();
  for (int i = 0; i < 5; ++i) at.deliver(message(i));
  wait_until([&] { return below() >= reached + 3; });
  const std::string of_the_old_one = at.index_folder() + "/of-the-old-one";
  std::ofstream(of_the_old_one).put('.');
  REQUIRE(std::filesystem::exists(of_the_old_one));
  indexing.rebuild({});
  wait_until([&] { return !std::filesystem::exists(of_the_old_one) && below() == 12; });
  REQUIRE(sync_wait(at.directory().remove_account(at.account)));
  REQUIRE(sync_wait(at.mail().remove_account(at.account)));
  indexing.forget(at.account);
  wait_until([&] { return at.where().accounts().empty(); });
}

TEST_CASE("a rebuild and an end that are asked for while a turn fails come soon") {
  house at;
  failing_once where(at.where());
  for (int i = 0; i < 10; ++i) at.deliver(message(i));
  service_options options{.least_messages = 5, .batch = 1};
  options.settle = 5ms;
  service indexing(where, at.mail(), at.directory(), options);
  indexing.start();
  wait_until([&] { return at.ask(common).below == 11; });
  const auto while_a_turn_fails = [&](const std::function<void()>& ask) {
    where.holds = true;
    at.deliver(message(0));
    wait_until([&] { return where.held.load(); });
    const int before = where.erased;
    ask();
    where.held = false;
    wait_until([&] { return where.erased > before; });
  };
  while_a_turn_fails([&] { indexing.rebuild(at.account); });
  wait_until([&] { return at.ask(common).below == 12; });
  while_a_turn_fails([&] { indexing.forget(at.account); });
}

TEST_CASE("little new mail is indexed after a while, and a lost index is made again") {
  house at;
  for (int i = 0; i < 10; ++i) at.deliver(message(i));
  service_options options{.least_messages = 5, .batch = 1000};
  options.settle = 5ms;
  options.lag = 30ms;
  {
    service indexing(at.where(), at.mail(), at.directory(), options);
    indexing.start();
    wait_until([&] { return at.ask(common).below == 11; });
    at.deliver(message(10));
    wait_until([&] { return at.ask(common).below == 12; });
  }
  std::filesystem::remove_all(at.index_folder());
  std::filesystem::create_directories(at.index_folder() + "-of-nobody");
  auto again = std::move(*open_xapian_index(std::filesystem::path(at.index_folder()).parent_path()));
  service indexing(*again, at.mail(), at.directory(), options);
  indexing.start();
  wait_until([&] { return again->find(at.account, at.inbox(), common)->below == 12; });
  CHECK(again->accounts().size() == 1);
}
