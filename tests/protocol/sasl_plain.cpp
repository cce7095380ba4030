#include "sasl_support.hpp"

#include "protocol/sasl/mechanisms.hpp"

using namespace sasl_test;
using namespace std::string_view_literals;

namespace {
std::string text(std::string_view octets) { return std::string(octets); }
}  // namespace

TEST_CASE("PLAIN server: messages") {
  struct row { const char* why; std::string message; std::optional<failure> end; std::string authcid, authzid, password; };
  const row rows[] = {
      {"RFC 4616 §4, first example", text("\0tim\0tanstaaftanstaaf"sv), {}, "tim", "", "tanstaaftanstaaf"},
      {"RFC 4616 §4, second example", text("Ursel\0Kurt\0xipj3plmq"sv), {}, "Kurt", "Ursel", "xipj3plmq"},
      {"UTF-8", text("\0r\xc3\xbc" "diger\0p\xc3\xa4ss"sv), {}, "r\xc3\xbc" "diger", "", "p\xc3\xa4ss"},
      {"RFC 4013 §3 soft hyphen goes", text("\0I\xc2\xadX\0p"sv), {}, "IX", "", "p"},
      {"RFC 4013 §2.3 control character in the password", text("\0tim\0a\x07"sv), failure::bad_credentials},
      {"RFC 4013 §2.3 control character in the name", text("\0t\x07\0a"sv), failure::bad_credentials},
      {"bad UTF-8 in the password", text("\0tim\0\xff"sv), failure::bad_credentials},
      {"bad authzid", text("\xff\0tim\0x"sv), failure::malformed},
      {"empty", "", failure::malformed},
      {"one NUL", text("tim\0secret"sv), failure::malformed},
      {"three NULs", text("\0tim\0sec\0ret"sv), failure::malformed},
      {"no name", text("\0\0secret"sv), failure::malformed},
      {"no password", text("\0tim\0"sv), failure::malformed},
      {"too long", text("\0tim\0"sv) + std::string(base::limits::sasl_message, 'x'), failure::too_long},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    for (const bool initial : {true, false}) {
      auto server = make_plain_server();
      if (!initial) CHECK(std::get<challenge>(server->start(std::nullopt)).octets.empty());
      const auto step = exactly(r.message, [&](auto octets) {
        return initial ? server->start(octets) : server->response(octets);
      });
      if (r.end) {
        CHECK(why(step) == *r.end);
        continue;
      }
      REQUIRE(std::holds_alternative<check_password>(step));
      CHECK(std::get<check_password>(step).authcid == r.authcid);
      CHECK(std::get<check_password>(step).password == r.password);
      const auto end = server->answer(password_answer::right);
      REQUIRE(std::holds_alternative<done>(end));
      CHECK(std::get<done>(end).authcid == r.authcid);
      CHECK(std::get<done>(end).authzid == r.authzid);
    }
  }
}

TEST_CASE("PLAIN server: verdicts and calls out of turn") {
  const auto asked = [] {
    auto server = make_plain_server();
    CHECK(std::holds_alternative<check_password>(server->start("\0tim\0secret"sv)));
    return server;
  };
  const auto wrong = asked()->answer(password_answer::wrong);
  CHECK(why(wrong) == failure::bad_credentials);
  CHECK(std::get<failed>(wrong).authcid == "tim");
  CHECK(why(asked()->answer(password_answer::unavailable)) == failure::unavailable);
  CHECK(why(asked()->response("\0tim\0secret"sv)) == failure::malformed);
  CHECK(why(asked()->answer(credentials_answer{})) == failure::malformed);
  CHECK(why(make_plain_server()->answer(password_answer::right)) == failure::malformed);
  auto server = asked();
  server->answer(password_answer::wrong);
  CHECK(why(server->answer(password_answer::right)) == failure::malformed);
  // Cut anywhere: never another name, never a check of a shorter name.
  const auto whole = "boss\0tim\0secret"sv;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    auto one = make_plain_server();
    const auto step = exactly(whole.substr(0, size), [&](auto octets) { return one->start(octets); });
    CHECK(std::holds_alternative<check_password>(step) == (size > whole.rfind('\0') + 1));
  }
}

TEST_CASE("LOGIN server") {
  for (const int way : {0, 1, 2}) {  // no initial response, an empty one, the name as one
    CAPTURE(way);
    auto server = make_login_server();
    auto step = way == 2 ? server->start("tim") : way == 1 ? server->start("") : server->start(std::nullopt);
    if (way != 2) {
      CHECK(std::get<challenge>(step).octets == "Username:");
      step = server->response("tim");
    }
    CHECK(std::get<challenge>(step).octets == "Password:");
    step = server->response("secret");
    REQUIRE(std::holds_alternative<check_password>(step));
    CHECK(std::get<check_password>(step).authcid == "tim");
    CHECK(std::get<check_password>(step).password == "secret");
    step = server->answer(password_answer::right);
    REQUIRE(std::holds_alternative<done>(step));
    CHECK(std::get<done>(step).authcid == "tim");
    CHECK(why(server->answer(password_answer::right)) == failure::malformed);
  }
  struct row { const char* why; std::vector<std::string> messages; failure end; };
  const std::string much(base::limits::sasl_message + 1, 'x');
  const row rows[] = {
      {"empty password", {"tim", ""}, failure::malformed},
      {"control character in the name", {"t\x07", "x"}, failure::bad_credentials},
      {"bad UTF-8 in the password", {"tim", "\xff"}, failure::bad_credentials},
      {"too long a name", {much}, failure::too_long},
      {"too long a password", {"tim", much}, failure::too_long},
      {"wrong password", {"tim", "x"}, failure::bad_credentials},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(why(play(*make_login_server(), r.messages, {})) == r.end);
  }
  auto server = make_login_server();
  server->start(std::nullopt);
  CHECK(why(server->response("")) == failure::malformed);
  CHECK(why(make_login_server()->response("tim")) == failure::malformed);
  CHECK(why(make_login_server()->answer(password_answer::right)) == failure::malformed);
}

