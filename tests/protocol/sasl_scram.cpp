#include "sasl_support.hpp"

#include <fstream>
#include <iterator>

#include "briefwerk/base/encoding.hpp"
#include "protocol/sasl/scram.hpp"
#include "support/folders.hpp"

using namespace sasl_test;
using base::hash_kind;

namespace {

struct vector {
  const char* why;
  hash_kind hash;
  std::string client_nonce, server_nonce, salt, client_first, server_first, client_final, server_final;
};

const vector& sha1_vector() {
  static const vector out{
      "RFC 5802 §5", hash_kind::sha1, "fyko+d2lbbFgONRv9qkxdawL", "3rfcNHYJY1ZVvWVs7j", "QSXCR+Q6sek8bf92",
      "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
      "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
      "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
      "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="};
  return out;
}

const vector& sha256_vector() {
  static const vector out{
      "RFC 7677 §3", hash_kind::sha256, "rOprNGfwEbeRWgbNEkqO", "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
      "W22ZaJ0SNY7soEsUEjb6gQ==",
      "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
      "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
      "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
      "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="};
  return out;
}

directory users_of(const vector& v, const std::string& password = "pencil") {
  directory out;
  auto keys = derive_scram_keys(provider(), v.hash, password, base::base64_decode(v.salt).value(), 4096).value();
  (v.hash == hash_kind::sha1 ? out.users["user"].sha1 : out.users["user"].sha256) = keys;
  return out;
}

std::unique_ptr<server_mechanism> server_of(const vector& v) {
  scram_server_setup setup;
  setup.hash = v.hash;
  setup.nonce = v.server_nonce;
  setup.decoy_secret = "sixteen octets!!";
  setup.decoy_iterations = 4096;
  return make_scram_server(std::move(setup), provider());
}

std::unique_ptr<client_mechanism> client_of(const vector& v) {
  return make_scram_client({.hash = v.hash, .binding = {}, .could_bind = false, .nonce = v.client_nonce},
                           {"user", "pencil", ""}, provider());
}

// Neither side may end well; the text differs from what was sent.
bool client_survives(const vector& v, std::string_view server_first, std::string_view server_final) {
  auto client = client_of(v);
  client->start();
  const auto proof = exactly(server_first, [&](auto octets) { return client->response(octets); });
  if (!proof) return false;
  const auto end = exactly(server_final, [&](auto octets) { return client->response(octets); });
  return end && client->finish({});
}

}  // namespace

TEST_CASE("SCRAM: the RFCs' exchanges, both sides") {
  for (const vector* v : {&sha1_vector(), &sha256_vector()}) {
    CAPTURE(v->why);
    auto server = server_of(*v);
    auto client = client_of(*v);
    const directory users = users_of(*v);
    CHECK(client->start().value() == v->client_first);
    auto step = settle(*server, server->start(v->client_first), users);
    REQUIRE(std::holds_alternative<challenge>(step));
    CHECK(std::get<challenge>(step).octets == v->server_first);
    CHECK(!std::get<challenge>(step).last);
    CHECK(client->response(v->server_first).value() == v->client_final);
    step = server->response(v->client_final);
    REQUIRE(std::holds_alternative<challenge>(step));
    CHECK(std::get<challenge>(step).octets == v->server_final);
    CHECK(std::get<challenge>(step).last);
    CHECK(client->response(v->server_final).value() == "");
    CHECK(client->finish({}));
    step = server->response("");
    REQUIRE(std::holds_alternative<done>(step));
    CHECK(std::get<done>(step).authcid == "user");
    CHECK(std::get<done>(step).authzid.empty());
    CHECK(why(server->response("")) == failure::malformed);
  }
}

