#include "briefwerk/store/directory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/store/local_store.hpp"
#include "briefwerk/store/memory_engine.hpp"
#include "store/directory/directory_records.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::store;
using base::sync_wait;

const base::crypto& crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

struct town {
  explicit town(local_store_options options = {}) : store(make_local_store(shared, crypto(), base::system_clock(), options)) {}
  std::shared_ptr<engine> shared = make_memory_engine();
  std::unique_ptr<local_store> store;
  directory& who = store->directory();

  account_id add(std::string login) {
    auto made = sync_wait(who.add_account({.login = login}));
    CAPTURE(login);
    REQUIRE(made);
    return made->id;
  }
  void domain(store::domain value) { REQUIRE(sync_wait(who.put_domain(std::move(value)))); }
  void alias(std::string address, std::vector<std::string> targets) {
    CAPTURE(address);
    REQUIRE(sync_wait(who.put_alias({std::move(address), std::move(targets)})));
  }
  // "login+detail login | remote"
  std::string ask(std::string_view text) {
    const auto address = mail::parse_mailbox(text, mail::utf8::allow);
    REQUIRE(address);
    const auto found = sync_wait(who.resolve(*address));
    REQUIRE(found);
    if (found->what == resolution::kind::not_local_domain) return "not local";
    if (found->what == resolution::kind::unknown_user) return "unknown";
    std::vector<std::string> parts;
    for (const auto& d : found->accounts) parts.push_back(d.detail.empty() ? d.login : d.login + " +" + d.detail);
    for (const auto& r : found->remote) parts.push_back("-> " + r);
    std::ranges::sort(parts);
    std::string out;
    for (const auto& part : parts) out += (out.empty() ? "" : ", ") + part;
    return out;
  }
};

void fill(town& t) {
  t.domain({.name = "Example.ORG"});
  t.domain({.name = "b\xc3\xbc" "cher.example", .subaddress_separator = '-'});
  t.domain({.name = "catch.example", .catch_all = "bob@example.org"});
  t.domain({.name = "loop.example", .catch_all = "nobody@loop.example"});
  t.domain({.name = "plain.example", .subaddress_separator = 0});
  t.add("Alice@example.org");
  t.add("bob@example.org");
  t.add("j\xc3\xbcrgen@example.org");
  t.add("x@b\xc3\xbc" "cher.example");
  t.add("a+b@example.org");
  t.add("p@plain.example");
  t.alias("team@example.org", {"alice@example.org", "Bob@Example.org", "far@away.example"});
  t.alias("all@example.org", {"team@example.org", "x@b\xc3\xbc" "cher.example", "all@example.org", "bob@example.org"});
  t.alias("ring1@example.org", {"ring2@example.org"});
  t.alias("ring2@example.org", {"ring1@example.org"});
  t.alias("dead@example.org", {"nobody@example.org"});
  t.alias("out@example.org", {"One@Away.example", "one@AWAY.example", "One@away.example"});
  t.alias("tagged@example.org", {"alice+fixed@example.org"});
  std::string last = "bob@example.org";
  for (std::size_t i = 0; i < base::limits::alias_depth + 4; ++i) {
    const std::string next = "d" + std::to_string(i) + "@example.org";
    t.alias(next, {last});
    last = next;
  }
}

void resolves(town& t) {
  fill(t);
  struct row {
    const char* why;
    const char* in;
    const char* out;
  };
  const row rows[] = {
      {"an account", "alice@example.org", "alice@example.org"},
      {"case of domain and local part", "ALICE@EXAMPLE.ORG", "alice@example.org"},
      {"quoted local part", "\"alice\"@example.org", "alice@example.org"},
      {"letters beyond ASCII fold", "J\xc3\x9cRGEN@example.org", "j\xc3\xbcrgen@example.org"},
      {"decomposed letters are the same", "ju\xcc\x88rgen@example.org", "j\xc3\xbcrgen@example.org"},
      {"U-labels and A-labels are one domain", "x@xn--bcher-kva.example", "x@xn--bcher-kva.example"},
      {"a tag", "alice+Shop@example.org", "alice@example.org +Shop"},
      {"the first separator counts", "alice+a+b@example.org", "alice@example.org +a+b"},
      {"an empty tag", "alice+@example.org", "alice@example.org"},
      {"an account with the separator in its name goes first", "a+b@example.org", "a+b@example.org"},
      {"nothing before the separator", "+tag@example.org", "unknown"},
      {"another separator", "x-list@b\xc3\xbc" "cher.example", "x@xn--bcher-kva.example +list"},
      {"no separator", "p+tag@plain.example", "unknown"},
      {"unknown", "nobody@example.org", "unknown"},
      {"elsewhere", "alice@elsewhere.example", "not local"},
      {"a literal is not a served domain", "alice@[192.0.2.1]", "not local"},
      {"an alias to three", "team@example.org", "-> far@away.example, alice@example.org, bob@example.org"},
      {"aliases of aliases, each once, with itself in it", "all@example.org",
       "-> far@away.example, alice@example.org, bob@example.org, x@xn--bcher-kva.example"},
      {"an alias keeps the tag", "team+x@example.org", "-> far@away.example, alice@example.org +x, bob@example.org +x"},
      {"a target with a tag", "tagged@example.org", "alice@example.org +fixed"},
      {"a loop ends", "ring1@example.org", "unknown"},
      {"an alias to nobody", "dead@example.org", "unknown"},
      {"remote targets once each; their local part is theirs", "out@example.org", "-> One@Away.example, -> one@AWAY.example"},
      {"as deep as may be", "d15@example.org", "bob@example.org"},
      {"too deep", "d19@example.org", "unknown"},
      {"catch-all", "anyone@catch.example", "bob@example.org"},
      {"catch-all that is caught by itself", "anyone@loop.example", "unknown"},
  };
  for (int round = 0; round < 2; ++round) {  // the second from the cache
    for (const auto& row : rows) {
      CAPTURE(row.why);
      CHECK(t.ask(row.in) == row.out);
    }
  }
}

