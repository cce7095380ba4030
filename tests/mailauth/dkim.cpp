// Verifying and signing with scripted keys.

#include "briefwerk/mailauth/dkim.hpp"

#include <algorithm>

#include "briefwerk/base/limits.hpp"
#include "mail/suites.hpp"
#include "mailauth/dkim_support.hpp"
#include "support/folders.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;
using namespace std::chrono_literals;
using test::dkim_world;
using test::plain_message;

namespace {

std::string signed_message(dkim_world& world, dkim_sign_options options = dkim_world::sign_options(),
                           std::string_view message = plain_message) {
  const auto fields = world.sign(message, std::move(options));
  REQUIRE(fields.has_value());
  return *fields + std::string(message);
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

dkim_sign_options only_rsa() {
  auto options = dkim_world::sign_options();
  options.keys.pop_back();
  return options;
}

// A signature made by hand, for what the signer never writes: `tags` with h= and without bh= and b=.
std::string handmade(std::string tags, std::string_view message, base::hash_kind hash = base::hash_kind::sha256,
                     const base::private_key& key = *test::rsa_key()) {
  // simple/simple: what is signed is what stands there.
  const std::size_t body_at = message.find("\r\n\r\n") + 4;
  std::string_view body = message.substr(body_at);
  const std::size_t l = tags.find("l=");
  if (l != tags.npos) body = body.substr(0, std::stoul(tags.substr(l + 2)));
  const auto& crypto = test::provider();
  std::string field = "DKIM-Signature: v=1; d=football.example.com; c=simple/simple; " + tags +
                      "; bh=" + base::base64_encode(crypto.hash(hash, body)) + "; b=";
  std::string data;
  const std::size_t from = message.find("From:"), subject = message.find("Subject:");
  data += message.substr(from, message.find("\r\n", from) + 2 - from);
  if (tags.find("h=from:subject") != tags.npos) data += message.substr(subject, message.find("\r\n", subject) + 2 - subject);
  data += field;
  return field + base::base64_encode(*key.sign(hash, crypto.hash(hash, data))) + "\r\n" + std::string(message);
}

}  // namespace

TEST_CASE("what is signed verifies, in every algorithm and canonicalization") {
  dkim_world world;
  for (const auto header : {canonicalization::simple, canonicalization::relaxed}) {
    for (const auto body : {canonicalization::simple, canonicalization::relaxed}) {
      auto options = dkim_world::sign_options();
      options.header = header;
      options.body = body;
      options.identity = "joe;=\xc3\xbc@sub.football.example.com";
      options.lifetime = 24h;
      const std::string message = signed_message(world, options);
      // Lines of the new fields stay within 78 octets.
      for (std::size_t at = 0; at < message.size();) {
        const std::size_t end = message.find("\r\n", at);
        CHECK(end - at <= 78);
        at = end + 2;
      }
      const auto results = world.verify(message);
      REQUIRE(results.size() == 2);
      for (const auto& one : results) {
        CAPTURE(one.reason);
        CHECK(one.what == outcome::pass);
        CHECK(one.reason.empty());
        CHECK(one.domain == "football.example.com");
        CHECK(one.identity == options.identity);
        CHECK(one.oversigned);
        CHECK(!one.body_length);
        CHECK(!one.testing);
      }
      CHECK(results[0].selector == "rsa");
      CHECK(results[0].algorithm == dkim_algorithm::rsa_sha256);
      CHECK(results[0].key_bits == 2048);
      CHECK(results[1].selector == "ed");
      CHECK(results[1].algorithm == dkim_algorithm::ed25519_sha256);
      CHECK(results[1].key_bits == 256);

      const auto facts = facts_of(results[0]);
      CHECK(facts.result == outcome::pass);
      CHECK(facts.comment == "2048-bit key");
      CHECK(facts.algorithm == "rsa-sha256");
      CHECK(facts.signature == results[0].value_text);
    }
  }
}

TEST_CASE("pieces of any size, and every cut of the message") {
  dkim_world world;
  const std::string message = signed_message(world);
  for (const std::size_t step : {1u, 2u, 3u, 7u, 64u}) {
    const auto results = world.verify(dkim_world::read(message, {}, step));
    REQUIRE(results.size() == 2);
    CHECK(results[0].what == outcome::pass);
    CHECK(results[1].what == outcome::pass);
  }
  for (std::size_t cut = 0; cut <= message.size(); ++cut) {
    message_hasher halves(test::provider());
    test::with_exact_block(std::string_view(message).substr(0, cut), [&](auto part) { halves.feed(part); });
    test::with_exact_block(std::string_view(message).substr(cut), [&](auto part) { halves.feed(part); });
    halves.finish();
    const auto results = world.verify(halves);
    REQUIRE(results.size() == 2);
    REQUIRE(results[1].what == outcome::pass);
  }
  // A message that ends too early never passes, but for its last line end, which both canonicalizations add.
  for (std::size_t cut = 0; cut + 2 < message.size(); ++cut) {
    for (const auto& one : world.verify(std::string_view(message).substr(0, cut))) REQUIRE(one.what != outcome::pass);
  }
}

TEST_CASE("changes on the way, and what each makes of the signature") {
  dkim_world world;
  struct row { const char* why; std::string_view from, to; outcome what; };
  const row rows[] = {
      {"nothing", "Hi.", "Hi.", outcome::pass},
      {"white space that relaxed ignores", "We lost  the", "We lost\tthe", outcome::pass},
      {"a folded subject", "Subject: Is dinner", "Subject: Is\r\n dinner", outcome::pass},
      {"another case of a name", "\r\nSubject: ", "\r\nSUBJECT : ", outcome::pass},
      {"empty lines at the end", "Joe.\r\n", "Joe.\r\n\r\n\r\n", outcome::pass},
      {"a field that nobody signs", "From: Joe", "X-Spam: no\r\nFrom: Joe", outcome::pass},
      {"the body", "Hi.", "Ho.", outcome::fail},
      {"text behind the body", "Joe.\r\n", "Joe.\r\nPS\r\n", outcome::fail},
      {"the subject", "dinner ready", "supper ready", outcome::fail},
      {"a second From above", "From: Joe", "From: eve@example.com\r\nFrom: Joe", outcome::fail},
      {"a second From below", "\r\n\r\nHi.", "\r\nFrom: eve@example.com\r\n\r\nHi.", outcome::fail},
      {"a Cc where none was", "To: Suzie", "Cc: eve@example.com\r\nTo: Suzie", outcome::fail},
      {"a Reply-To where none was", "To: Suzie", "Reply-To: eve@example.com\r\nTo: Suzie", outcome::fail},
      {"a subject less", "Subject: Is dinner ready?\r\n", "", outcome::fail},
      {"one character of b=", "\tb=", "\tb=A", outcome::permerror},
  };
  const std::string message = signed_message(world, only_rsa());
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto results = world.verify(replaced(message, r.from, r.to));
    REQUIRE(results.size() == 1);
    CAPTURE(results[0].reason);
    CHECK(results[0].what == r.what);
    CHECK(results[0].reason.empty() == (r.what == outcome::pass));
  }
}

