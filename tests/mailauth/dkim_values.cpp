#include "mail/suites.hpp"
#include "mailauth/dkim/tag_list.hpp"
#include "mailauth/dkim_support.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;

namespace {

constexpr std::string_view hash32 = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=";

// A complete signature; `change` replaces or adds tags: "d=x.example; l=5".
std::string signature_with(std::string_view change) {
  std::vector<std::pair<std::string, std::string>> tags = {
      {"v", "1"}, {"a", "rsa-sha256"}, {"d", "example.org"}, {"s", "sel"}, {"h", "from:to"}, {"bh", std::string(hash32)}, {"b", "YWJj"}};
  const auto changes = parse_tag_list(change);
  if (changes) {
    for (const tag& one : *changes) {
      std::erase_if(tags, [&](const auto& have) { return have.first == one.name; });
      if (one.value != "-") tags.emplace_back(one.name, one.value);
    }
  }
  std::string out;
  for (const auto& [name, value] : tags) out += name + "=" + value + "; ";
  return out;
}

}  // namespace

TEST_CASE("tag lists (RFC 6376 §3.2)") {
  struct row { const char* why; std::string_view text; int tags; };  // -1: refused
  const row rows[] = {
      {"one", "a=b", 1},
      {"a final semicolon", "a=b;", 1},
      {"white space round everything", " \t a \r\n = \r\n\tb c ;\r\n d=e ; ", 2},
      {"an empty value", "a=; b=c", 2},
      {"names differ by case", "a=b; A=c", 2},
      {"digits and underscores in names", "a_1=b", 1},
      {"an equals sign in the value", "p=abc=", 1},
      {"UTF-8 in the value (RFC 8616)", "d=b\xc3\xbc" "cher.example", 1},
      {"the same name twice", "a=b; a=b", -1},
      {"nothing", "", -1},
      {"white space only", " \r\n ", -1},
      {"a semicolon only", ";", -1},
      {"two semicolons", "a=b;; c=d", -1},
      {"two semicolons at the end", "a=b;;", -1},
      {"no equals sign", "a=b; c", -1},
      {"no name", "=b", -1},
      {"a name that begins with a digit", "1a=b", -1},
      {"a name with a space", "a b=c", -1},
      {"a control character", "a=b\x01", -1},
      {"NUL", std::string_view("a=b\0", 4), -1},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto found = parse_tag_list(r.text);
    CHECK((found ? static_cast<int>(found->size()) : -1) == r.tags);
    test::with_every_cut(r.text, [](std::string_view cut) { (void)parse_tag_list(cut); });
  }
  CHECK(parse_tag_list("a=b; a=c").error() == dkim_errc::duplicate_tag);
  std::string many;
  for (std::size_t i = 0; i <= base::limits::dkim_tags; ++i) many += "t" + std::to_string(i) + "=;";
  CHECK(parse_tag_list(many).error() == dkim_errc::too_long);
}