TEST_CASE("directory: what an address leads to") {
  town t;
  resolves(t);
}

TEST_CASE("directory: what an address leads to, without a cache") {
  town t({.directory_cache = 0});
  resolves(t);
}

TEST_CASE("directory: <postmaster> without a domain, RFC 5321 §4.5.1") {
  town t;
  t.domain({.name = "first.example"});
  t.domain({.name = "second.example"});
  const auto ask = [&] { return *sync_wait(t.who.resolve({"Postmaster", {}})); };
  CHECK(ask().what == resolution::kind::unknown_user);
  t.add("root@second.example");
  t.alias("postmaster@second.example", {"root@second.example"});
  REQUIRE(ask().what == resolution::kind::local);
  CHECK(ask().accounts.front().login == "root@second.example");
}

TEST_CASE("directory: accounts") {
  town t;
  t.domain({.name = "example.org"});
  auto made = sync_wait(t.who.add_account({.login = "Carol@Example.ORG", .credentials = {"{PLAIN}x"}, .quota_octets = 1000}));
  REQUIRE(made);
  CHECK(made->login == "carol@example.org");
  CHECK(!made->id.empty());
  CHECK(sync_wait(t.store->mailboxes().usage(made->id))->limits.octets == 1000);
  CHECK(sync_wait(t.who.add_account({.login = "carol@example.org"})).error() == base::errc::already_exists);
  CHECK(sync_wait(t.who.add_account({.login = "carol@elsewhere.example"})).error() == errc::no_such_domain);
  CHECK(sync_wait(t.who.add_account({.login = "carol"})).error() == base::errc::malformed);
  CHECK(sync_wait(t.who.get_account(made->id))->credentials == made->credentials);
  CHECK(sync_wait(t.who.get_account("none")).error() == errc::no_such_account);
  t.alias("boss@example.org", {"carol@example.org"});
  t.alias("both@example.org", {"carol@example.org", "x@away.example"});
  CHECK(sync_wait(t.who.find_account("CAROL@example.org"))->id == made->id);
  CHECK(sync_wait(t.who.find_account("boss@example.org"))->id == made->id);
  for (const char* login : {"both@example.org", "carol+tag@example.org", "dave@example.org", "carol", "", "@", "carol@elsewhere.example"}) {
    CAPTURE(login);
    CHECK(sync_wait(t.who.find_account(login)).error() == errc::no_such_account);
  }
  CHECK(sync_wait(t.who.put_alias({"carol@example.org", {"x@away.example"}})).error() == base::errc::already_exists);
  CHECK(sync_wait(t.who.add_account({.login = "boss@example.org"})).error() == base::errc::already_exists);

  account changed = *made;
  changed.login = "caroline@example.org";
  changed.quota_octets = 2000;
  changed.enabled = false;
  REQUIRE(sync_wait(t.who.update_account(changed)));
  CHECK(sync_wait(t.store->mailboxes().usage(made->id))->limits.octets == 2000);
  CHECK(t.ask("carol@example.org") == "unknown");
  CHECK(t.ask("caroline@example.org") == "caroline@example.org");  // not enabled: mail is taken
  CHECK(!sync_wait(t.who.find_account("caroline@example.org"))->enabled);
  const auto other = t.add("dora@example.org");
  changed.login = "dora@example.org";
  CHECK(sync_wait(t.who.update_account(changed)).error() == base::errc::already_exists);
  changed.id = "none";
  CHECK(sync_wait(t.who.update_account(changed)).error() == errc::no_such_account);
  CHECK(sync_wait(t.who.accounts())->size() == 2);

  CHECK(sync_wait(t.who.remove_domain("example.org")).error() == errc::domain_in_use);
  REQUIRE(sync_wait(t.who.remove_account(made->id)));
  REQUIRE(sync_wait(t.who.remove_account(other)));
  CHECK(sync_wait(t.who.remove_account(other)).error() == errc::no_such_account);
  CHECK(sync_wait(t.who.remove_domain("example.org")).error() == errc::domain_in_use);  // aliases
  CHECK(sync_wait(t.who.aliases())->size() == 2);
  REQUIRE(sync_wait(t.who.remove_alias("Boss@example.org")));
  REQUIRE(sync_wait(t.who.remove_alias("both@example.org")));
  CHECK(sync_wait(t.who.remove_alias("both@example.org")).error() == base::errc::not_found);
  CHECK(*sync_wait(t.who.is_local_domain("EXAMPLE.org")));
  REQUIRE(sync_wait(t.who.remove_domain("example.org")));
  CHECK(!*sync_wait(t.who.is_local_domain("example.org")));
  CHECK(sync_wait(t.who.remove_domain("example.org")).error() == base::errc::not_found);
  CHECK(sync_wait(t.who.put_domain({.name = "no domain"})).error() == base::errc::malformed);
  CHECK(sync_wait(t.who.put_domain({.name = "d.example", .catch_all = "nonsense"})).error() == base::errc::malformed);
  CHECK(sync_wait(t.who.put_alias({"a@nowhere.example", {"x@away.example"}})).error() == errc::no_such_domain);
  t.domain({.name = "d.example"});
  CHECK(sync_wait(t.who.put_alias({"a@d.example", {}})).error() == base::errc::malformed);
  CHECK(sync_wait(t.who.put_alias({"a@d.example", {"x"}})).error() == base::errc::malformed);
  CHECK(sync_wait(t.who.domains())->size() == 1);
}

