// Our side of tests/mailauth/peers/dkim_others.py: signs and verifies files, as the lines of standard input say.
//
//   key KIND FILE SELECTOR             makes a key, writes its PEM, answers the record to publish
//   record NAME TEXT                   what DNS says from now on
//   sign HEADER BODY DOMAIN IN OUT...  one OUT a key, in their order: the message with that key's signature on top
//   verify FILE                        answers one line: "pass", or "outcome: reason", by signature, between " | "

#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <string>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth/dkim.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const std::string& path, std::string_view text) {
  std::ofstream(path, std::ios::binary).write(text.data(), static_cast<std::streamsize>(text.size()));
}

canonicalization read_canonicalization(std::istringstream& line) {
  std::string name;
  line >> name;
  return name == "simple" ? canonicalization::simple : canonicalization::relaxed;
}

class peer {
 public:
  std::string answer(std::istringstream line) {
    std::string command;
    line >> command;
    if (command == "key") return make_key(line);
    if (command == "record") return add_record(line);
    if (command == "sign") return sign(line);
    if (command == "verify") return verify(line);
    return "unknown command";
  }

 private:
  std::string make_key(std::istringstream& line) {
    std::string kind, file, selector;
    line >> kind >> file >> selector;
    const bool rsa = kind == "rsa";
    const auto key = crypto_->generate_key(rsa ? base::key_kind::rsa : base::key_kind::ed25519).value();
    write_file(file, key->pem());
    keys_.push_back({selector, crypto_->parse_private_key(read_file(file)).value()});
    return "v=DKIM1; k=" + kind + "; p=" + base::base64_encode(key->public_part()->encode());
  }

  std::string add_record(std::istringstream& line) {
    std::string name, text;
    line >> name;
    std::getline(line >> std::ws, text);
    dns_.add_txt(name, text);
    return "ok";
  }

  std::string sign(std::istringstream& line) {
    dkim_sign_options options;
    options.header = read_canonicalization(line);
    options.body = read_canonicalization(line);
    std::string in;
    line >> options.domain >> in;
    options.keys = keys_;
    const auto signer = dkim_signer::make(options).value();
    const std::string message = read_file(in);
    message_hasher hashed(*crypto_, {signer.body_hash()});
    hashed.feed(message);
    hashed.finish();
    const auto fields = signer.sign(hashed, std::chrono::floor<std::chrono::seconds>(base::system_clock().now()));
    if (!fields) return fields.error().message();
    const mail::header_block block(*fields);
    for (const auto& field : block.fields()) {
      std::string out;
      line >> out;
      write_file(out, std::string(field.whole) + message);
    }
    return "ok";
  }

  std::string verify(std::istringstream& line) {
    std::string file;
    line >> file;
    const std::string message = read_file(file);
    message_hasher hashed(*crypto_);
    for (std::string_view rest = message; !rest.empty(); rest.remove_prefix(std::min<std::size_t>(rest.size(), 1000)))
      hashed.feed(rest.substr(0, 1000));
    hashed.finish();
    const dkim_verifier verifier(found_, base::system_clock());
    const auto results = base::sync_wait(verifier.verify(hashed));
    std::string out;
    for (const auto& one : results) {
      if (!out.empty()) out += " | ";
      out += to_string(one.what);
      if (!one.reason.empty()) out += ": " + one.reason;
    }
    return out.empty() ? "none" : out;
  }

  std::unique_ptr<base::crypto> crypto_ = crypto::make_boringssl();
  base::scripted_resolver dns_;
  dkim_keys found_{*crypto_, dns_};
  std::vector<dkim_signing_key> keys_;
};

}  // namespace

int main() {
  peer self;
  for (std::string line; std::getline(std::cin, line);) std::cout << self.answer(std::istringstream(line)) << std::endl;
}
