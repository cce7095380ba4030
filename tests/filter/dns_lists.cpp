#include "briefwerk/filter/dns_lists.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/links.hpp"
#include "filter/support.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using namespace std::chrono_literals;
using filter::action;
using filter::dns_list;
using filter::dns_list_kind;
using filter::verdict;

namespace {

base::ip_network net(std::string_view text) { return *base::ip_network::parse(text); }

struct host {
  explicit host(std::vector<dns_list> lists) {
    filter::dns_lists_options options{.lists = std::move(lists), .limit = 100ms};
    options.networks = {net("10.0.0.0/8")};
    stage = std::make_shared<filter::dns_lists>(std::move(options), names, nullptr);
    chain.add(stage);
  }
  verdict connect(std::string_view address) {
    session.remote.address = ip(address);
    return base::sync_wait(chain.connect(session));
  }
  base::scripted_resolver names;
  filter::chain chain;
  std::shared_ptr<filter::dns_lists> stage;
  filter::session_facts session;
};

dns_list plain(std::string zone, double score) { return {.zone = std::move(zone), .score = score}; }

}  // namespace

TEST_CASE("dns lists: names that are asked for") {
  CHECK(filter::dns_list_labels(ip("192.0.2.99")) == "99.2.0.192");  // RFC 5782 §2.1
  CHECK(filter::dns_list_labels(ip("2001:db8:1:2:3:4:567:89ab")) ==   // RFC 5782 §2.4
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2");
}

TEST_CASE("dns lists: what an answer means") {
  const dns_list coded{.zone = "codes.test",
                       .score = 100,  // of lists without codes only
                       .codes = {{.answer = net("127.0.0.2"), .score = 3, .meaning = "spam source"},
                                 {.answer = net("127.0.0.4/30"), .score = 1, .act = action::reject, .meaning = "broken into"},
                                 {.bits = 64, .score = 5}}};
  struct row {
    const char* why;
    std::vector<std::string> answers;
    double score;
    action act;
  };
  const row rows[] = {
      {"a code", {"127.0.0.2"}, 3, action::tag},
      {"a network of codes", {"127.0.0.7"}, 1, action::reject},
      {"two answers", {"127.0.0.2", "127.0.0.5"}, 4, action::reject},
      {"one answer is both", {"127.0.0.66"}, 5, action::tag},
      {"a code that means nothing to us", {"127.0.0.10"}, 0, action::accept},
      {"a refusal of the list", {"127.255.255.254"}, 0, action::accept},
      {"a domain that ran out", {"203.0.113.5"}, 0, action::accept},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    host h({coded});
    for (const auto& one : r.answers) h.names.add_address("1.2.0.192.codes.test", one);
    const verdict v = h.connect("192.0.2.1");
    CHECK(v.score == r.score);
    CHECK(v.what == r.act);
  }
  host any({plain("any.test", 2)});
  any.names.add_address("1.2.0.192.any.test", "127.0.0.99");
  CHECK(any.connect("192.0.2.1").score == 2);
  CHECK(any.connect("192.0.2.1").reason == "192.0.2.1 in any.test");
  CHECK(any.connect("192.0.2.2").score == 0);
  any.names.add_address("1.0.0.10.any.test", "127.0.0.2");
  CHECK(any.connect("10.0.0.1").score == 0);
}

TEST_CASE("dns lists: IPv6, where the list has it") {
  dns_list only_v4 = plain("four.test", 1);
  only_v4.v6 = false;
  host h({only_v4, plain("both.test", 2)});
  h.names.add_address(filter::dns_list_labels(ip("2001:db8::1")) + ".four.test", "127.0.0.2");
  h.names.add_address(filter::dns_list_labels(ip("2001:db8::1")) + ".both.test", "127.0.0.2");
  CHECK(h.connect("2001:db8::1").score == 2);
}

TEST_CASE("dns lists: a list that does not answer delays nobody, others count") {
  host h({plain("silent.test", 1), plain("failing.test", 1), plain("good.test", 2)});
  h.names.hold("1.2.0.192.silent.test");
  h.names.add_failure("1.2.0.192.failing.test", base::dns_type::a);
  h.names.add_address("1.2.0.192.good.test", "127.0.0.2");
  std::vector<base::task<verdict>> work;
  h.session.remote.address = ip("192.0.2.1");
  const auto begin = std::chrono::steady_clock::now();
  const auto judge = [](host& at, std::chrono::steady_clock::time_point since) -> base::task<double> {
    const verdict v = co_await at.chain.connect(at.session);
    CHECK(std::chrono::steady_clock::now() - since < 5s);
    at.names.release();  // the late query ends before its executor does
    base::executor* const here = co_await base::this_executor();
    (void)co_await base::wait_for<base::status>([&](base::completion<base::status> done) {
      here->post([done = std::move(done)]() mutable { done(base::status()); });
    });
    co_return v.score;
  };
  CHECK(base::sync_wait(judge(h, begin)) == 2);
}

TEST_CASE("dns lists: who is on an allow list is not refused, now and later; scores stand") {
  dns_list block = plain("block.test", 3);
  block.act = action::reject;
  dns_list domains{.zone = "domains.test", .kind = dns_list_kind::domain, .score = 4, .act = action::reject};
  dns_list allow{.zone = "allow.test", .allow = true, .score = -2};
  host h({block, allow, domains});
  for (const char* address : {"1.2.0.192", "2.2.0.192"}) h.names.add_address(std::string(address) + ".block.test", "127.0.0.2");
  h.names.add_address("1.2.0.192.allow.test", "127.0.9.2");
  h.names.add_address("bad.test.domains.test", "127.0.1.2");
  h.session.hello = "bad.test";
  CHECK(h.connect("192.0.2.1").what == action::tag);
  CHECK(h.connect("192.0.2.1").score == 1);
  CHECK(base::sync_wait(h.chain.hello(h.session)).what == action::tag);
  CHECK(h.connect("192.0.2.2").what == action::reject);
  CHECK(base::sync_wait(h.chain.hello(h.session)).what == action::reject);
}

TEST_CASE("dns lists: domains from where the list wants them") {
  dns_list from{.zone = "from.test", .kind = dns_list_kind::domain, .helo = false, .links = false, .score = 1};
  dns_list links{.zone = "links.test", .kind = dns_list_kind::domain, .helo = false, .from = false, .score = 2};
  dns_list helo{.zone = "helo.test", .kind = dns_list_kind::domain, .from = false, .links = false, .score = 4};
  host h({from, links, helo});
  for (const char* zone : {"from.test", "links.test", "helo.test"}) {
    for (const char* name : {"sender.example", "client.example", "shop.example"}) {
      h.names.add_address(std::string(name) + "." + zone, "127.0.0.2");
    }
  }
  h.session.hello = "Client.Example";
  const auto envelope = envelope_of("a@Sender.example", {"b@here.test"});
  CHECK(base::sync_wait(h.chain.hello(h.session)).score == 4);
  CHECK(base::sync_wait(h.chain.mail(h.session, envelope)).score == 1);
  const verdict sum = base::sync_wait(h.chain.message(h.session, envelope, {"Subject: x\r\n\r\nsee https://shop.example/x\r\n"}));
  CHECK(sum.score == 7);
  h.session.hello = "[192.0.2.1]";
  CHECK(base::sync_wait(h.chain.hello(h.session)).score == 0);
  h.session.hello = "localhost";
  CHECK(base::sync_wait(h.chain.hello(h.session)).score == 0);
}

TEST_CASE("dns lists: the test entries of RFC 5782 §5") {
  dns_list domain{.zone = "domain.test", .kind = dns_list_kind::domain};
  host h({plain("good.test", 1), plain("refuses.test", 1), plain("all.test", 1), plain("none.test", 1), plain("down.test", 1), domain});
  h.names.add_address("2.0.0.127.good.test", "127.0.0.2").add_address("test.domain.test", "127.0.1.2");
  h.names.add_address("2.0.0.127.refuses.test", "127.255.255.254").add_address("1.0.0.127.refuses.test", "127.255.255.254");
  h.names.add_address("2.0.0.127.all.test", "127.0.0.2").add_address("1.0.0.127.all.test", "127.0.0.2");
  h.names.add_failure("2.0.0.127.down.test", base::dns_type::a);
  const auto said = base::sync_wait(h.stage->check());
  REQUIRE(said.size() == 4);
  CHECK(said[0].starts_with("refuses.test refuses"));
  CHECK(said[1].starts_with("all.test lists everything"));
  CHECK(said[2].starts_with("none.test does not list its test entry"));
  CHECK(said[3].starts_with("down.test does not answer"));
}

TEST_CASE("links: hosts of a message") {
  struct row {
    const char* why;
    std::string_view text;
    std::vector<std::string> hosts;
  };
  const row rows[] = {
      {"plain", "see http://a.test/x and HTTPS://B.test:8443?q", {"a.test", "b.test"}},
      {"in HTML", "<a href=\"https://a.test/\">http://b.test</a>", {"a.test", "b.test"}},
      {"once", "http://a.test http://a.test/2", {"a.test"}},
      {"user information hides the host", "https://bank.test@evil.test/", {"evil.test"}},
      {"a final dot", "http://a.test./", {"a.test"}},
      {"numbers are no domain", "http://192.0.2.1/ http://1234/", {}},
      {"no dot", "http://localhost/", {}},
      {"other schemes", "ftp://a.test mailto:b@c.test", {}},
      {"at the end", "https://", {}},
      {"at the beginning", "://a.test", {}},
      {"empty labels", "http://a..test/", {}},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    std::vector<std::string> got;
    filter::append_link_hosts(got, r.text);
    CHECK(got == r.hosts);
  }
  const std::string_view message =
      "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
      "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naHR0cDovL2Jhc2U2NC50ZXN0Lw==\r\n"
      "--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<a href=3D\"http://quo=\r\nted.test\">\r\n"
      "--b\r\nContent-Type: application/octet-stream\r\n\r\nhttp://binary.test/\r\n--b--\r\n";
  CHECK(filter::link_hosts(message) == std::vector<std::string>{"base64.test", "quoted.test"});
  for (std::size_t size = 0; size < message.size(); ++size) {  // whatever is cut off: an end
    const auto exact = std::make_unique<char[]>(size);
    std::copy_n(message.data(), size, exact.get());
    (void)filter::link_hosts({exact.get(), size});
  }
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "http://h" + std::to_string(i) + ".test ";
  CHECK(filter::link_hosts("\r\n" + many).size() == 200);
}