TEST_CASE("directory: who may send as whom") {
  town t;
  t.domain({.name = "example.org"});
  t.domain({.name = "catch.example", .catch_all = "alice@example.org"});
  const auto bob = t.add("bob@example.org");
  auto alice = sync_wait(t.who.add_account({.login = "alice@example.org", .send_as = {"Press@Partner.example", "@whole.example"}}));
  REQUIRE(alice);
  t.alias("sales@example.org", {"alice@example.org"});
  t.alias("team@example.org", {"alice@example.org", "bob@example.org"});
  t.alias("mixed@example.org", {"alice@example.org", "x@away.example"});
  struct row {
    const char* why;
    const char* address;
    bool may;
  };
  const row rows[] = {
      {"own", "Alice@example.org", true},
      {"own with a tag", "alice+list@example.org", true},
      {"an alias of her alone", "sales@example.org", true},
      {"that with a tag", "sales+x@example.org", true},
      {"an alias of two", "team@example.org", false},
      {"an alias that goes elsewhere too", "mixed@example.org", false},
      {"another's", "bob@example.org", false},
      {"what a catch-all takes", "anything@catch.example", false},
      {"send_as", "press@partner.example", true},
      {"send_as names one address", "other@partner.example", false},
      {"send_as of a domain", "anyone@WHOLE.example", true},
      {"not of a domain below it", "anyone@sub.whole.example", false},
      {"elsewhere", "alice@away.example", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(*sync_wait(t.who.may_send_as(alice->id, *mail::parse_mailbox(row.address))) == row.may);
  }
  CHECK(!*sync_wait(t.who.may_send_as(bob, *mail::parse_mailbox("press@partner.example"))));
  CHECK(sync_wait(t.who.may_send_as("none", *mail::parse_mailbox("bob@example.org"))).error() == errc::no_such_account);
}

TEST_CASE("directory: another process's changes are seen at once") {
  town one;
  const auto two = make_local_store(one.shared, crypto(), base::system_clock());
  one.domain({.name = "example.org"});
  for (int i = 0; i < 50; ++i) {
    const std::string login = "u" + std::to_string(i) + "@example.org";
    CHECK(one.ask(login) == "unknown");
    REQUIRE(sync_wait(two->directory().add_account({.login = login})));
    CHECK(one.ask(login) == login);
  }
}

TEST_CASE("directory: records cut anywhere are refused") {
  const store::domain d{.name = "example.org", .catch_all = "a@b.example"};
  const account a{.id = "id", .login = "a@example.org", .credentials = {"{PLAIN}x", "y"}, .quota_octets = 5, .send_as = {"@z.example"}};
  const alias l{"l@example.org", {"a@example.org", "b@example.org"}};
  CHECK(decode_domain(encode(d), "example.org")->catch_all == d.catch_all);
  CHECK(decode_directory_account(encode(a), "id")->send_as == a.send_as);
  CHECK(decode_alias(encode(l))->targets == l.targets);
  const auto cuts = [](const std::string& whole, auto decode) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto block = std::make_unique<char[]>(size);
      std::memcpy(block.get(), whole.data(), size);
      CHECK_FALSE(decode(std::string_view(block.get(), size)));
    }
    CHECK_FALSE(decode(whole + 'x'));
  };
  cuts(encode(d), [](std::string_view v) { return decode_domain(v, "example.org").has_value(); });
  cuts(encode(a), [](std::string_view v) { return decode_directory_account(v, "id").has_value(); });
  cuts(encode(l), [](std::string_view v) { return decode_alias(v).has_value(); });
}

}  // namespace
