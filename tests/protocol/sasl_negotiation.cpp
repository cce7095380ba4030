#include "sasl_support.hpp"

#include <algorithm>
#include <utility>

using namespace sasl_test;

namespace {

using names = std::vector<std::string_view>;

client_options tim() {
  client_options out;
  out.authcid = "tim";
  out.password = "tanstaaf";
  out.tls = true;
  return out;
}

const directory& users() {
  static const directory instance = [] {
    directory out;
    out.add("tim", "tanstaaf");
    out.add("r\xc3\xbc" "diger,=", "p\xc3\xa4ss w\xc3\xb6rt");
    return out;
  }();
  return instance;
}

struct outcome {
  server_step server;
  bool client_content = false;
  std::error_code client_error;
};

// A whole exchange. `with_success`: the protocol carries the last message with its success.
outcome converse(server_mechanism& server, client_mechanism& client, bool with_success, bool initial_allowed) {
  outcome out;
  std::optional<std::string> first = client.start();
  std::optional<std::string> data;
  std::string held;
  if (first && !initial_allowed) held = *std::exchange(first, {});
  out.server = settle(server, server.start(first), users());
  for (int round = 0; round < 10; ++round) {
    const auto* ask = std::get_if<challenge>(&out.server);
    if (ask == nullptr) break;
    std::string reply;
    if (ask->last && with_success) {
      data = ask->octets;
    } else if (!held.empty() && ask->octets.empty()) {
      reply = std::exchange(held, {});
    } else {
      auto answered = client.response(ask->octets);
      if (!answered) {
        out.client_error = answered.error();
        return out;
      }
      reply = std::move(*answered);
    }
    out.server = settle(server, server.response(reply), users());
  }
  if (std::holds_alternative<done>(out.server)) out.client_content = client.finish(data).has_value();
  return out;
}

const std::vector<channel_binding> bindings = {{"tls-exporter", std::string(32, 'e')},
                                               {"tls-server-end-point", std::string(32, 's')}};

}  // namespace

