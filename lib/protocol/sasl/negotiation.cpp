#include "briefwerk/protocol/sasl/negotiation.hpp"

#include <algorithm>
#include <array>

#include "briefwerk/base/random_id.hpp"
#include "protocol/sasl/scram.hpp"

namespace briefwerk::protocol::sasl {
namespace {

using base::hash_kind;

constexpr std::array<std::string_view, 7> names = {
    "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"};

bool same_name(std::string_view a, std::string_view b) noexcept {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  return std::ranges::equal(a, b, {}, upper, upper);
}

bool contains(const auto& list, std::string_view name) {
  return std::ranges::any_of(list, [&](std::string_view one) { return same_name(one, name); });
}

bool is_scram(std::string_view name) noexcept { return name.starts_with("SCRAM-"); }
bool is_plus(std::string_view name) noexcept { return name.ends_with("-PLUS"); }
hash_kind hash_of(std::string_view name) noexcept {
  return name.starts_with("SCRAM-SHA-1") ? hash_kind::sha1 : hash_kind::sha256;
}

bool may_offer(std::string_view name, const server_options& options) {
  if (!options.tls && !options.allow_without_tls) return false;
  if (is_plus(name) && options.channel_bindings.empty()) return false;
  if (name == "CRAM-MD5" && !options.recoverable_secrets) return false;
  return !contains(options.disabled, name);
}

bool may_use(std::string_view name, const client_options& options) {
  if (is_plus(name) && options.channel_bindings.empty()) return false;
  if (!is_scram(name) && !options.tls && !options.allow_without_tls) return false;
  return !contains(options.disabled, name);
}

std::unique_ptr<client_mechanism> make_named_client(std::string_view name, const client_options& options,
                                                    client_identity identity, const base::crypto& crypto) {
  if (name == "PLAIN") return make_plain_client(std::move(identity));
  if (name == "LOGIN") return make_login_client(std::move(identity));
  if (name == "CRAM-MD5") return make_cram_md5_client(std::move(identity), crypto);
  scram_client_setup setup;
  setup.hash = hash_of(name);
  setup.nonce = make_nonce(crypto);
  if (is_plus(name))
    setup.binding = options.channel_bindings.front();
  else  // Reached only if the server offers no -PLUS that we would use.
    setup.could_bind = may_use("SCRAM-SHA-256-PLUS", options) || may_use("SCRAM-SHA-1-PLUS", options);
  return make_scram_client(std::move(setup), std::move(identity), crypto);
}

}  // namespace

std::span<const std::string_view> all_mechanisms() noexcept { return names; }

std::vector<std::string_view> offered(const server_options& options) {
  std::vector<std::string_view> out;
  std::ranges::copy_if(names, std::back_inserter(out), [&](auto name) { return may_offer(name, options); });
  return out;
}

base::result<std::unique_ptr<server_mechanism>> make_server(std::string_view asked, const server_options& options,
                                                            const base::crypto& crypto) {
  const auto found = std::ranges::find_if(names, [&](auto name) { return same_name(name, asked); });
  if (found == names.end() || !may_offer(*found, options)) return base::fail(base::errc::unsupported);
  const std::string_view name = *found;
  if (name == "PLAIN") return make_plain_server();
  if (name == "LOGIN") return make_login_server();
  if (name == "CRAM-MD5") {
    const std::string unique = base::random_id(crypto) + "." + base::random_id(crypto);
    return make_cram_md5_server(unique + "@" + options.host, options.decoy_secret, crypto);
  }
  scram_server_setup setup;
  setup.hash = hash_of(name);
  setup.plus = is_plus(name);
  setup.plus_offered = may_offer("SCRAM-SHA-256-PLUS", options) || may_offer("SCRAM-SHA-1-PLUS", options);
  setup.channel_bindings = options.channel_bindings;
  setup.decoy_secret = options.decoy_secret;
  setup.decoy_iterations = options.decoy_iterations;
  setup.nonce = make_nonce(crypto);
  return make_scram_server(std::move(setup), crypto);
}

base::result<std::unique_ptr<client_mechanism>> make_client(std::span<const std::string_view> server_offers,
                                                            const client_options& options, const base::crypto& crypto) {
  auto authcid = saslprep(options.authcid);
  auto password = saslprep(options.password);
  if (!authcid || !password) return base::fail(authcid ? password.error() : authcid.error());
  client_identity identity{std::move(*authcid), std::move(*password), {}};
  if (!options.authzid.empty()) {
    auto authzid = saslprep(options.authzid);
    if (!authzid) return base::fail(authzid.error());
    identity.authzid = std::move(*authzid);
  }
  for (const std::string_view name : names) {
    // LOGIN and CRAM-MD5 cannot say on whose behalf.
    if (!identity.authzid.empty() && (name == "LOGIN" || name == "CRAM-MD5")) continue;
    if (contains(server_offers, name) && may_use(name, options))
      return make_named_client(name, options, std::move(identity), crypto);
  }
  return base::fail(errc::no_common_mechanism);
}

}  // namespace briefwerk::protocol::sasl