TEST_CASE("SCRAM: the exchanges of the conformance suite") {
  std::ifstream file(briefwerk::test::suites_folder() / "sasl-scram/vectors.json");
  if (!file) {
    MESSAGE("suite sasl-scram is absent: skipped");
    return;
  }
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  // Flat objects of strings without escapes: whatever stands between quotes is a name or a value, in turn.
  int count = 0;
  for (std::size_t at = text.find('{'); at != text.npos; at = text.find('{', at + 1), ++count) {
    std::vector<std::string> words;
    for (std::size_t i = text.find('"', at); i < text.find('}', at); i = text.find('"', i + 1)) {
      const std::size_t end = text.find('"', i + 1);
      words.push_back(text.substr(i + 1, end - i - 1));
      i = end;
    }
    std::map<std::string, std::string> m;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) m[words[i]] = words[i + 1];
    vector v;
    v.hash = m["mechanism"] == "SCRAM-SHA-1" ? hash_kind::sha1 : hash_kind::sha256;
    v.client_nonce = m["client_first"].substr(m["client_first"].find("r=") + 2);
    const std::string first = m["server_first"];
    const auto salt = first.find(",s=");
    v.server_nonce = first.substr(2 + v.client_nonce.size(), salt - 2 - v.client_nonce.size());
    v.salt = first.substr(salt + 3, first.find(",i=") - salt - 3);
    CAPTURE(m["source"]);
    const auto end = play(*server_of(v), {m["client_first"], m["client_final"], ""}, users_of(v, m["password"]));
    CHECK(std::holds_alternative<done>(end));
    CHECK(client_survives(v, first, m["server_final"]));
  }
  CHECK(count == 2);
}

TEST_CASE("SCRAM: every message cut at every octet, and every octet changed, leads to failure") {
  const vector& v = sha256_vector();
  const directory users = users_of(v);
  const std::vector<std::string> whole = {v.client_first, v.client_final, ""};
  REQUIRE(std::holds_alternative<done>(play(*server_of(v), whole, users)));
  for (std::size_t message = 0; message < 2; ++message) {
    for (std::size_t at = 0; at < whole[message].size(); ++at) {
      auto cut = whole;
      cut[message].resize(at);
      CAPTURE(cut[message]);
      CHECK(std::holds_alternative<failed>(play(*server_of(v), cut, users)));
      for (const char other : {'\0', ',', '=', 'n', 'Z', '\xff'}) {
        auto garbled = whole;
        if (garbled[message][at] == other) continue;
        garbled[message][at] = other;
        CHECK(std::holds_alternative<failed>(play(*server_of(v), garbled, users)));
      }
    }
  }
  REQUIRE(client_survives(v, v.server_first, v.server_final));
  for (std::size_t at = 0; at < v.server_first.size(); ++at) {
    CHECK(!client_survives(v, v.server_first.substr(0, at), v.server_final));
    for (const char other : {'\0', ',', '9', 'Z'}) {
      std::string garbled = v.server_first;
      if (garbled[at] == other) continue;
      garbled[at] = other;
      CAPTURE(garbled);
      CHECK(!client_survives(v, garbled, v.server_final));
    }
  }
  for (std::size_t at = 0; at < v.server_final.size(); ++at) {
    CHECK(!client_survives(v, v.server_first, v.server_final.substr(0, at)));
    std::string garbled = v.server_final;
    garbled[at] = garbled[at] == 'Z' ? 'Y' : 'Z';
    CHECK(!client_survives(v, v.server_first, garbled));
  }
}

TEST_CASE("SCRAM server: the client's first message") {
  struct row { const char* why; std::string message; std::optional<failure> end; };
  const row rows[] = {
      {"plain", "n,,n=user,r=abc", {}},
      {"could bind, nothing offered", "y,,n=user,r=abc", {}},
      {"as somebody else", "n,a=boss,n=user,r=abc", {}},
      {"extensions unknown are passed over", "n,,n=user,r=abc,x=1,Y=a=b", {}},
      {"RFC 5802 §5.1 escapes", "n,,n=u=2Cs=3Der,r=abc", {}},
      {"RFC 5802 §5.1 other escape", "n,,n=us=41er,r=abc", failure::malformed},
      {"RFC 5802 §5.1 lower-case escape", "n,,n=us=2cer,r=abc", failure::malformed},
      {"escape cut", "n,,n=user=2,r=abc", failure::malformed},
      {"escape wrong in authzid", "n,a=b=,n=user,r=abc", failure::malformed},
      {"m= must be understood", "n,,m=x,n=user,r=abc", failure::malformed},
      {"empty", "", failure::malformed},
      {"empty name", "n,,n=,r=abc", failure::malformed},
      {"empty nonce", "n,,n=user,r=", failure::malformed},
      {"no nonce", "n,,n=user", failure::malformed},
      {"comma at the end", "n,,n=user,r=abc,", failure::malformed},
      {"order", "n,,r=abc,n=user", failure::malformed},
      {"space in the nonce", "n,,n=user,r=a c", failure::malformed},
      {"eight bits in the nonce", "n,,n=user,r=a\xc3\xbc", failure::malformed},
      {"no authzid field", "n,n=user,r=abc", failure::malformed},
      {"empty authzid", "n,a=,n=user,r=abc", failure::malformed},
      {"unknown flag", "z,,n=user,r=abc", failure::malformed},
      {"-PLUS was not chosen", "p=tls-exporter,,n=user,r=abc", failure::malformed},
      {"extension without value", "n,,n=user,r=abc,x=", failure::malformed},
      {"extension without letter", "n,,n=user,r=abc,1=x", failure::malformed},
      {"RFC 5802 §5.1 name that cannot be prepared", "n,,n=us\x07" "er,r=abc", failure::bad_credentials},
      {"bad UTF-8", "n,,n=\xff,r=abc", failure::bad_credentials},
      {"too long", "n,,n=user,r=" + std::string(base::limits::sasl_message, 'x'), failure::too_long},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    auto server = server_of(sha256_vector());
    const auto step = exactly(r.message, [&](auto octets) { return server->start(octets); });
    CHECK(std::holds_alternative<find_credentials>(step) == !r.end);
    if (r.end) CHECK(why(step) == *r.end);
  }
  auto server = server_of(sha256_vector());
  const auto step = server->start("n,a=b=2Coss,n=u=2Cs=3Der,r=abc");
  CHECK(std::get<find_credentials>(step).authcid == "u,s=er");
}

