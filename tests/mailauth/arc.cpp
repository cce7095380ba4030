// Chains of our own making: sealed, altered, verified.

#include "briefwerk/mailauth/arc.hpp"

#include <algorithm>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/suites.hpp"
#include "mailauth/dkim_support.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;
using test::dkim_world;
using test::plain_message;

namespace {

struct arc_world : dkim_world {
  arc_world() {
    dns.add_txt("r._domainkey.lists.example", test::key_record(*test::rsa_key()));
    dns.add_txt("e._domainkey.relay.example", test::key_record(*test::ed25519_key()));
  }

  arc_result verify_chain(std::string_view message) {
    const arc_verifier verifier(keys);
    return base::sync_wait(verifier.verify(read(message)));
  }

  static arc_seal_options options(bool rsa) {
    if (rsa) return {.domain = "Lists.example", .key = {"r", test::rsa_key()}, .fields = {}};
    return {.domain = "relay.example", .key = {"e", test::ed25519_key()}, .fields = {}};
  }
  base::result<std::string> seal(std::string_view message, bool rsa = true) {
    const auto sealer = arc_sealer::make(options(rsa)).value();
    const auto hashed = read(message, {sealer.body_hash()});
    const arc_verifier verifier(keys);
    const auto chain = base::sync_wait(verifier.verify(hashed));
    return sealer.seal(hashed, chain, "mx.example; arc=" + std::string(to_string(chain.what)) + ";\r\n\tspf=pass", now());
  }
  std::string sealed(std::string message, int sets) {
    for (int i = 0; i < sets; ++i) message = seal(message, i % 2 == 0).value() + message;
    return message;
  }
};

std::string replaced(std::string text, std::string_view from, std::string_view to, std::size_t after = 0) {
  const std::size_t at = text.find(from, after);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("a chain of three, by RSA and Ed25519") {
  arc_world world;
  const std::string message = world.sealed(std::string(plain_message), 3);
  const auto found = world.verify_chain(message);
  CAPTURE(found.reason);
  CHECK(found.what == outcome::pass);
  CHECK(found.instances == 3);
  CHECK(found.oldest_pass == 0);
  CHECK(!found.ended);
  REQUIRE(found.sets.size() == 3);
  CHECK(found.sets[0].instance == 1);
  CHECK(found.sets[0].domain == "lists.example");
  CHECK(found.sets[0].message_domain == "lists.example");
  CHECK(found.sets[0].results == "mx.example; arc=none; spf=pass");
  CHECK(found.sets[1].domain == "relay.example");
  CHECK(found.sets[1].selector == "e");
  CHECK(found.sets[2].results == "mx.example; arc=pass; spf=pass");
  const auto facts = facts_of(found);
  CHECK(facts.result == outcome::pass);
  CHECK(facts.oldest_pass == 0u);
  CHECK(facts.chain == "lists.example:relay.example:lists.example");
  // A key is asked for once.
  CHECK(world.dns.asked().size() == 2 * 1 + 1 + 2);
  for (std::size_t cut = 0; cut + 2 < message.size(); cut += 7) {
    const auto part = world.verify_chain(std::string_view(message).substr(0, cut));
    REQUIRE(part.what != outcome::pass);
  }
}

TEST_CASE("what happens to a chain on its way") {
  arc_world world;
  const std::string two = world.sealed(std::string(plain_message), 2);
  // A list appends its footer between the first and the second set.
  const std::string first = world.sealed(std::string(plain_message), 1);
  const std::string footer = first + "-- \r\nlist footer\r\n";
  struct row { const char* why; std::string message; outcome what; std::string_view reason; };
  const std::size_t second_set = two.find("ARC-Seal", 10);
  const row rows[] = {
      {"nothing", two, outcome::pass, ""},
      {"unsigned fields above", "Received: x\r\n" + two, outcome::pass, ""},
      {"names in another case", replaced(two, "ARC-Seal:", "arc-SEAL :"), outcome::pass, ""},
      {"the body", replaced(two, "Hi.", "Ho."), outcome::fail, "ARC-Message-Signature 2"},
      {"the subject", replaced(two, "Is dinner", "Was dinner"), outcome::fail, "ARC-Message-Signature 2"},
      {"the oldest results", replaced(two, "arc=none", "arc=pass"), outcome::fail, "ARC-Seal"},
      {"the oldest signature's time", replaced(two, "t=17000", "t=16000", second_set), outcome::fail, "ARC-Seal 2"},
      {"a seal less", two.substr(0, second_set) + two.substr(two.find("ARC-Message", second_set)), outcome::fail, "set 1"},
      {"no set at all but the newest", two.substr(0, second_set) + std::string(plain_message), outcome::fail, "set 1"},
      {"a set twice", two.substr(0, second_set) + two, outcome::fail, "two ARC-Seal"},
      {"cv=none on top", replaced(two, "cv=pass", "cv=none"), outcome::fail, "cv="},
      {"cv=pass at the bottom", replaced(two, "cv=none", "cv=pass"), outcome::fail, "cv="},
      {"cv=fail on top", replaced(two, "cv=pass", "cv=fail"), outcome::fail, "cv=fail"},
      {"an unknown status", replaced(two, "cv=pass", "cv=good"), outcome::fail, "cv="},
      {"h= in a seal", replaced(two, "cv=pass;", "cv=pass; h=from;"), outcome::fail, "ARC-Seal"},
      {"results without an instance", replaced(two, "Results: i=2;", "Results:"), outcome::fail, "instance"},
      {"instance 51", replaced(two, "Results: i=2;", "Results: i=51;"), outcome::fail, "instance"},
      {"instance 0", replaced(two, "Results: i=2;", "Results: i=0;"), outcome::fail, "instance"},
      {"a third results field only", "ARC-Authentication-Results: i=3; mx.example; none\r\n" + two, outcome::fail, "set 3"},
      {"results with comments round the instance", "ARC-Authentication-Results: (c) i (c) = (c) 4 (c); x\r\n" + two,
       outcome::fail, "set 3"},
      {"a footer behind the only set", footer, outcome::fail, "ARC-Message-Signature 1"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto found = world.verify_chain(r.message);
    CAPTURE(found.reason);
    CHECK(found.what == r.what);
    CHECK(found.reason.find(r.reason) != std::string::npos);
  }
  CHECK(world.verify_chain(rows[12].message).ended);
  CHECK(world.verify_chain(plain_message).what == outcome::none);

  // Steps of the draft aside, a newest signature that covers ARC's own fields may pass; one over a seal never does.
  CHECK(world.verify_chain(replaced(two, "h=From:", "h=ARC-Seal:From:")).reason.find("h=") != std::string::npos);
}

TEST_CASE("oldest-pass: who changed the message") {
  arc_world world;
  const std::string first = world.sealed(std::string(plain_message), 1);
  // The second hop sees the first chain pass, then adds its footer, and seals what it sends on.
  const auto sealer = arc_sealer::make(arc_world::options(false)).value();
  const arc_verifier verifier(world.keys);
  const auto arrived = dkim_world::read(first);
  const auto chain = base::sync_wait(verifier.verify(arrived));
  REQUIRE(chain.what == outcome::pass);
  const std::string changed = first + "-- \r\nlist footer\r\n";
  const auto left = dkim_world::read(changed, {sealer.body_hash()});
  const std::string two = sealer.seal(left, chain, "list.example; arc=pass", world.now()).value() + changed;
  CHECK(world.verify_chain(two).what == outcome::pass);
  CHECK(world.verify_chain(two).oldest_pass == 2);
  CHECK(facts_of(world.verify_chain(two)).oldest_pass == 2u);
  CHECK(world.verify_chain(world.sealed(two, 1)).oldest_pass == 2);
}

TEST_CASE("a failed chain is marked once, and then left alone (RFC 8617 §5.1)") {
  arc_world world;
  const std::string broken = replaced(world.sealed(std::string(plain_message), 2), "Hi.", "Ho.");
  const auto marked = world.seal(broken);
  REQUIRE(marked.has_value());
  CHECK(marked->find("cv=fail") != std::string::npos);
  CHECK(marked->find("i=3;") != std::string::npos);
  const auto found = world.verify_chain(*marked + broken);
  CHECK(found.what == outcome::fail);
  CHECK(found.ended);
  CHECK(world.seal(*marked + broken).error() == dkim_errc::chain_ended);
}

TEST_CASE("fifty sets and no more") {
  arc_world world;
  const std::string full = world.sealed(std::string(plain_message), 50);
  const auto found = world.verify_chain(full);
  CAPTURE(found.reason);
  CHECK(found.what == outcome::pass);
  CHECK(found.ended);
  CHECK(world.seal(full).error() == dkim_errc::chain_ended);
  // 51 of anything.
  CHECK(world.verify_chain("ARC-Seal: i=1; x\r\n" + full).what == outcome::fail);
}

TEST_CASE("DNS and keys: all failures are final (RFC 8617 §5.2.1)") {
  arc_world world;
  const std::string message = world.sealed(std::string(plain_message), 2);
  world.dns.clear();
  CHECK(world.verify_chain(message).what == outcome::fail);
  CHECK(!world.verify_chain(message).dns_trouble);
  world.dns.add_failure("e._domainkey.relay.example", base::dns_type::txt);
  const auto found = world.verify_chain(message);
  CHECK(found.what == outcome::fail);
  CHECK(found.dns_trouble);
}

TEST_CASE("a key for exact identities (t=s) serves ARC, which has none") {
  arc_world world;
  const std::string message = world.sealed(std::string(plain_message), 1);
  world.dns.clear();
  world.dns.add_txt("r._domainkey.lists.example", test::key_record(*test::rsa_key(), "v=DKIM1; t=s;"));
  CHECK(world.verify_chain(message).what == outcome::pass);
}

TEST_CASE("what is not sealed") {
  arc_world world;
  const auto sealer = arc_sealer::make(arc_world::options(true)).value();
  const std::string results = "mx.example; none";
  CHECK(sealer.seal(dkim_world::read(plain_message), {}, results, world.now()).error() == dkim_errc::missing_body_hash);
  const auto bare = dkim_world::read("From: a@b.example\r\n\r\nHi.\nHo.\r\n", {sealer.body_hash()});
  CHECK(sealer.seal(bare, {}, results, world.now()).error() == dkim_errc::unsuitable_message);
  // A value cannot end its field.
  const auto plain = dkim_world::read(plain_message, {sealer.body_hash()});
  const auto set = sealer.seal(plain, {}, "mx.example; none\r\nX-Smuggled: y\nX-Too: z", world.now());
  REQUIRE(set.has_value());
  const mail::header_block fields(*set);
  CHECK(fields.fields().size() == 3);

  const auto refused = [](auto change) {
    auto options = arc_world::options(true);
    change(options);
    return arc_sealer::make(std::move(options)).error();
  };
  CHECK(refused([](auto& o) { o.domain = "x"; }) == dkim_errc::bad_domain);
  CHECK(refused([](auto& o) { o.key.key = nullptr; }) == dkim_errc::no_key);
  CHECK(refused([](auto& o) { o.fields = {"From", "ARC-Seal"}; }) == dkim_errc::bad_signed_fields);
  CHECK(refused([](auto& o) { o.fields = {"Authentication-Results"}; }) == dkim_errc::bad_signed_fields);
}
