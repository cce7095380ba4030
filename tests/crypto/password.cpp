#include "briefwerk/crypto/password.hpp"

#include <doctest/doctest.h>

#include "briefwerk/crypto/boringssl.hpp"

using namespace briefwerk;
using base::errc;
using briefwerk::crypto::fits_stored_password;
using briefwerk::crypto::hash_password;
using briefwerk::crypto::password_scheme;
using namespace std::string_view_literals;

namespace {
const auto provider = briefwerk::crypto::make_boringssl();
}

TEST_CASE("stored passwords of other systems") {
  // SCRAM keys computed with Python's hashlib, hashes with Perl's crypt.
  struct row { const char* why; std::string_view stored; };
  const row rows[] = {
      {"Dovecot's SCRAM",
       "{SCRAM-SHA-256}4096,c2FsdFNBTFRzYWx0U0FMVA==,Cd5Zl7Iw2X87j2V10RNngLmuuWFSIei11TSVO3J8DgA=,auVaIOdGdmBTzYBLuC70Kx5vX3wFgOITa4avx3uhYlA="},
      {"scheme in lower case",
       "{scram-sha-256}4096,c2FsdFNBTFRzYWx0U0FMVA==,Cd5Zl7Iw2X87j2V10RNngLmuuWFSIei11TSVO3J8DgA=,auVaIOdGdmBTzYBLuC70Kx5vX3wFgOITa4avx3uhYlA="},
      {"our SCRAM",
       "SCRAM-SHA-256$4096:c2FsdFNBTFRzYWx0U0FMVA==$Cd5Zl7Iw2X87j2V10RNngLmuuWFSIei11TSVO3J8DgA=:auVaIOdGdmBTzYBLuC70Kx5vX3wFgOITa4avx3uhYlA="},
      {"both names",
       "{SCRAM-SHA-256}SCRAM-SHA-256$4096:c2FsdFNBTFRzYWx0U0FMVA==$Cd5Zl7Iw2X87j2V10RNngLmuuWFSIei11TSVO3J8DgA=:auVaIOdGdmBTzYBLuC70Kx5vX3wFgOITa4avx3uhYlA="},
      {"SCRAM-SHA-1",
       "{SCRAM-SHA-1}4096,c2FsdFNBTFRzYWx0U0FMVA==,rYCDq8ipGoCjrTMD1mT7sS7nQ+8=,ZhDDqwnNLVrBoxbgbr7wNpBG0cA="},
      {"our SCRAM-SHA-1",
       "SCRAM-SHA-1$4096:c2FsdFNBTFRzYWx0U0FMVA==$rYCDq8ipGoCjrTMD1mT7sS7nQ+8=:ZhDDqwnNLVrBoxbgbr7wNpBG0cA="},
      {"yescrypt",
       "$y$j75$saltSALTsaltSALT$fDph4Wrcp1aLuft6GzzrTLyXT2XfkgKfOk5IRFyLNM8"},
      {"bcrypt",
       "$2b$05$abcdefghijklmnopqrstuuwByubmpIg6p9eeqm.Bn7rrsKcoFGwx."},
      {"bcrypt, PHP",
       "$2y$05$abcdefghijklmnopqrstuuwByubmpIg6p9eeqm.Bn7rrsKcoFGwx."},
      {"SHA-512",
       "$6$rounds=1000$saltsalt$rXjl5uYHGWEqW/rCvZtCboIF4gG9Mm2IgawiKhopbnZ3Wo8X8lHSiLnrN1Z0o3jtyNmfEJVSATxUqKvsHnqia0"},
      {"SHA-256",
       "$5$rounds=1000$saltsalt$6.DR746dTJZQKwz6NbDAQYNJizbCTkZK/PnRzSvvbb."},
      {"{CRYPT}",
       "{CRYPT}$6$rounds=1000$saltsalt$rXjl5uYHGWEqW/rCvZtCboIF4gG9Mm2IgawiKhopbnZ3Wo8X8lHSiLnrN1Z0o3jtyNmfEJVSATxUqKvsHnqia0"},
      {"{BLF-CRYPT}",
       "{BLF-CRYPT}$2y$05$abcdefghijklmnopqrstuuwByubmpIg6p9eeqm.Bn7rrsKcoFGwx."},
      {"in the clear",
       "{PLAIN}tanstaaf"},
      {"in the clear, other name",
       "{cleartext}tanstaaf"}};
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(fits_stored_password(*provider, r.stored, "tanstaaf").value());
    for (const auto wrong : {"tanstaag"sv, "tanstaa"sv, "tanstaaff"sv, ""sv, "tanstaaf\0"sv, "Tanstaaf"sv})
      CHECK(!fits_stored_password(*provider, r.stored, wrong).value());
    CHECK(!fits_stored_password(*provider, r.stored, std::string(5000, 'x')).value());
    // Cut anywhere it fits nobody any more, or is no stored password. (A cut {PLAIN} is another password.)
    for (std::size_t size = 0; size < r.stored.size(); size += size < 12 ? 1 : 7) {
      const std::vector<char> exact(r.stored.begin(), r.stored.begin() + static_cast<std::ptrdiff_t>(size));
      const auto got = fits_stored_password(*provider, {exact.data(), exact.size()}, "tanstaaf");
      CHECK(!(got && *got));
    }
  }
}