TEST_CASE("signatures that hold, and count as none all the same") {
  dkim_world world;
  const std::string longer = std::string(plain_message) + "buy this\r\n";
  const std::string two_subjects = "Subject: second\r\n" + std::string(plain_message);
  struct row { const char* why; std::string message; outcome what; std::string_view reason; };
  const std::string l52 = std::to_string(plain_message.size() - plain_message.find("Hi."));
  const row rows[] = {
      {"a plain one by hand", handmade("a=rsa-sha256; s=rsa; h=from:subject", plain_message), outcome::pass, ""},
      {"l= that covers all", handmade("a=rsa-sha256; s=rsa; h=from:subject; l=" + l52, plain_message), outcome::pass, ""},
      {"l= with text behind", handmade("a=rsa-sha256; s=rsa; h=from:subject; l=" + l52, longer), outcome::policy, "text follows"},
      {"l=0", handmade("a=rsa-sha256; s=rsa; h=from:subject; l=0", plain_message), outcome::policy, "text follows"},
      {"l= beyond the body", handmade("a=rsa-sha256; s=rsa; h=from:subject; l=999", plain_message), outcome::fail, "shorter"},
      {"a subject of which one is signed", handmade("a=rsa-sha256; s=rsa; h=from", two_subjects), outcome::policy, "subject"},
      {"expired", handmade("a=rsa-sha256; s=rsa; h=from; t=1; x=1600000000", plain_message), outcome::policy, "expired"},
      {"expired within the clocks' difference", handmade("a=rsa-sha256; s=rsa; h=from; x=1699999800", plain_message), outcome::pass, ""},
      {"not yet", handmade("a=rsa-sha256; s=rsa; h=from; t=1700001000", plain_message), outcome::policy, "future"},
      {"soon", handmade("a=rsa-sha256; s=rsa; h=from; t=1700000100", plain_message), outcome::pass, ""},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto results = world.verify(r.message);
    REQUIRE(results.size() == 1);
    CAPTURE(results[0].reason);
    CHECK(results[0].what == r.what);
    CHECK(results[0].reason.find(r.reason) != std::string::npos);
    CHECK(results[0].oversigned == false);
  }
  CHECK(world.verify(rows[2].message)[0].body_length == std::stoul(l52));
  // Two fields, both signed: nothing was added.
  CHECK(world.verify(signed_message(world, only_rsa(), two_subjects))[0].what == outcome::pass);
}

