// Signs a message with a key of one's own, and prints it with its DKIM-Signature in front.
//   example_sign FILE DOMAIN SELECTOR KEY.pem
//   example_sign --self-check FILE          with a key made for the occasion, and verified

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;

static std::string read(const char* path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

static message_hasher hash(const base::crypto& crypto, std::vector<body_hash_kind> wanted, const std::string& message) {
  message_hasher hashed(crypto, std::move(wanted));
  hashed.feed(message);
  hashed.finish();
  return hashed;
}

// Several keys sign side by side: RSA for everybody, Ed25519 for those who know it.
static base::result<std::string> sign(const base::crypto& crypto, std::string domain,
                                      std::vector<dkim_signing_key> keys, const std::string& message) {
  dkim_sign_options options;
  options.domain = std::move(domain);
  options.keys = std::move(keys);
  const auto signer = dkim_signer::make(std::move(options));
  if (!signer) return base::fail(signer.error());
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  return signer->sign(hash(crypto, {signer->body_hash()}, message), now);
}

static int self_check(const base::crypto& crypto, const std::string& message) {
  const auto rsa = crypto.generate_key(base::key_kind::rsa).value(),
             ed = crypto.generate_key(base::key_kind::ed25519).value();
  const auto fields = sign(crypto, "example.org", {{"r", rsa}, {"e", ed}}, message);
  if (!fields) return std::fprintf(stderr, "%s\n", fields.error().message().c_str()), 1;
  base::scripted_resolver dns;
  dns.add_txt("r._domainkey.example.org", "v=DKIM1; p=" + base::base64_encode(rsa->public_part()->encode()));
  dns.add_txt("e._domainkey.example.org", "v=DKIM1; k=ed25519; p=" + base::base64_encode(ed->public_part()->encode()));
  dkim_keys keys(crypto, dns);
  const dkim_verifier verifier(keys, base::system_clock());
  const message_hasher hashed = hash(crypto, {}, *fields + message);
  int passed = 0;
  for (const dkim_result& one : base::sync_wait(verifier.verify(hashed))) passed += one.what == outcome::pass;
  std::printf("%s%d signatures pass\n", fields->c_str(), passed);
  return passed == 2 ? 0 : 1;
}

int main(int argc, char** argv) {
  const auto crypto = crypto::make_boringssl();
  if (argc == 3 && std::string_view(argv[1]) == "--self-check") return self_check(*crypto, read(argv[2]));
  if (argc != 5) return std::fprintf(stderr, "usage: %s FILE DOMAIN SELECTOR KEY.pem\n", argv[0]), 2;
  const std::string message = read(argv[1]);
  const auto key = crypto->parse_private_key(read(argv[4]));
  if (!key) return std::fprintf(stderr, "%s: %s\n", argv[4], key.error().message().c_str()), 1;
  const auto fields = sign(*crypto, argv[2], {{argv[3], *key}}, message);
  if (!fields) return std::fprintf(stderr, "%s\n", fields.error().message().c_str()), 1;
  std::fputs((*fields + message).c_str(), stdout);
  return 0;
}
