// Messages that others signed.

#include "mail/suites.hpp"
#include "mailauth/dkim_support.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;
using test::dkim_world;

namespace {

std::string suite_text(std::string_view name) {
  const auto files = test::suite_files("dkim-basic", name);
  return files.empty() ? std::string{} : test::with_crlf(test::read_file(files.front()));
}

void check_all_pass(std::vector<dkim_result> results, std::size_t count) {
  CHECK(results.size() == count);
  for (const auto& one : results) {
    CAPTURE(one.reason);
    CHECK(one.what == outcome::pass);
  }
}

}  // namespace

TEST_CASE("mail-auth's samples pass") {
  for (const auto& file : test::suite_files("dkim-basic/mail-auth", ".txt")) {
    if (file.filename().string().starts_with("LICENSE")) continue;
    CAPTURE(file.string());
    dkim_world world;
    std::string_view rest;
    const std::string text = test::with_crlf(test::read_file(file));
    for (rest = text; !rest.starts_with("\r\n");) {  // "name TXT-record" lines
      const std::size_t end = rest.find("\r\n");
      const std::string_view line = rest.substr(0, end);
      world.dns.add_txt(line.substr(0, line.find(' ')), line.substr(line.find(' ') + 1));
      rest.remove_prefix(end + 2);
    }
    check_all_pass(world.verify(rest.substr(2)), 2);
    check_all_pass(world.verify(dkim_world::read(rest.substr(2), {}, 11)), 2);
  }
}

TEST_CASE("RFC 6376's and RFC 8463's messages, as dkimpy holds them") {
  const std::string record = suite_text("test.txt");
  if (record.empty()) return;
  const std::string key = record.substr(0, record.find("\r\n"));
  dkim_world world;
  world.dns.add_txt("test._domainkey.football.example.com", key);
  world.dns.add_txt("brisbane._domainkey.football.example.com",
                    "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  check_all_pass(world.verify(suite_text("rfc6376.signed.msg")), 2);
  check_all_pass(world.verify(suite_text("rfc6376.msg")), 0);

  // The test key signs the test message; key records that cannot be used.
  const auto secret = test::provider().parse_private_key(suite_text("test.private"));
  REQUIRE(secret.has_value());
  auto options = dkim_world::sign_options();
  options.domain = "example.com";
  options.keys = {{"test", *secret}};
  const auto fields = world.sign(suite_text("test.message"), options);
  REQUIRE(fields.has_value());
  struct row { const char* why; std::string record; outcome what; };
  const row rows[] = {
      {"good", key, outcome::pass},
      {"v=DKIM1: …", suite_text("badversion.txt"), outcome::permerror},
      {"k=ed25519-sha256", suite_text("badk.txt"), outcome::permerror},
      {"DER that ends too early", suite_text("test_bad.txt"), outcome::permerror},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    dkim_world one;
    one.dns.add_txt("test._domainkey.example.com", r.record);
    const auto results = one.verify(*fields + suite_text("test.message"));
    REQUIRE(results.size() == 1);
    CHECK(results[0].what == r.what);
  }
  CHECK(world.sign(suite_text("test_nofrom.message"), options).error() == dkim_errc::no_single_from);

  // Ed25519 by its seed, as PKCS #8 (RFC 8410 §7).
  for (const auto& [file, shown] : {std::pair("ed25519test.key", "yi50DjK5O9pqbFpNHklsv9lqaS0ArSYu02qp1S0DW1Y="),
                                    std::pair("rfc8032_7_1.key", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")}) {
    std::string seed = suite_text(file);
    seed.resize(44);
    const std::string der = base::hex_decode("302e020100300506032b657004220420").value() + base::base64_decode(seed).value();
    const auto pem = "-----BEGIN PRIVATE KEY-----\n" + base::base64_encode(der) + "\n-----END PRIVATE KEY-----\n";
    const auto ed = test::provider().parse_private_key(pem);
    REQUIRE(ed.has_value());
    CHECK(base::base64_encode((*ed)->public_part()->encode()) == shown);
  }
}
