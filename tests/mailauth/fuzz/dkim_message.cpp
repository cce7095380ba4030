#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mailauth/arc.hpp"

// A whole message, with the keys of RFC 8463: however it is cut, the results are the same; and whatever can be signed
// verifies.

using namespace briefwerk;
using namespace briefwerk::mailauth;

namespace {

struct world {
  std::unique_ptr<base::crypto> crypto = crypto::make_boringssl();
  base::scripted_resolver dns;
  dkim_keys keys{*crypto, dns};
  std::shared_ptr<const base::private_key> secret = crypto->generate_key(base::key_kind::ed25519).value();
  base::manual_clock clock{base::wall_time(std::chrono::seconds(1700000000))};
  dkim_signer signer;

  world() : signer(make_signer()) {
    dns.add_txt("brisbane._domainkey.football.example.com",
                "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    dns.add_txt("s._domainkey.example.org", "k=ed25519; p=" + base::base64_encode(secret->public_part()->encode()));
  }

  dkim_signer make_signer() const {
    dkim_sign_options options;
    options.domain = "example.org";
    options.keys = {{"s", secret}};
    return dkim_signer::make(std::move(options)).value();
  }
  message_hasher read(std::string_view text, std::size_t step, bool sign) const {
    std::vector<body_hash_kind> wanted;
    if (sign) wanted.push_back(signer.body_hash());
    message_hasher out(*crypto, std::move(wanted));
    for (; !text.empty(); text.remove_prefix(std::min(step, text.size()))) out.feed(text.substr(0, step));
    out.finish();
    return out;
  }
  std::vector<dkim_result> verify(const message_hasher& message) {
    const dkim_verifier verifier(keys, clock);
    return base::sync_wait(verifier.verify(message));
  }
};

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static world here;
  if (size == 0) return 0;
  const std::size_t step = 1 + data[0] % 32;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = here.read(text, text.size() + 1, true), cut = here.read(text, step, true);
  const auto a = here.verify(whole), b = here.verify(cut);
  require(a.size() == b.size() && a.size() <= base::limits::dkim_signatures);
  for (std::size_t i = 0; i < a.size(); ++i) {
    require(a[i].what == b[i].what && a[i].reason == b[i].reason);
    require((a[i].what == outcome::pass) == a[i].reason.empty());
  }
  const arc_verifier arc(here.keys);
  require(base::sync_wait(arc.verify(whole)).what == base::sync_wait(arc.verify(cut)).what);

  const auto fields = here.signer.sign(whole, std::chrono::sys_seconds(std::chrono::seconds(1700000000)));
  require(fields.has_value() ==
          here.signer.sign(cut, std::chrono::sys_seconds(std::chrono::seconds(1700000000))).has_value());
  if (!fields) return 0;
  const std::string with = *fields + std::string(text);
  const auto results = here.verify(here.read(with, step, false));
  require(!results.empty() && results[0].what == outcome::pass);
  return 0;
}