TEST_CASE("CRAM-MD5: RFC 2195 §2, both sides") {
  const std::string text = "1896.697170952@postoffice.reston.mci.net";
  const std::string response = "tim b913a602c7eda7a495b4e6e7334d3890";
  auto client = make_cram_md5_client({"tim", "tanstaaftanstaaf", ""}, provider());
  CHECK(!client->start());
  CHECK(!client->finish({}));
  CHECK(client->response("<" + text + ">").value() == response);
  CHECK(client->finish({}));
  CHECK(client->response("<" + text + ">").error() == errc::unexpected_challenge);

  directory users;
  users.users["tim"].secret = "tanstaaftanstaaf";
  users.users["no-secret"].sha256 = scram_keys{};
  const auto run = [&](std::string_view message) {
    auto server = make_cram_md5_server(text, "sixteen octets!!", provider());
    CHECK(std::get<challenge>(server->start(std::nullopt)).octets == "<" + text + ">");
    return exactly(message, [&](auto octets) { return settle(*server, server->response(octets), users); });
  };
  const auto good = run(response);
  REQUIRE(std::holds_alternative<done>(good));
  CHECK(std::get<done>(good).authcid == "tim");

  struct row { const char* why; std::string message; failure end; };
  const std::string digest = response.substr(4);
  const row rows[] = {
      {"another user, unknown", "tom " + digest, failure::bad_credentials},
      {"a user without a secret", "no-secret " + digest, failure::bad_credentials},
      {"wrong digest", "tim " + std::string(32, '0'), failure::bad_credentials},
      {"capitals", "tim B913A602C7EDA7A495B4E6E7334D3890", failure::malformed},
      {"too short", response.substr(0, response.size() - 1), failure::malformed},
      {"too long a digest", response + "0", failure::malformed},
      {"no name", " " + digest, failure::malformed},
      {"no space", digest, failure::malformed},
      {"empty", "", failure::malformed},
      {"name that cannot be prepared", "t\x07 " + digest, failure::bad_credentials},
      {"too long", std::string(base::limits::sasl_message, 'x') + " " + digest, failure::too_long},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(why(run(r.message)) == r.end);
  }
  for (std::size_t size = 0; size < response.size(); ++size)
    CHECK(std::holds_alternative<failed>(run(std::string_view(response).substr(0, size))));
  users.down = true;
  CHECK(why(run(response)) == failure::unavailable);
}

TEST_CASE("CRAM-MD5: out of turn, and challenges that a client does not sign") {
  CHECK(why(make_cram_md5_server("x@y", "s", provider())->start("tim 00")) == failure::malformed);
  CHECK(why(make_cram_md5_server("x@y", "s", provider())->response("tim 00")) == failure::malformed);
  CHECK(why(make_cram_md5_server("x@y", "s", provider())->answer(credentials_answer{})) == failure::malformed);
  for (const std::string text : {"", "<", "<>", "x@y", "<x@y", "x@y>"}) {
    auto client = make_cram_md5_client({"tim", "secret", ""}, provider());
    CHECK(client->response(text).error() == errc::malformed_challenge);
  }
  const auto challenge_of = [](const server_options& options) {
    auto server = make_server("CRAM-MD5", options, provider()).value();
    return std::get<challenge>(server->start(std::nullopt)).octets;
  };
  CHECK(challenge_of(secure_server()) != challenge_of(secure_server()));
  CHECK(challenge_of(secure_server()).ends_with("@mail.example.org>"));
}

TEST_CASE("PLAIN and LOGIN clients") {
  auto plain = make_plain_client({"tim", "secret", ""});
  CHECK(!plain->finish({}));
  CHECK(plain->start().value() == "\0tim\0secret"sv);
  CHECK(plain->finish({}));
  CHECK(plain->response("more?").error() == errc::unexpected_challenge);
  CHECK(make_plain_client({"Kurt", "xipj3plmq", "Ursel"})->start().value() == "Ursel\0Kurt\0xipj3plmq"sv);

  auto login = make_login_client({"tim", "secret", ""});
  CHECK(!login->start());
  CHECK(login->response("User Name").value() == "tim");
  CHECK(!login->finish({}));
  CHECK(login->response("").value() == "secret");
  CHECK(login->finish({}));
  CHECK(login->response("again?").error() == errc::unexpected_challenge);
}