TEST_CASE("signatures: each rule of RFC 6376 §3.5 and §6.1.1") {
  struct row { const char* why; std::string_view change; dkim_errc error; };
  constexpr dkim_errc good{};
  const row rows[] = {
      {"complete", "x_unknown=1", good},
      {"no version", "v=-", dkim_errc::missing_tag},
      {"another version", "v=2", dkim_errc::bad_version},
      {"01 is not 1", "v=01", dkim_errc::bad_version},
      {"no algorithm", "a=-", dkim_errc::missing_tag},
      {"values keep their case", "a=RSA-SHA256", dkim_errc::bad_algorithm},
      {"unknown algorithm", "a=dsa-sha256", dkim_errc::bad_algorithm},
      {"ed25519 (RFC 8463)", "a=ed25519-sha256", good},
      {"ed25519 has no SHA-1", "a=ed25519-sha1", dkim_errc::bad_algorithm},
      {"rsa-sha1 can be read", "a=rsa-sha1; bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", good},
      {"a SHA-256 hash of SHA-1's length", "bh=MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=", dkim_errc::bad_body_hash},
      {"no body hash", "bh=-", dkim_errc::missing_tag},
      {"no Base64", "bh=!", dkim_errc::bad_body_hash},
      {"an empty body hash", "bh=", dkim_errc::bad_body_hash},
      {"no signature", "b=-", dkim_errc::missing_tag},
      {"an empty signature", "b=", dkim_errc::bad_signature_data},
      {"no Base64", "b=a$b", dkim_errc::bad_signature_data},
      {"Base64 with white space", "b=YW\r\n Jj", good},
      {"Base64 without padding", "b=YWI", good},
      {"no domain", "d=-", dkim_errc::missing_tag},
      {"an empty domain", "d=", dkim_errc::bad_domain},
      {"one label", "d=org", dkim_errc::bad_domain},
      {"an empty label", "d=a..org", dkim_errc::bad_domain},
      {"a leading hyphen", "d=-a.org", dkim_errc::bad_domain},
      {"a space", "d=a b.org", dkim_errc::bad_domain},
      {"a final dot", "d=example.org.", dkim_errc::bad_domain},
      {"U-labels (RFC 8616)", "d=b\xc3\xbc" "cher.example", good},
      {"broken UTF-8", "d=b\xc3.example", dkim_errc::bad_domain},
      {"no selector", "s=-", dkim_errc::missing_tag},
      {"an empty selector", "s=", dkim_errc::bad_selector},
      {"a selector with dots", "s=a.b", good},
      {"underscores are in use", "s=a_b", good},
      {"no list of fields", "h=-", dkim_errc::missing_tag},
      {"From is not in it", "h=to:subject", dkim_errc::from_not_signed},
      {"an empty list has no From", "h=", dkim_errc::from_not_signed},
      {"names compare without case", "h=FROM", good},
      {"white space round the colons", "h=from \r\n : to", good},
      {"a space inside of a name", "h=from:re ply", dkim_errc::bad_signed_fields},
      {"one canonicalization", "c=relaxed", good},
      {"unknown", "c=nowsp", dkim_errc::bad_canonicalization},
      {"unknown for the body", "c=relaxed/nowsp", dkim_errc::bad_canonicalization},
      {"three", "c=relaxed/relaxed/simple", dkim_errc::bad_canonicalization},
      {"case", "c=Relaxed", dkim_errc::bad_canonicalization},
      {"identity below", "i=joe@mail.example.org", good},
      {"identity without a local part", "i=@example.org", good},
      {"identity elsewhere", "i=joe@example.com", dkim_errc::bad_identity},
      {"a name that only ends alike", "i=joe@badexample.org", dkim_errc::bad_identity},
      {"no domain", "i=joe", dkim_errc::bad_identity},
      {"broken quoted-printable", "i=j=4@example.org", dkim_errc::bad_identity},
      {"a length", "l=0", good},
      {"76 digits", "l=9999999999999999999999999999999999999999999999999999999999999999999999999999", good},
      {"77 digits", "l=99999999999999999999999999999999999999999999999999999999999999999999999999999", dkim_errc::bad_body_length},
      {"a negative length", "l=-1", dkim_errc::bad_body_length},
      {"an empty length", "l=", dkim_errc::bad_body_length},
      {"the query method", "q=dns/txt", good},
      {"one of two", "q=future:dns/txt", good},
      {"unknown", "q=http", dkim_errc::bad_query_method},
      {"times", "t=1; x=2", good},
      {"12 digits", "t=999999999999", good},
      {"13 digits", "t=1000000000000", dkim_errc::bad_time},
      {"no number", "t=now", dkim_errc::bad_time},
      {"an empty time", "t=", dkim_errc::bad_time},
      {"ends before it began", "t=2; x=1", dkim_errc::bad_time},
      {"ends when it began", "t=2; x=2", dkim_errc::bad_time},
      {"an empty end", "x=", dkim_errc::bad_time},
      {"copied fields", "z=From:joe@example.org|Subject:a=20b", good},
      {"copied fields that cannot be read change nothing", "z=From=X", good},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const std::string text = signature_with(r.change);
    const auto found = parse_dkim_signature(text);
    CHECK((found ? std::error_code{} : found.error()) == (r.error == good ? std::error_code{} : make_error_code(r.error)));
    if (!found) CHECK(found.error().message().size() > 10);
    test::with_every_cut(text, [](std::string_view cut) { (void)parse_dkim_signature(cut); });
  }
  CHECK(parse_dkim_signature("v=1; v=1").error() == dkim_errc::duplicate_tag);
  CHECK(parse_dkim_signature(std::string(base::limits::dkim_signature_size + 1, 'a')).error() == dkim_errc::too_long);
  std::string many = "h=from";
  for (std::size_t i = 0; i < base::limits::dkim_signed_fields; ++i) many += ":x";
  CHECK(parse_dkim_signature(signature_with(many)).error() == dkim_errc::too_long);
}

