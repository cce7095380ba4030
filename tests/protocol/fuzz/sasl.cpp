// Fuzz target: the server's side of every mechanism, and the client's. The first octet chooses mechanism and side,
// the rest are messages, each ended by octet 0xff.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/protocol/sasl/negotiation.hpp"

using namespace briefwerk;
using namespace briefwerk::protocol::sasl;

namespace {

// PBKDF2 is not what is looked for, and would take all the time.
class quick_crypto final : public base::crypto {
 public:
  std::unique_ptr<base::hasher> start_hash(base::hash_kind kind) const override { return real_->start_hash(kind); }
  std::string hash(base::hash_kind kind, std::string_view octets) const override { return real_->hash(kind, octets); }
  std::string hmac(base::hash_kind kind, std::string_view key, std::string_view octets) const override {
    return real_->hmac(kind, key, octets);
  }
  std::string pbkdf2(base::hash_kind kind, std::string_view password, std::string_view salt, std::uint32_t,
                     std::size_t length) const override {
    return real_->pbkdf2(kind, password, salt, 1, length);
  }
  void random(std::span<char> out) const noexcept override {
    for (char& c : out) c = 'r';
  }

 private:
  std::unique_ptr<base::crypto> real_ = briefwerk::crypto::make_boringssl();
};

const quick_crypto provider;

std::vector<std::string_view> messages_of(std::string_view input) {
  std::vector<std::string_view> out;
  while (!input.empty() && out.size() < 6) {
    const std::size_t end = input.find('\xff');
    out.push_back(input.substr(0, end));
    input.remove_prefix(end == input.npos ? input.size() : end + 1);
  }
  return out;
}

void be_server(std::string_view name, const std::vector<std::string_view>& messages) {
  server_options options;
  options.tls = true;
  options.recoverable_secrets = true;
  options.channel_bindings = {{"tls-exporter", "data"}};
  options.decoy_secret = "secret";
  auto server = make_server(name, options, provider).value();
  const credentials_answer unknown;
  server_step step = challenge{};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    step = i == 0 ? server->start(messages[i]) : server->response(messages[i]);
    if (std::holds_alternative<find_credentials>(step)) step = server->answer(unknown);
    if (std::holds_alternative<check_password>(step)) step = server->answer(password_answer::wrong);
    if (std::holds_alternative<done>(step)) std::abort();  // nobody knows a password here
  }
}

void be_client(std::string_view name, const std::vector<std::string_view>& messages) {
  client_options options;
  options.tls = true;
  options.authcid = "tim";
  options.password = "tanstaaf";
  options.channel_bindings = {{"tls-exporter", "data"}};
  auto client = make_client(std::vector{name}, options, provider).value();
  client->start();
  for (const auto message : messages) {
    const auto answered = client->response(message);
    if (!answered) break;
  }
  const auto end = client->finish(messages.empty() ? std::string_view() : messages.back());
  static_cast<void>(end);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto name = all_mechanisms()[(data[0] & 0x7f) % all_mechanisms().size()];
  if ((data[0] & 0x80) != 0)
    be_client(name, messages_of(input));
  else
    be_server(name, messages_of(input));
  const auto keys = parse_scram_keys(input);
  if (keys && parse_scram_keys(to_text(*keys)) != keys) std::abort();
  return 0;
}