TEST_CASE("RFC 8301: rsa-sha1 and short keys never pass") {
  dkim_world world;
  for (const auto& folder : test::suite_files("dkim-basic/dkimpy", "test.private")) {
    // 1024 bits are the least that may pass.
    const auto key = test::provider().parse_private_key(test::read_file(folder));
    REQUIRE(key.has_value());
    world.dns.add_txt("k1024._domainkey.football.example.com", test::key_record(**key));
    const auto message = handmade("a=rsa-sha256; s=k1024; h=from", plain_message, base::hash_kind::sha256, **key);
    CHECK(world.verify(message)[0].what == outcome::pass);
    CHECK(world.verify(message)[0].key_bits == 1024);
    CHECK(world.verify(message, {.rsa_bits_min = 2048})[0].what == outcome::policy);
    // No setting lets shorter ones in.
    CHECK(world.verify(message, {.rsa_bits_min = 0})[0].what == outcome::pass);
  }
  // 512 bits and SHA-1: nothing here signs with them, so these were made with OpenSSL's command.
  struct row { const char* why; std::string_view file; std::string_view reason; };
  const row rows[] = {{"RSA of 512 bits", "short-key.eml", "512 bits"}, {"rsa-sha1", "rsa-sha1.eml", "historic"}};
  for (const row& r : rows) {
    CAPTURE(r.why);
    const std::string text = test::with_crlf(test::read_file(test::data_folder("mailauth") / r.file));
    REQUIRE(!text.empty());
    const std::size_t end = text.find("\r\n");
    world.dns.clear();
    world.dns.add_txt("test._domainkey.example.org", std::string_view(text).substr(0, end));
    const std::string_view message = std::string_view(text).substr(end + 2);
    for (const unsigned least : {0u, 1024u}) {
      const auto results = world.verify(message, {.rsa_bits_min = least});
      REQUIRE(results.size() == 1);
      CAPTURE(results[0].reason);
      CHECK(results[0].what == outcome::policy);
      CHECK(results[0].reason.find(r.reason) != std::string::npos);
    }
    CHECK(world.verify(replaced(std::string(message), "Subject: ", "Subject: x"))[0].what == outcome::fail);
  }
}

