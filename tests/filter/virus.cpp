#include <doctest/doctest.h>

#include <deque>

#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/scan_wire.hpp"
#include "briefwerk/filter/virus_stage.hpp"
#include "filter/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using filter::action;
using filter::scan_answer;
using filter::scan_outcome;
using filter::verdict;

namespace {

class scripted_scanner final : public filter::scanner {
 public:
  base::task<scan_answer> scan(std::string_view message) override {
    seen.emplace_back(message);
    co_return answer;
  }
  scan_answer answer;
  std::deque<std::string> seen;
};

verdict ask(std::shared_ptr<filter::scanner> by, filter::virus_options options, filter::session_facts session = {}) {
  filter::chain chain;
  chain.add(std::make_shared<filter::virus_stage>(std::move(by), std::move(options)));
  return base::sync_wait(chain.message(session, envelope_of("a@x.test", {"b@here.test"}), {"Subject: x\r\n\r\n"}));
}

}  // namespace

TEST_CASE("virus: what becomes of each answer") {
  filter::virus_options held, lax, strict;
  held.infected = action::quarantine;
  lax.encrypted = lax.too_large = lax.failed = action::accept;
  strict.encrypted = strict.too_large = action::defer;
  const auto in = filter::scope::inbound, out = filter::scope::submission;
  struct row {
    const char* why;
    scan_answer answer;
    const filter::virus_options& options;
    filter::scope where;
    action act;
    int code;
    const char *enhanced, *reason;
  };
  const filter::virus_options usual;
  const scan_answer clean{scan_outcome::clean, ""}, infected{scan_outcome::infected, "Eicar"},
      large{scan_outcome::too_large, "files"}, encrypted{scan_outcome::encrypted, "zip"},
      failed{scan_outcome::failed, "gone"};
  const row rows[] = {
      {"nothing found", clean, usual, in, action::accept, 0, "", ""},
      {"infected", infected, usual, in, action::reject, 554, "5.7.0", "infected: Eicar"},
      {"infected, to be kept apart", infected, held, in, action::quarantine, 0, "", "infected: Eicar"},
      {"infected mail of a user is never kept", infected, held, out, action::reject, 554, "5.7.0", "infected: Eicar"},
      {"infected, where all else passes", infected, lax, in, action::reject, 554, "5.7.0", "infected: Eicar"},
      {"encrypted", encrypted, usual, in, action::tag, 0, "", "encrypted: zip"},
      {"encrypted, to come again", encrypted, strict, in, action::defer, 451, "4.7.1", "encrypted: zip"},
      {"encrypted, let through", encrypted, lax, in, action::accept, 0, "", "encrypted: zip"},
      {"too large", large, usual, in, action::reject, 554, "5.7.0", "too large to scan: files"},
      {"too large, let through", large, lax, out, action::accept, 0, "", "too large to scan: files"},
      {"no scanner", failed, usual, in, action::defer, 451, "4.7.1", "not scanned: gone"},
      {"no scanner, for a user", failed, usual, out, action::defer, 451, "4.7.1", "not scanned: gone"},
      {"no scanner, let through", failed, lax, in, action::accept, 0, "", "not scanned: gone"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto scanner = std::make_shared<scripted_scanner>();
    scanner->answer = r.answer;
    filter::session_facts session;
    session.where = r.where;
    const verdict v = ask(scanner, r.options, std::move(session));
    CHECK(scanner->seen == std::deque<std::string>{"Subject: x\r\n\r\n"});
    CHECK(v.what == r.act);
    CHECK(v.code == r.code);
    CHECK(v.enhanced == r.enhanced);
    if (r.act != action::accept) CHECK(v.reason == r.reason);
    CHECK(v.add_fields.size() == (r.act == action::tag ? 1 : 0));
    CHECK(v.text.empty() == (r.act < action::defer));
  }
}

TEST_CASE("virus: the administrator hears of users that send malware, once a message") {
  struct row {
    const char* why;
    filter::scope where;
    bool trial;
    std::size_t notices;
  };
  const row rows[] = {{"a user", filter::scope::submission, false, 1},
                      {"another server", filter::scope::inbound, false, 0},
                      {"only a trial", filter::scope::submission, true, 0}};
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto scanner = std::make_shared<scripted_scanner>();
    scanner->answer = {scan_outcome::infected, "Eicar"};
    std::vector<std::string> told;
    filter::virus_options options;
    options.notify = [&told](const filter::virus_notice& one) { told.push_back(one.login + " " + one.name); };
    filter::session_facts session;
    session.where = r.where;
    session.login = "alice@here.test";
    session.trial = r.trial;
    CHECK(ask(scanner, std::move(options), std::move(session)).what == action::reject);
    CHECK(told.size() == r.notices);
    if (!told.empty()) CHECK(told.front() == "alice@here.test Eicar");
  }
}

TEST_CASE("virus: packets, whole and cut at every octet") {
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{20480}, ~std::uint64_t{0}}) {
    const std::string packet = filter::encode(filter::scan_request{size});
    REQUIRE(filter::decode_scan_request(packet).has_value());
    CHECK(filter::decode_scan_request(packet)->size == size);
    for (std::size_t n = 0; n < packet.size(); ++n) CHECK(!filter::decode_scan_request(packet.substr(0, n)));
    CHECK(!filter::decode_scan_request(packet + '\0'));
  }
  for (const scan_answer& one :
       {scan_answer{scan_outcome::clean, ""}, scan_answer{scan_outcome::infected, "Eicar-Test"},
        scan_answer{scan_outcome::failed, std::string(filter::scan_text_size, 'x')}}) {
    const std::string packet = filter::encode(one);
    const auto read = filter::decode_scan_answer(packet);
    REQUIRE(read.has_value());
    CHECK(read->outcome == one.outcome);
    CHECK(read->text == one.text);
    for (std::size_t n = 0; n < packet.size(); ++n) CHECK(!filter::decode_scan_answer(packet.substr(0, n)));
    CHECK(!filter::decode_scan_answer(packet + 'x'));
  }
}

TEST_CASE("virus: packets that nobody sends") {
  using namespace std::string_view_literals;
  CHECK(!filter::decode_scan_request("BWQ2\0\0\0\0\1\0\0\0\0\0\0\0"sv));
  CHECK(!filter::decode_scan_request("BWQ1\0\0\0\1\1\0\0\0\0\0\0\0"sv));
  CHECK(!filter::decode_scan_answer("BWA2\0\0"sv));
  CHECK(!filter::decode_scan_answer("BWA1\5\0"sv));
  CHECK(!filter::decode_scan_answer("BWA1\xff\0"sv));
  const auto read = filter::decode_scan_answer("BWA1\1\5a\r\n\x80z"sv);
  REQUIRE(read.has_value());
  CHECK(read->text == "a???z");
  CHECK(filter::decode_scan_answer(filter::encode(scan_answer{scan_outcome::failed, std::string(1000, 'x')}))->text ==
        std::string(filter::scan_text_size, 'x'));
}
