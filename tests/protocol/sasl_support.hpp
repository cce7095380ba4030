#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/protocol/sasl/negotiation.hpp"

namespace sasl_test {

using namespace briefwerk;
using namespace briefwerk::protocol::sasl;

inline const base::crypto& provider() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

// Calls with a block of exactly the text's size, so that a sanitizer sees one octet too many.
template <class Call>
auto exactly(std::string_view text, Call call) {
  const std::unique_ptr<char[]> block(new char[text.size()]);
  text.copy(block.get(), text.size());
  return call(std::string_view(block.get(), text.size()));
}

// Users with every kind of credentials, as a directory would keep them.
struct directory {
  std::map<std::string, credentials, std::less<>> users;
  bool down = false;

  void add(const std::string& name, const std::string& password) {
    users[name] = {make_scram_keys(provider(), base::hash_kind::sha256, password, 4096).value(),
                   make_scram_keys(provider(), base::hash_kind::sha1, password, 4096).value(), password};
  }
  credentials_answer find(const std::string& name) const {
    using outcome = credentials_answer::outcome;
    if (down) return {outcome::unavailable, {}};
    const auto found = users.find(name);
    if (found == users.end()) return {};
    return {outcome::found, found->second};
  }
  password_answer check(const check_password& ask) const {
    if (down) return password_answer::unavailable;
    const auto found = users.find(ask.authcid);
    const credentials* known = found == users.end() ? nullptr : &found->second;
    return verify_password(provider(), known, ask.password, 4096) ? password_answer::right : password_answer::wrong;
  }
};

// Answers the asks until a challenge or an end.
inline server_step settle(server_mechanism& server, server_step step, const directory& users) {
  for (;;) {
    if (const auto* names = std::get_if<find_credentials>(&step))
      step = server.answer(users.find(names->authcid));
    else if (const auto* both = std::get_if<check_password>(&step))
      step = server.answer(users.check(*both));
    else
      return step;
  }
}

// Sends the client's messages one after the other whatever the server says, and answers the last step.
inline server_step play(server_mechanism& server, const std::vector<std::string>& messages, const directory& users) {
  server_step step = failed{failure::malformed, "nothing sent"};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    step = exactly(messages[i], [&](std::string_view octets) {
      return settle(server, i == 0 ? server.start(octets) : server.response(octets), users);
    });
    if (!std::holds_alternative<challenge>(step)) break;
  }
  return step;
}

inline server_options secure_server() {
  server_options out;
  out.tls = true;
  out.recoverable_secrets = true;
  out.host = "mail.example.org";
  out.decoy_secret = "sixteen octets!!";
  out.decoy_iterations = 4096;
  return out;
}

inline failure why(const server_step& step) {
  const auto* end = std::get_if<failed>(&step);
  REQUIRE(end != nullptr);
  return end->why;
}

}  // namespace sasl_test
