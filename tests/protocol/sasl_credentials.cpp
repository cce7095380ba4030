#include "sasl_support.hpp"

#include "briefwerk/protocol/sasl/prepare.hpp"

using namespace sasl_test;
using base::hash_kind;

TEST_CASE("SASLprep") {
  struct row { const char* why; std::string in; std::optional<std::string> out; std::error_code error = {}; };
  const row rows[] = {
      {"RFC 4013 §3, 1: soft hyphen mapped to nothing", "I\xc2\xadX", "IX"},
      {"RFC 4013 §3, 2: no change", "user", "user"},
      {"RFC 4013 §3, 3: letter case stays", "USER", "USER"},
      {"RFC 4013 §3, 4: NFKC", "\xc2\xaa", "a"},
      {"RFC 4013 §3, 5: NFKC of a number", "\xe2\x85\xa8", "IX"},
      {"RFC 4013 §3, 6: prohibited character", "\x07", {}, errc::prohibited_character},
      {"RFC 4013 §3, 7: directions", "\xd8\xa7" "1", {}, errc::prohibited_character},
      {"RFC 4013 §2.1: other spaces become space", "a\xc2\xa0" "b", "a b"},
      {"decomposed is composed", "u\xcc\x88", "\xc3\xbc"},
      {"right to left", "\xd8\xa7\xd8\xa8", "\xd8\xa7\xd8\xa8"},
      {"after Unicode 3.2", "\xf0\x9f\x94\x91", "\xf0\x9f\x94\x91"},
      {"printable ASCII", " !\"#=,~", " !\"#=,~"},
      {"delete", "a\x7f", {}, errc::prohibited_character},
      {"NUL", std::string("a\0b", 3), {}, errc::prohibited_character},
      {"no UTF-8", "a\xff", {}, errc::prohibited_character},
      {"cut UTF-8", "a\xc3", {}, errc::prohibited_character},
      {"surrogate", "\xed\xa0\x80", {}, errc::prohibited_character},
      {"private use", "\xee\x80\x80", {}, errc::prohibited_character},
      {"empty", "", {}, errc::empty_after_preparation},
      {"nothing left", "\xc2\xad", {}, errc::empty_after_preparation},
      {"the largest expansion", "\xef\xb7\xba\xef\xb7\xba",
       "\xd8\xb5\xd9\x84\xd9\x89\x20\xd8\xa7\xd9\x84\xd9\x84\xd9\x87\x20\xd8\xb9\xd9\x84\xd9\x8a\xd9\x87\x20\xd9\x88\xd8\xb3\xd9\x84\xd9\x85"
       "\xd8\xb5\xd9\x84\xd9\x89\x20\xd8\xa7\xd9\x84\xd9\x84\xd9\x87\x20\xd8\xb9\xd9\x84\xd9\x8a\xd9\x87\x20\xd9\x88\xd8\xb3\xd9\x84\xd9\x85"},
      {"too long", std::string(base::limits::sasl_message + 1, 'x'), {}, base::errc::limit_exceeded},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto got = exactly(r.in, [](auto octets) { return saslprep(octets); });
    REQUIRE(got.has_value() == r.out.has_value());
    if (got)
      CHECK(*got == *r.out);
    else
      CHECK(got.error() == r.error);
  }
}

TEST_CASE("SCRAM keys: text form there and back, and cut") {
  for (const auto hash : {hash_kind::sha1, hash_kind::sha256}) {
    const auto keys = make_scram_keys(provider(), hash, "pencil", 5000).value();
    CHECK(keys.salt.size() == scram_salt_size);
    const std::string text = to_text(keys);
    CHECK(parse_scram_keys(text).value() == keys);
    for (std::size_t size = 0; size < text.size(); ++size)
      CHECK(!exactly(std::string_view(text).substr(0, size), [](auto octets) { return parse_scram_keys(octets); }));
  }
  // Computed independently with Python's hashlib.
  const auto known = derive_scram_keys(provider(), hash_kind::sha256, "pencil", "saltSALTsaltSALT", 4096).value();
  CHECK(to_text(known) == "SCRAM-SHA-256$4096:c2FsdFNBTFRzYWx0U0FMVA==$rI085n0JKkeNQ5xMfUHh/8gZqIsOmgs7FtYmMZ2puXc=:g5apjwgQUvHUOwXfc7SAG5mN95JhoEmIENeooPC+Eq4=");
}