TEST_CASE("what is offered") {
  struct row { const char* why; server_options options; names expected; };
  server_options tls = secure_server(), no_secrets = tls, clear = tls, allowed = tls, bound = tls, reduced = tls;
  no_secrets.recoverable_secrets = false;
  clear.tls = false;
  allowed.tls = false;
  allowed.allow_without_tls = true;
  bound.channel_bindings = bindings;
  reduced.disabled = {"LOGIN", "SCRAM-SHA-1", "CRAM-MD5"};
  const row rows[] = {
      {"TLS", tls, {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}},
      {"CRAM-MD5 needs recoverable secrets", no_secrets, {"SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"}},
      {"nothing in the clear", clear, {}},
      {"unless allowed", allowed, {"SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}},
      {"-PLUS with a channel binding", bound,
       {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}},
      {"disabled", reduced, {"SCRAM-SHA-256", "PLAIN"}},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    CHECK(offered(r.options) == r.expected);
    for (const auto name : all_mechanisms()) {
      const bool may = std::ranges::find(r.expected, name) != r.expected.end();
      const auto made = make_server(name, r.options, provider());
      CHECK(made.has_value() == may);
      if (made) CHECK((*made)->name() == name);
    }
  }
  CHECK(make_server("scram-sha-256", tls, provider()).value()->name() == "SCRAM-SHA-256");
  CHECK(make_server("GSSAPI", tls, provider()).error() == base::errc::unsupported);
  CHECK(!make_server("", tls, provider()));
  CHECK(!make_server("PLAI", tls, provider()));
}

TEST_CASE("what a client picks") {
  struct row { const char* why; names offers; bool tls, bound; std::string_view picked; };
  const row rows[] = {
      {"the strongest", {"PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"}, true, false, "SCRAM-SHA-256"},
      {"any case", {"plain", "scram-sha-1"}, true, false, "SCRAM-SHA-1"},
      {"binding", {"SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}, true, true, "SCRAM-SHA-256-PLUS"},
      {"binding before the better hash", {"SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"}, true, true, "SCRAM-SHA-1-PLUS"},
      {"no binding of our own", {"SCRAM-SHA-256-PLUS", "PLAIN"}, true, false, "PLAIN"},
      {"no password in the clear", {"PLAIN", "LOGIN", "CRAM-MD5"}, false, false, ""},
      {"SCRAM in the clear", {"PLAIN", "SCRAM-SHA-1"}, false, false, "SCRAM-SHA-1"},
      {"nothing in common", {"GSSAPI"}, true, true, ""},
      {"nothing", {}, true, true, ""},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    client_options options = tim();
    options.tls = r.tls;
    if (r.bound) options.channel_bindings = bindings;
    const auto made = make_client(r.offers, options, provider());
    REQUIRE(made.has_value() == !r.picked.empty());
    if (made)
      CHECK((*made)->name() == r.picked);
    else
      CHECK(made.error() == errc::no_common_mechanism);
  }
  client_options bad = tim();
  bad.authcid = "t\x07";
  CHECK(make_client(all_mechanisms(), bad, provider()).error() == errc::prohibited_character);
  bad = tim();
  bad.password.clear();
  CHECK(make_client(all_mechanisms(), bad, provider()).error() == errc::empty_after_preparation);
  bad = tim();
  bad.authzid = "\xff";
  CHECK(make_client(all_mechanisms(), bad, provider()).error() == errc::prohibited_character);
  client_options other = tim();
  other.authzid = "boss";
  CHECK(make_client(names{"LOGIN", "CRAM-MD5", "PLAIN"}, other, provider()).value()->name() == "PLAIN");
  CHECK(!make_client(names{"LOGIN"}, other, provider()));
}

TEST_CASE("client against server: every mechanism, right, wrong and unknown") {
  struct who { const char* why; std::string authcid, password; bool good; };
  const who people[] = {{"right", "tim", "tanstaaf", true},
                        {"wrong password", "tim", "tanstaaF", false},
                        {"unknown user", "tom", "tanstaaf", false},
                        {"UTF-8, comma, equals sign, decomposed", "ru\xcc\x88" "diger,=", "pa\xcc\x88ss wo\xcc\x88rt", true}};
  server_options options = secure_server();
  options.channel_bindings = bindings;
  for (const auto name : all_mechanisms()) {
    for (const who& p : people) {
      for (const int way : {0, 1, 2, 3}) {
        // A server that says "y" is a lie needs to have hidden -PLUS honestly.
        server_options mine = options;
        if (!name.ends_with("-PLUS")) mine.channel_bindings.clear();
        CAPTURE(name);
        CAPTURE(p.why);
        client_options theirs = tim();
        theirs.authcid = p.authcid;
        theirs.password = p.password;
        theirs.channel_bindings = bindings;
        auto server = make_server(name, mine, provider()).value();
        auto client = make_client(names{name}, theirs, provider()).value();
        REQUIRE(client->name() == name);
        const outcome end = converse(*server, *client, (way & 1) != 0, (way & 2) != 0);
        CHECK(!end.client_error);
        CHECK(end.client_content == p.good);
        REQUIRE(std::holds_alternative<done>(end.server) == p.good);
        if (p.good)
          CHECK(std::get<done>(end.server).authcid == (p.authcid == "tim" ? "tim" : "r\xc3\xbc" "diger,="));
        else
          CHECK(why(end.server) == failure::bad_credentials);
      }
    }
  }
}

TEST_CASE("on behalf of another") {
  server_options options = secure_server();
  options.channel_bindings = bindings;
  for (const std::string_view name : {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "PLAIN"}) {
    CAPTURE(name);
    client_options theirs = tim();
    theirs.authzid = "b,o=ss";
    if (name.ends_with("-PLUS")) theirs.channel_bindings = bindings;
    auto server = make_server(name, options, provider()).value();
    auto client = make_client(names{name}, theirs, provider()).value();
    const outcome end = converse(*server, *client, false, true);
    REQUIRE(std::holds_alternative<done>(end.server));
    CHECK(std::get<done>(end.server).authcid == "tim");
    CHECK(std::get<done>(end.server).authzid == "b,o=ss");
    CHECK(end.client_content);
  }
}

TEST_CASE("channel binding: another channel, an unknown type, a hidden -PLUS") {
  server_options options = secure_server();
  options.channel_bindings = bindings;
  struct row { const char* why; std::string mechanism; std::vector<channel_binding> ours; std::optional<failure> end; };
  const row rows[] = {
      {"tls-exporter", "SCRAM-SHA-256-PLUS", {bindings[0]}, {}},
      {"tls-server-end-point", "SCRAM-SHA-256-PLUS", {bindings[1]}, {}},
      {"data of another connection: somebody in the middle", "SCRAM-SHA-256-PLUS",
       {{"tls-exporter", std::string(32, 'x')}}, failure::channel_binding},
      {"shorter data", "SCRAM-SHA-256-PLUS", {{"tls-exporter", std::string(31, 'e')}}, failure::channel_binding},
      {"type we do not have", "SCRAM-SHA-256-PLUS", {{"tls-unique", std::string(12, 'u')}}, failure::channel_binding},
      {"RFC 5802 §6: the client was told that there is no -PLUS", "SCRAM-SHA-256", {bindings[0]}, failure::channel_binding},
      {"a client that cannot bind", "SCRAM-SHA-256", {}, {}},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    client_options theirs = tim();
    theirs.channel_bindings = r.ours;
    auto server = make_server(r.mechanism, options, provider()).value();
    auto client = make_client(names{r.mechanism}, theirs, provider()).value();
    const outcome end = converse(*server, *client, false, true);
    CHECK(end.client_content == !r.end);
    if (r.end) CHECK(why(end.server) == *r.end);
  }
  auto server = make_server("SCRAM-SHA-256-PLUS", options, provider()).value();
  CHECK(why(server->start("n,,n=tim,r=abc")) == failure::malformed);
  server = make_server("SCRAM-SHA-256-PLUS", options, provider()).value();
  CHECK(why(server->start("p=,,n=tim,r=abc")) == failure::malformed);
}

TEST_CASE("a server that does not know the password is found out") {
  // It has the user's StoredKey (stolen) but not the ServerKey.
  directory stolen;
  stolen.users["tim"] = users().users.at("tim");
  stolen.users["tim"].sha256->server_key = std::string(32, 'x');
  auto server = make_server("SCRAM-SHA-256", secure_server(), provider()).value();
  auto client = make_client(names{"SCRAM-SHA-256"}, tim(), provider()).value();
  auto step = settle(*server, server->start(client->start()), stolen);
  step = server->response(client->response(std::get<challenge>(step).octets).value());
  CHECK(client->response(std::get<challenge>(step).octets).error() == errc::server_not_authentic);
  CHECK(!client->finish({}));
}
