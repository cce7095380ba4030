#include <algorithm>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/ascii.hpp"
#include "mailauth/dkim/canonical_header.hpp"
#include "mailauth/dkim/field_writer.hpp"
#include "mailauth/dkim/signing.hpp"

namespace briefwerk::mailauth {
namespace {

using base::fail;

std::string_view name_of(canonicalization how) noexcept {
  return how == canonicalization::relaxed ? "relaxed" : "simple";
}

// i= is dkim-quoted-printable (RFC 6376 §2.11).
std::string quoted_printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    if (c > ' ' && c < 0x7f && c != ';' && c != '=') {
      out += c;
      continue;
    }
    const auto octet = static_cast<unsigned char>(c);
    out += '=';
    out += digits[octet >> 4];
    out += digits[octet & 15];
  }
  return out;
}

// d=, s= and i= as they are written; the first that cannot be.
std::error_code settle_names(dkim_sign_options& options) {
  auto domain = parse_domain_name(options.domain, 2);
  if (!domain) return dkim_errc::bad_domain;
  options.domain = std::move(*domain);
  for (dkim_signing_key& one : options.keys)
    if (const auto error = settle_key(one)) return error;
  if (!options.identity.empty()) {
    const std::size_t at = options.identity.rfind('@');
    if (at == std::string::npos) return dkim_errc::bad_identity;
    const auto below = parse_domain_name(std::string_view(options.identity).substr(at + 1), 2);
    if (!below || (*below != options.domain && !below->ends_with("." + options.domain))) return dkim_errc::bad_identity;
  }
  return {};
}

void append_times(field_writer& field, const dkim_sign_options& options, std::chrono::sys_seconds now) {
  const auto text = [](std::chrono::sys_seconds when) { return std::to_string(when.time_since_epoch().count()); };
  if (options.timestamp) field.tag("t", text(now));
  if (options.lifetime > std::chrono::seconds(0)) field.tag("x", text(now + options.lifetime));
}

}  // namespace

bool is_field_name(std::string_view name) noexcept {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != ':' && c != ';'; });
}

std::error_code settle_key(dkim_signing_key& one) {
  auto selector = parse_domain_name(one.selector, 1);
  if (!selector) return dkim_errc::bad_selector;
  one.selector = std::move(*selector);
  if (one.key == nullptr) return dkim_errc::no_key;
  if (one.key->kind() == base::key_kind::rsa && one.key->bits() < 1024) return dkim_errc::weak_key;
  return {};
}

dkim_algorithm algorithm_of(const base::private_key& key) noexcept {
  return key.kind() == base::key_kind::rsa ? dkim_algorithm::rsa_sha256 : dkim_algorithm::ed25519_sha256;
}

std::error_code check_signable(const message_state& message, const body_hash_kind& wanted) {
  if (std::ranges::find(message.wanted, wanted) == message.wanted.end()) return dkim_errc::missing_body_hash;
  if (message.defects.any()) return dkim_errc::unsuitable_message;
  const std::uint32_t from = name_hash("from");
  const auto is_from = [&](const mail::header_field& one) { return mail::equals_ignoring_case(one.name, "from"); };
  if (std::ranges::count(message.hashes, from) != 1 || std::ranges::count_if(message.fields, is_from) != 1)
    return dkim_errc::no_single_from;
  return {};
}

std::size_t count_fields(const message_state& message, std::string_view name) noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      message.fields, [&](const mail::header_field& one) { return mail::equals_ignoring_case(one.name, name); }));
}

std::string canonical_fields(const message_state& message, canonicalization how,
                             const std::vector<std::string>& names) {
  std::string data;
  data.reserve(2048);
  field_chooser chooser(message.fields, message.hashes);
  for (const std::string& name : names)
    if (const auto* chosen = chooser.next(name)) append_canonical_field(data, how, chosen->whole);
  return data;
}

base::result<std::string> sign_field(field_writer field, canonicalization how, std::string data,
                                     const base::private_key& key, const base::crypto& crypto, bool folded) {
  const std::size_t place = field.signature_place() - (field.text().find(':') + 1);
  append_canonical_signature(data, how, field.text(), place, place);
  const auto signature = key.sign(base::hash_kind::sha256, crypto.hash(base::hash_kind::sha256, data));
  if (!signature) return fail(signature.error());
  field.end_signature(*signature, folded);
  return field.text();
}

const std::vector<std::string>& default_oversigned() {
  static const std::vector<std::string> names = {"From",
                                                 "To",
                                                 "Cc",
                                                 "Subject",
                                                 "Date",
                                                 "Message-ID",
                                                 "Reply-To",
                                                 "List-Id",
                                                 "List-Help",
                                                 "List-Unsubscribe",
                                                 "List-Unsubscribe-Post",
                                                 "List-Subscribe",
                                                 "List-Post",
                                                 "List-Owner",
                                                 "List-Archive"};
  return names;
}

const std::vector<std::string>& default_signed() {
  static const std::vector<std::string> names = {"Sender",           "In-Reply-To",         "References",
                                                 "Resent-From",      "Resent-Sender",       "Resent-To",
                                                 "Resent-Cc",        "Resent-Date",         "Resent-Message-ID",
                                                 "MIME-Version",     "Content-Type",        "Content-Transfer-Encoding",
                                                 "Content-ID",       "Content-Description", "Content-Disposition",
                                                 "Content-Language", "Auto-Submitted",      "Autocrypt"};
  return names;
}

base::result<dkim_signer> dkim_signer::make(dkim_sign_options options) {
  if (options.keys.empty()) return fail(dkim_errc::no_key);
  if (const auto error = settle_names(options)) return fail(error);
  bool has_from = false;
  for (const auto* list : {&options.oversigned, &options.signed_too}) {
    if (!std::ranges::all_of(*list, is_field_name)) return fail(dkim_errc::bad_signed_fields);
    for (const std::string& name : *list) has_from = has_from || mail::equals_ignoring_case(name, "from");
  }
  if (!has_from) return fail(dkim_errc::from_not_signed);
  return dkim_signer(std::move(options));
}

body_hash_kind dkim_signer::body_hash() const noexcept {
  return {options_.body, base::hash_kind::sha256, std::nullopt};
}

base::result<std::string> dkim_signer::sign(const message_hasher& message, std::chrono::sys_seconds now) const {
  const message_state& state = message_access::of(message);
  if (const auto error = check_signable(state, body_hash())) return fail(error);

  std::vector<std::string> names;
  for (const std::string& name : options_.oversigned) names.insert(names.end(), count_fields(state, name) + 1, name);
  for (const std::string& name : options_.signed_too) names.insert(names.end(), count_fields(state, name), name);
  if (names.size() > base::limits::dkim_signed_fields) return fail(dkim_errc::too_long);
  const std::string data = canonical_fields(state, options_.header, names);
  const std::string& digest = message.find(body_hash())->digest;

  std::string out;
  for (const dkim_signing_key& one : options_.keys) {
    field_writer field("DKIM-Signature");
    field.tag("v", "1");
    field.tag("a", to_string(algorithm_of(*one.key)));
    field.tag("c", std::string(name_of(options_.header)) + "/" + std::string(name_of(options_.body)));
    field.tag("d", options_.domain);
    field.tag("s", one.selector);
    if (!options_.identity.empty()) field.tag("i", quoted_printable(options_.identity));
    append_times(field, options_, now);
    field.list("h", names);
    field.base64("bh", digest);
    field.begin_signature();
    auto written = sign_field(std::move(field), options_.header, data, *one.key, state.crypto);
    if (!written) return written;
    out += *written;
  }
  return out;
}

}  // namespace briefwerk::mailauth
