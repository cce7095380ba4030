#include "briefwerk/server/passwords.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/crypto/boringssl.hpp"

using namespace briefwerk;

TEST_CASE("passwords: what is made fits, serves SCRAM, and nothing else fits") {
  const auto crypto = crypto::make_boringssl();
  for (const auto scheme : {server::password_scheme::scram, server::password_scheme::recoverable}) {
    const auto made = server::make_credentials(*crypto, scheme, "p\xc3\xa4ss word", 4096);
    REQUIRE(made.has_value());
    CHECK(server::verify_password(*crypto, *made, "p\xc3\xa4ss word"));
    CHECK_FALSE(server::verify_password(*crypto, *made, "p\xc3\xa4ss wore"));
    CHECK_FALSE(server::verify_password(*crypto, *made, ""));
    const auto known = server::sasl_credentials(*made);
    CHECK(known.sha256.has_value());
    CHECK(known.sha1.has_value());
    CHECK(known.secret.has_value() == (scheme == server::password_scheme::recoverable));
  }
  CHECK_FALSE(server::make_credentials(*crypto, server::password_scheme::scram, "\x01").has_value());
  CHECK_FALSE(server::make_credentials(*crypto, server::password_scheme::scram, "").has_value());
  CHECK_FALSE(server::verify_password(*crypto, {}, ""));
}

TEST_CASE("passwords: keys of other systems serve SCRAM too; what cannot be read is passed over") {
  const auto crypto = crypto::make_boringssl();
  const auto made = server::make_credentials(*crypto, server::password_scheme::scram, "secret", 4096);
  REQUIRE(made.has_value());
  const auto own = server::sasl_credentials(*made);
  REQUIRE(own.sha256.has_value());
  const std::string dovecot = "{SCRAM-SHA-256}4096," + base::base64_encode(own.sha256->salt) + "," +
                              base::base64_encode(own.sha256->stored_key) + "," + base::base64_encode(own.sha256->server_key);
  struct row {
    const char* why;
    std::string stored;
    bool scram, fits;
  };
  const row rows[] = {
      {"our own", made->front(), true, true},
      {"with its scheme in front", "{SCRAM-SHA-256}" + made->front(), true, true},
      {"Dovecot's form", dovecot, true, true},
      {"Dovecot's form, scheme in small letters", "{scram-sha-256}" + dovecot.substr(15), true, true},
      {"cut", made->front().substr(0, 40), false, false},
      {"nothing behind the scheme", "{SCRAM-SHA-256}", false, false},
      {"a crypt(3) form", "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/", false, false},
      {"rubbish", "x", false, false},
      {"empty", "", false, false},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    const std::vector<std::string> stored{one.stored};
    CHECK(server::sasl_credentials(stored).sha256.has_value() == one.scram);
    CHECK(server::verify_password(*crypto, stored, "secret") == one.fits);
    CHECK_FALSE(server::verify_password(*crypto, stored, "Secret"));
  }
}