TEST_CASE("what is no stored password") {
  struct row { const char* why; std::string_view stored; errc error; };
  const row rows[] = {
      {"empty", "", errc::unsupported},
      {"a bare password", "tanstaaf", errc::unsupported},
      {"DES", "{CRYPT}ab0123456789.", errc::unsupported},
      {"MD5", "$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/", errc::unsupported},
      {"another scheme", "{SSHA}YWJj", errc::unsupported},
      {"scheme without end", "{PLAIN", errc::malformed},
      {"hash that crypt does not take", "$2b$99$abcdefghijklmnopqrstuu", errc::malformed},
      {"keys of another size", "{SCRAM-SHA-256}4096,c2FsdA==,c2FsdA==,c2FsdA==", errc::malformed},
      {"three values", "{SCRAM-SHA-256}4096,c2FsdA==,c2FsdA==", errc::malformed},
      {"no number", "{SCRAM-SHA-256}x,c2FsdA==,c2FsdA==,c2FsdA==", errc::malformed},
      {"too many iterations", "{SCRAM-SHA-256}1048577,c2FsdA==,c2FsdA==,c2FsdA==", errc::limit_exceeded},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto got = fits_stored_password(*provider, r.stored, "tanstaaf");
    REQUIRE(!got);
    CHECK(got.error() == r.error);
  }
}

TEST_CASE("new stored passwords") {
  for (const auto scheme : {password_scheme::scram_sha256, password_scheme::yescrypt}) {
    const auto stored = hash_password(*provider, scheme, "p\xc3\xa4ss", 4096);
    REQUIRE(stored);
    CHECK(stored->starts_with(scheme == password_scheme::yescrypt ? "$y$" : "SCRAM-SHA-256$4096:"));
    CHECK(fits_stored_password(*provider, *stored, "p\xc3\xa4ss").value());
    CHECK(!fits_stored_password(*provider, *stored, "pass").value());
    CHECK(*stored != hash_password(*provider, scheme, "p\xc3\xa4ss", 4096).value());
    CHECK(hash_password(*provider, scheme, "").error() == errc::malformed);
  }
  CHECK(hash_password(*provider, password_scheme::yescrypt, "a\0b"sv).error() == errc::malformed);
  CHECK(hash_password(*provider, password_scheme::yescrypt, std::string(512, 'x')).error() == errc::limit_exceeded);
  CHECK(hash_password(*provider, password_scheme::scram_sha256, "x", 4095).error() == errc::limit_exceeded);
}