TEST_CASE("signatures: what they say") {
  const auto all = parse_dkim_signature(signature_with(
      "a=ed25519-sha256; c=relaxed/simple; d=B\xc3\xbc" "cher.Example; s=Sel.A; i=j=C3=B6e=20x@Sub.b\xc3\xbc" "cher.example; h= From :TO: ; "
      "l=12; t=5; x=77; z=Subject:a=20b | From:x"));
  REQUIRE(all.has_value());
  CHECK(all->algorithm == dkim_algorithm::ed25519_sha256);
  CHECK(all->header == canonicalization::relaxed);
  CHECK(all->body == canonicalization::simple);
  CHECK(all->domain == "xn--bcher-kva.example");
  CHECK(all->selector == "sel.a");
  CHECK(all->identity == "j\xc3\xb6" "e x@Sub.b\xc3\xbc" "cher.example");
  CHECK(all->identity_domain == "sub.xn--bcher-kva.example");
  CHECK(all->fields == std::vector<std::string>{"from", "to"});
  CHECK(all->body_hash == "12345678901234567890123456789012");
  CHECK(all->value == "abc");
  CHECK(all->value_text == "YWJj");
  CHECK(all->body_length == 12u);
  CHECK(all->signed_at->time_since_epoch().count() == 5);
  CHECK(all->expires->time_since_epoch().count() == 77);
  CHECK(all->copied_fields == std::vector<std::string>{"Subject:a b", "From:x"});

  const auto least = parse_dkim_signature(signature_with("s=a"));
  REQUIRE(least.has_value());
  CHECK(least->header == canonicalization::simple);
  CHECK(least->body == canonicalization::simple);
  CHECK(least->identity == "@example.org");
  CHECK(!least->body_length);
  CHECK(parse_dkim_signature(signature_with("l=99999999999999999999"))->body_length == ~std::uint64_t{0});
}

TEST_CASE("key records (RFC 6376 §3.6.1)") {
  struct row { const char* why; std::string_view text; dkim_errc error; };
  constexpr dkim_errc good{};
  const row rows[] = {
      {"the key alone", "p=YWJj", good},
      {"with its version", "v=DKIM1; p=YWJj", good},
      {"another version", "v=DKIM2; p=YWJj", dkim_errc::bad_key_version},
      {"the version is not first", "k=rsa; v=DKIM1; p=YWJj", dkim_errc::bad_key_version},
      {"a colon for a semicolon", "v=DKIM1: g=*; k=rsa; p=YWJj", dkim_errc::bad_key_version},
      {"unknown tags", "v=DKIM1; g=*; n=hello world; p=YWJj", good},
      {"a key type", "k=ed25519; p=YWJj", good},
      {"an unknown key type", "k=dsa; p=YWJj", dkim_errc::bad_key_type},
      {"an algorithm is no key type", "k=ed25519-sha256; p=YWJj", dkim_errc::bad_key_type},
      {"revoked", "v=DKIM1; p=", dkim_errc::key_revoked},
      {"revoked, with white space", "p= ;", dkim_errc::key_revoked},
      {"no key", "v=DKIM1; k=rsa", dkim_errc::missing_tag},
      {"no Base64", "p=a*b", dkim_errc::bad_key_data},
      {"Base64 with spaces", "p=YW Jj", good},
      {"for mail", "s=email; p=YWJj", good},
      {"for all", "s=tlsrpt:*; p=YWJj", good},
      {"for something else", "s=tlsrpt; p=YWJj", dkim_errc::wrong_service},
      {"another record", "v=spf1 -all", dkim_errc::bad_key_version},
      {"nothing", "", dkim_errc::bad_tag_list},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto found = parse_dkim_key_record(r.text);
    CHECK((found ? std::error_code{} : found.error()) == (r.error == good ? std::error_code{} : make_error_code(r.error)));
    test::with_every_cut(r.text, [](std::string_view cut) { (void)parse_dkim_key_record(cut); });
  }
  const auto all = parse_dkim_key_record("v=DKIM1; k=ed25519; h=sha256:x; t=y:s:z; p=YWJj;");
  REQUIRE(all.has_value());
  CHECK(all->kind == base::key_kind::ed25519);
  CHECK(all->octets == "abc");
  CHECK(!all->sha1);
  CHECK(all->sha256);
  CHECK(all->testing);
  CHECK(all->exact_identity);
  const auto least = parse_dkim_key_record("p=YWJj");
  CHECK(least->kind == base::key_kind::rsa);
  CHECK((least->sha1 && least->sha256 && !least->testing && !least->exact_identity));
  CHECK(parse_dkim_key_record("p=" + std::string(base::limits::dkim_key_record, 'A')).error() == dkim_errc::too_long);
}