TEST_CASE("keys: what DNS may say") {
  struct row { const char* why; std::vector<std::string> records; outcome what; std::string_view reason; };
  const std::string good = test::key_record(*test::rsa_key());
  const std::string p = good.substr(good.find("p="));
  const row rows[] = {
      {"good", {good}, outcome::pass, ""},
      {"no version", {p}, outcome::pass, ""},
      {"h=sha256", {"h=sha256; " + p}, outcome::pass, ""},
      {"h=sha1 only", {"h=sha1; " + p}, outcome::permerror, "hash"},
      {"another kind of key", {test::key_record(*test::ed25519_key())}, outcome::permerror, "algorithm"},
      {"revoked", {"v=DKIM1; p="}, outcome::permerror, "revoked"},
      {"no key in it", {"v=DKIM1; p=YWJj"}, outcome::permerror, "readable key"},
      {"not for mail", {"s=other; " + p}, outcome::permerror, "not for mail"},
      {"another record beside it", {"v=spf1 -all", good}, outcome::pass, ""},
      {"two keys, the second is it", {"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", good}, outcome::pass, ""},
      {"only another record", {"v=spf1 -all"}, outcome::permerror, "version"},
      {"too many others before it", {"v=spf1", "v=spf1", "v=spf1", "v=spf1", good, good}, outcome::permerror, "version"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    dkim_world world;
    const std::string message = signed_message(world, only_rsa());
    world.dns.clear();
    for (const auto& record : r.records) world.dns.add_txt("rsa._domainkey.football.example.com", record);
    const auto results = world.verify(message);
    REQUIRE(results.size() == 1);
    CAPTURE(results[0].reason);
    CHECK(results[0].what == r.what);
    CHECK(results[0].reason.find(r.reason) != std::string::npos);
  }
  dkim_world world;
  const std::string message = signed_message(world, only_rsa());
  world.dns.clear();
  CHECK(world.verify(message)[0].what == outcome::permerror);
  CHECK(world.verify(message)[0].reason == "no key record");
  world.dns.add_name("rsa._domainkey.football.example.com");
  CHECK(world.verify(message)[0].what == outcome::permerror);
  world.dns.add_failure("rsa._domainkey.football.example.com", base::dns_type::txt);
  CHECK(world.verify(message)[0].what == outcome::temperror);
  // A body that was changed is a failure whatever DNS does.
  CHECK(world.verify(replaced(message, "Hi.", "Ho."))[0].what == outcome::fail);
}

TEST_CASE("t=y is told, t=s binds the identity") {
  dkim_world world;
  auto options = only_rsa();
  options.identity = "joe@sub.football.example.com";
  const std::string message = signed_message(world, options);
  world.dns.clear();
  world.dns.add_txt("rsa._domainkey.football.example.com", test::key_record(*test::rsa_key(), "v=DKIM1; t=y;"));
  CHECK(world.verify(message)[0].what == outcome::pass);
  CHECK(world.verify(message)[0].testing);
  CHECK(facts_of(world.verify(message)[0]).comment == "2048-bit key, testing");
  world.dns.clear();
  world.dns.add_txt("rsa._domainkey.football.example.com", test::key_record(*test::rsa_key(), "v=DKIM1; t=s;"));
  CHECK(world.verify(message)[0].what == outcome::permerror);
  CHECK(world.verify(signed_message(world, only_rsa()))[0].what == outcome::pass);
}

TEST_CASE("many signatures: a bound, one result each, each key asked for once") {
  dkim_world world;
  const auto fields = world.sign(plain_message, only_rsa());
  REQUIRE(fields.has_value());
  std::string message;
  for (int i = 0; i < 50; ++i) message += *fields;
  message += plain_message;
  const auto results = world.verify(message);
  CHECK(results.size() == base::limits::dkim_signatures);
  for (const auto& one : results) CHECK(one.what == outcome::pass);
  CHECK(world.dns.asked().size() == 1);
  CHECK(world.verify(message, {.signatures = 3}).size() == 3);
  CHECK(world.verify(plain_message).empty());
  CHECK(world.verify("").empty());

  // Every signature asks for another body hash; those past the bound are not computed, and do not pass.
  message = std::string(plain_message);
  for (std::size_t i = 0; i < base::limits::dkim_signatures; ++i)
    message = handmade("a=rsa-sha256; s=rsa; h=from; l=" + std::to_string(i + 100), message + std::string(200, 'x'));
  std::size_t refused = 0;
  for (const auto& one : world.verify(message)) {
    CHECK(one.what != outcome::pass);
    refused += one.reason.find("too many") != std::string::npos ? 1u : 0u;
  }
  CHECK(refused == base::limits::dkim_signatures - base::limits::dkim_body_hashes);
}

TEST_CASE("signatures that cannot be read stand beside good ones") {
  dkim_world world;
  const std::string message = "DKIM-Signature: nonsense\r\nDKIM-Signature:\r\n" + signed_message(world);
  const auto results = world.verify(message);
  REQUIRE(results.size() == 4);
  CHECK(results[0].what == outcome::permerror);
  CHECK(results[0].domain.empty());
  CHECK(results[1].what == outcome::permerror);
  CHECK(results[2].what == outcome::pass);
  CHECK(results[3].what == outcome::pass);
}

TEST_CASE("the steps are told") {
  dkim_world world;
  const auto message = dkim_world::read(signed_message(world));
  const dkim_verifier verifier(world.keys, world.clock);
  trace_list steps;
  (void)base::sync_wait(verifier.verify(message, tracer(&steps)));
  std::string all;
  for (const auto& one : steps.steps()) all += one.text + "\n";
  CHECK(all.find("signature of football.example.com, selector rsa, rsa-sha256") != all.npos);
  CHECK(all.find("rsa._domainkey.football.example.com") != all.npos);
  CHECK(all.find("key of 2048 bits: pass") != all.npos);
}

TEST_CASE("what is not signed, and why") {
  dkim_world world;
  struct row { const char* why; std::string message; dkim_errc error; };
  const std::string head = "From: a@football.example.com\r\n";
  const row rows[] = {
      {"a bare LF in the body", head + "\r\nHi.\nHo.\r\n", dkim_errc::unsuitable_message},
      {"a bare LF in the header", "From: a@football.example.com\nTo: b\r\n\r\n", dkim_errc::unsuitable_message},
      {"a bare CR in the body", head + "\r\nHi.\rHo.\r\n", dkim_errc::unsuitable_message},
      {"a bare CR at the very end", head + "\r\nHi.\r", dkim_errc::unsuitable_message},
      {"a line of 999 octets", head + "\r\n" + std::string(999, 'x') + "\r\n", dkim_errc::unsuitable_message},
      {"a line of a million octets", head + "\r\n" + std::string(1u << 20, 'x') + "\r\n", dkim_errc::unsuitable_message},
      {"the same without a line end", head + "\r\n" + std::string(999, 'x'), dkim_errc::unsuitable_message},
      {"a header field of 999 octets", "X: " + std::string(996, 'x') + "\r\n" + head + "\r\n", dkim_errc::unsuitable_message},
      {"a line that is no field", head + "nonsense\r\n\r\n", dkim_errc::unsuitable_message},
      {"a header that is too large",
       [&] {
         std::string big = head;
         while (big.size() <= base::limits::header_block_size) big += "X: " + std::string(900, 'x') + "\r\n";
         return big + "\r\nHi.\r\n";
       }(),
       dkim_errc::unsuitable_message},
      {"too many fields",
       [&] {
         std::string many = head;
         for (std::size_t i = 0; i < base::limits::header_fields; ++i) many += "X: y\r\n";
         return many + "\r\nHi.\r\n";
       }(),
       dkim_errc::unsuitable_message},
      {"no From", "To: b\r\n\r\nHi.\r\n", dkim_errc::no_single_from},
      {"two of them", head + head + "\r\nHi.\r\n", dkim_errc::no_single_from},
      {"nothing at all", "", dkim_errc::no_single_from},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto found = world.sign(r.message);
    REQUIRE(!found.has_value());
    CHECK(found.error() == r.error);
    // However it arrives.
    const auto signer = dkim_signer::make(dkim_world::sign_options()).value();
    CHECK(signer.sign(dkim_world::read(r.message, {signer.body_hash()}, 1000), world.now()).error() == r.error);
    CHECK(signer.sign(dkim_world::read(r.message, {signer.body_hash()}, 1), world.now()).error() == r.error);
  }
  const row good[] = {
      {"no body", head + "\r\n", {}},
      {"no empty line", head, {}},
      {"a line of 998 octets", head + "\r\n" + std::string(998, 'x') + "\r\n", {}},
      {"998 octets at the end", head + "\r\n" + std::string(998, 'x'), {}},
      {"8-bit and NUL", head + "\r\n" + std::string("\xff\0", 2) + "\r\n", {}},
      {"a field without a value", head + "Subject:\r\n\r\nHi.", {}},
  };
  for (const row& r : good) {
    CAPTURE(r.why);
    for (const auto& one : world.verify(signed_message(world, dkim_world::sign_options(), r.message)))
      CHECK(one.what == outcome::pass);
  }

  // The hash must have been wanted: only then were the lines looked at.
  const auto signer = dkim_signer::make(dkim_world::sign_options()).value();
  CHECK(signer.sign(dkim_world::read(plain_message), world.now()).error() == dkim_errc::missing_body_hash);
}

TEST_CASE("settings that cannot work are refused at once") {
  const auto refused = [](auto change) {
    auto options = dkim_world::sign_options();
    change(options);
    const auto made = dkim_signer::make(std::move(options));
    REQUIRE(!made.has_value());
    return made.error();
  };
  CHECK(refused([](auto& o) { o.domain = "football"; }) == dkim_errc::bad_domain);
  CHECK(refused([](auto& o) { o.domain = "a b.example"; }) == dkim_errc::bad_domain);
  CHECK(refused([](auto& o) { o.keys[0].selector = "a;b"; }) == dkim_errc::bad_selector);
  CHECK(refused([](auto& o) { o.keys.clear(); }) == dkim_errc::no_key);
  CHECK(refused([](auto& o) { o.keys[1].key = nullptr; }) == dkim_errc::no_key);
  CHECK(refused([](auto& o) { o.identity = "joe"; }) == dkim_errc::bad_identity);
  CHECK(refused([](auto& o) { o.identity = "joe@example.com"; }) == dkim_errc::bad_identity);
  CHECK(refused([](auto& o) { o.oversigned = {"To"}; }) == dkim_errc::from_not_signed);
  CHECK(refused([](auto& o) { o.signed_too = {"a:b"}; }) == dkim_errc::bad_signed_fields);
}

TEST_CASE("what the signer writes") {
  dkim_world world;
  auto options = dkim_world::sign_options();
  options.domain = "F\xc3\xbc\xc3\x9f" "ball.Example";
  options.oversigned = {"From"};
  options.signed_too = {"To", "Cc"};
  options.lifetime = 1h;
  const auto fields = world.sign(plain_message, options);
  REQUIRE(fields.has_value());
  const auto parsed = parse_dkim_signature(std::string_view(*fields).substr(15, fields->find("DKIM-Signature", 15) - 17));
  REQUIRE(parsed.has_value());
  CHECK(parsed->domain == "xn--fball-lqa6r.example");
  CHECK(parsed->fields == std::vector<std::string>{"from", "from", "to"});
  CHECK(parsed->signed_at == world.now());
  CHECK(parsed->expires == world.now() + 1h);
  options.timestamp = false;
  options.lifetime = 0s;
  CHECK(world.sign(plain_message, options)->find("t=1700000000") == std::string::npos);
}