TEST_CASE("SCRAM server: an absent initial response is asked for with an empty challenge") {
  auto server = server_of(sha256_vector());
  auto step = server->start(std::nullopt);
  REQUIRE(std::holds_alternative<challenge>(step));
  CHECK(std::get<challenge>(step).octets.empty());
  CHECK(std::holds_alternative<find_credentials>(server->response(sha256_vector().client_first)));
}

TEST_CASE("SCRAM server: the client's last messages") {
  const vector& v = sha256_vector();
  const std::string nonce = v.client_nonce + v.server_nonce, proof = v.client_final.substr(v.client_final.find(",p="));
  struct row { const char* why; std::string message; failure end; };
  const row rows[] = {
      {"wrong proof", "c=biws,r=" + nonce + ",p=" + base::base64_encode(std::string(32, 'x')), failure::bad_credentials},
      {"proof of another size", "c=biws,r=" + nonce + ",p=" + base::base64_encode(std::string(20, 'x')), failure::malformed},
      {"no proof", "c=biws,r=" + nonce, failure::malformed},
      {"only a proof", proof, failure::malformed},
      {"header said otherwise: RFC 5802 §6", "c=eSws,r=" + nonce + proof, failure::channel_binding},
      {"another nonce", "c=biws,r=" + nonce + "x" + proof, failure::malformed},
      {"only our nonce", "c=biws,r=" + v.client_nonce + proof, failure::malformed},
      {"extension not signed", "c=biws,r=" + nonce + ",x=1" + proof, failure::bad_credentials},
      {"something behind the proof", v.client_final + ",x=1", failure::malformed},
      {"no Base64 in c=", "c=!!,r=" + nonce + proof, failure::malformed},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(why(play(*server_of(v), {v.client_first, r.message}, users_of(v))) == r.end);
  }
  CHECK(why(play(*server_of(v), {v.client_first, v.client_final, "x"}, users_of(v))) == failure::malformed);
}

TEST_CASE("SCRAM server: calls out of turn, and a directory that is down") {
  const vector& v = sha256_vector();
  auto server = server_of(v);
  CHECK(why(server->answer(credentials_answer{})) == failure::malformed);
  CHECK(why(server->start(v.client_first)) == failure::malformed);
  server = server_of(v);
  CHECK(std::holds_alternative<find_credentials>(server->start(v.client_first)));
  CHECK(why(server->response(v.client_final)) == failure::malformed);
  server = server_of(v);
  server->start(v.client_first);
  CHECK(why(server->answer(password_answer::right)) == failure::malformed);
  directory users = users_of(v);
  users.down = true;
  CHECK(why(play(*server_of(v), {v.client_first}, users)) == failure::unavailable);
}