TEST_CASE("SCRAM keys: texts refused") {
  const std::string good = to_text(make_scram_keys(provider(), hash_kind::sha256, "pencil", 4096).value());
  const std::string tail = good.substr(good.find(':'));
  struct row { const char* why; std::string text; };
  const row rows[] = {
      {"another mechanism", "SCRAM-SHA-512" + good.substr(13)},
      {"sizes of another hash", "SCRAM-SHA-1" + good.substr(13)},
      {"no iterations", "SCRAM-SHA-256$" + tail},
      {"zero", "SCRAM-SHA-256$0" + tail},
      {"negative", "SCRAM-SHA-256$-4096" + tail},
      {"too many", "SCRAM-SHA-256$1048577" + tail},
      {"does not fit", "SCRAM-SHA-256$99999999999" + tail},
      {"not a number", "SCRAM-SHA-256$4o96" + tail},
      {"no mark behind the salt", "SCRAM-SHA-256$4096:c2FsdA==:eHh4:eHh4"},
      {"no mark behind the iterations", "SCRAM-SHA-256$4096$c2FsdA=="},
      {"no mark behind the name", "SCRAM-SHA-256:4096:c2FsdA==:eHh4"},
      {"empty salt", "SCRAM-SHA-256$4096:$" + tail.substr(tail.find('$') + 1)},
      {"something behind", good + "x"},
      {"line end", good + "\n"},
      {"lower case", "scram-sha-256" + good.substr(13)},
  };
  for (const row& r : rows) CHECK_MESSAGE(parse_scram_keys(r.text).error() == errc::malformed_credentials, r.why);
  CHECK(parse_scram_keys("SCRAM-SHA-256$1000" + tail).value().iterations == 1000);
}

TEST_CASE("keys are derived within the bounds and from prepared passwords") {
  const auto derive = [](std::string_view password, std::uint32_t iterations) {
    return derive_scram_keys(provider(), hash_kind::sha256, password, "salt", iterations);
  };
  CHECK(derive("x", base::limits::scram_iterations_min - 1).error() == base::errc::limit_exceeded);
  CHECK(derive("x", base::limits::scram_iterations_max + 1).error() == base::errc::limit_exceeded);
  CHECK(derive("", 4096).error() == errc::empty_after_preparation);
  CHECK(derive("\x07", 4096).error() == errc::prohibited_character);
  CHECK(derive("I\xc2\xadX", 4096).value() == derive("IX", 4096).value());
  CHECK(make_scram_keys(provider(), hash_kind::sha256, "x", 4096).value().salt !=
        make_scram_keys(provider(), hash_kind::sha256, "x", 4096).value().salt);
}

TEST_CASE("a plain password against what the directory keeps") {
  const auto sha256 = make_scram_keys(provider(), hash_kind::sha256, "p\xc3\xa4ss", 4096).value();
  const auto sha1 = make_scram_keys(provider(), hash_kind::sha1, "p\xc3\xa4ss", 4096).value();
  struct row { const char* why; credentials known; };
  const row rows[] = {{"both keys", {sha256, sha1, {}}},
                      {"SHA-256 alone", {sha256, {}, {}}},
                      {"SHA-1 alone", {{}, sha1, {}}},
                      {"the secret alone", {{}, {}, "p\xc3\xa4ss"}}};
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(verify_password(provider(), &r.known, "p\xc3\xa4ss", 4096));
    CHECK(verify_password(provider(), &r.known, "pa\xcc\x88ss", 4096));  // decomposed
    CHECK(!verify_password(provider(), &r.known, "pass", 4096));
    CHECK(!verify_password(provider(), &r.known, "", 4096));
    CHECK(!verify_password(provider(), &r.known, "\x07", 4096));
  }
  const credentials nothing;
  CHECK(!verify_password(provider(), &nothing, "pass", 4096));
  CHECK(!verify_password(provider(), nullptr, "pass", 4096));
  const credentials empty_secret{{}, {}, ""};
  CHECK(!verify_password(provider(), &empty_secret, "", 4096));
}

TEST_CASE("decoys depend on secret, name and hash only") {
  const auto one = decoy_keys(provider(), hash_kind::sha256, "secret", "tim", 4096);
  CHECK(one == decoy_keys(provider(), hash_kind::sha256, "secret", "tim", 4096));
  CHECK(one.salt != decoy_keys(provider(), hash_kind::sha256, "secret", "tom", 4096).salt);
  CHECK(one.salt != decoy_keys(provider(), hash_kind::sha256, "other", "tim", 4096).salt);
  CHECK(one.salt != decoy_keys(provider(), hash_kind::sha1, "secret", "tim", 4096).salt);
  CHECK(one.salt.size() == scram_salt_size);
  CHECK(one.stored_key.size() == 32);
  CHECK(one.stored_key != one.server_key);
  CHECK(decoy_keys(provider(), hash_kind::sha1, "secret", "tim", 4096).stored_key.size() == 20);
}