TEST_CASE("SCRAM server: an unknown user looks like a known one, the same each time, and fails at the proof") {
  const auto first_of = [](const std::string& name, const std::string& secret) {
    server_options options = secure_server();
    options.decoy_secret = secret;
    auto server = make_server("SCRAM-SHA-256", options, provider()).value();
    const auto step = settle(*server, server->start("n,,n=" + name + ",r=abc"), directory{});
    const std::string text = std::get<challenge>(step).octets;
    return text.substr(text.find(",s="));
  };
  CHECK(first_of("nobody", "secret one......") == first_of("nobody", "secret one......"));
  CHECK(first_of("nobody", "secret one......") != first_of("nobodx", "secret one......"));
  CHECK(first_of("nobody", "secret one......") != first_of("nobody", "secret two......"));

  directory users;
  users.add("user", "pencil");
  users.users["only-sha1"].sha1 = users.users["user"].sha1;
  for (const std::string name : {"nobody", "user", "only-sha1"}) {
    auto server = make_server("SCRAM-SHA-256", secure_server(), provider()).value();
    auto client = make_scram_client({.hash = hash_kind::sha256, .binding = {}, .could_bind = false, .nonce = "abc"},
                                    {name, "wrong", ""}, provider());
    auto step = settle(*server, server->start(client->start()), users);
    const std::string first = std::get<challenge>(step).octets;
    const auto salt = first.substr(first.find(",s=") + 3);
    CHECK(base::base64_decode(salt.substr(0, salt.find(','))).value().size() == scram_salt_size);
    CHECK(first.ends_with(",i=4096"));
    const auto end = server->response(client->response(first).value());
    CHECK(why(end) == failure::bad_credentials);
    CHECK(std::get<failed>(end).authcid == name);
  }
}

TEST_CASE("SCRAM client: what it refuses") {
  const vector& v = sha256_vector();
  const std::string nonce = "r=" + v.client_nonce + v.server_nonce, salt = ",s=" + v.salt;
  struct row { const char* why; std::string message; errc error; };
  const row rows[] = {
      {"RFC 7677 §4 too few iterations", nonce + salt + ",i=4095", errc::iterations_out_of_bounds},
      {"our processor as the server's", nonce + salt + ",i=1048577", errc::iterations_out_of_bounds},
      {"a number that does not fit", nonce + salt + ",i=99999999999999999999", errc::iterations_out_of_bounds},
      {"zero", nonce + salt + ",i=0", errc::malformed_challenge},
      {"sign", nonce + salt + ",i=+4096", errc::malformed_challenge},
      {"nonce of another", "r=x" + v.client_nonce + salt + ",i=4096", errc::bad_nonce},
      {"nonce without the server's part", "r=" + v.client_nonce + salt + ",i=4096", errc::bad_nonce},
      {"RFC 5802 §5.1 m=", "m=x," + nonce + salt + ",i=4096", errc::malformed_challenge},
      {"no Base64", nonce + ",s=!,i=4096", errc::malformed_challenge},
      {"no salt", nonce + ",i=4096", errc::malformed_challenge},
      {"empty", "", errc::malformed_challenge},
      {"error", "e=unknown-user", errc::refused_by_server},
      {"too long", nonce + salt + ",i=4096,x=" + std::string(base::limits::sasl_message, 'x'), errc::malformed_challenge},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    auto client = client_of(v);
    client->start();
    const auto got = client->response(r.message);
    REQUIRE(!got);
    CHECK(got.error() == r.error);
    CHECK(client->response(v.server_first).error() == errc::unexpected_challenge);
    CHECK(!client->finish({}));
  }
}

TEST_CASE("SCRAM client: success counts only after the server's proof") {
  const vector& v = sha256_vector();
  struct row { const char* why; int exchanged; std::optional<std::string_view> data; bool good; };
  const row rows[] = {
      {"before anything", 0, {}, false},
      {"after our proof, without the server's", 1, {}, false},
      {"the server's proof with success", 1, v.server_final, true},
      {"a wrong one with success", 1, "v=AAAA", false},
      {"an error with success", 1, "e=other-error", false},
      {"after the server's proof", 2, {}, true},
      {"empty data", 2, "", true},
      {"data twice", 2, v.server_final, false},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    auto client = client_of(v);
    client->start();
    if (r.exchanged > 0) CHECK(client->response(v.server_first));
    if (r.exchanged > 1) CHECK(client->response(v.server_final));
    CHECK(client->finish(r.data).has_value() == r.good);
  }
  auto client = client_of(v);
  client->start();
  CHECK(client->response(v.server_first));
  CHECK(client->response("e=invalid-proof").error() == errc::refused_by_server);
  client = client_of(v);
  CHECK(client->response(v.server_first).error() == errc::unexpected_challenge);
}
