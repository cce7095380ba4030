#include "mailauth/dkim/signature.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mailauth {
namespace {

using base::fail;
namespace limits = base::limits;

struct algorithm_name {
  std::string_view name;
  dkim_algorithm what;
};
constexpr std::array algorithms{algorithm_name{"rsa-sha1", dkim_algorithm::rsa_sha1},
                                algorithm_name{"rsa-sha256", dkim_algorithm::rsa_sha256},
                                algorithm_name{"ed25519-sha256", dkim_algorithm::ed25519_sha256}};

std::optional<std::chrono::sys_seconds> parse_time(std::string_view value) {
  const auto number = parse_number(value, 12);
  if (!number) return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(*number));
}

// sig-c-tag-alg ["/" sig-c-tag-alg]
bool read_canonicalization(std::string_view value, dkim_signature& out) {
  const auto one = [](std::string_view name, canonicalization& how) {
    how = name == "relaxed" ? canonicalization::relaxed : canonicalization::simple;
    return name == "relaxed" || name == "simple";
  };
  const std::size_t slash = value.find('/');
  out.body = canonicalization::simple;
  if (!one(value.substr(0, slash), out.header)) return false;
  return slash == value.npos || one(value.substr(slash + 1), out.body);
}

// Empty names are let through: they name no field, and are written.
std::error_code read_signed_fields(std::string_view value, std::vector<std::string>& out) {
  list_reader reader(value);
  for (std::string_view name; reader.next(name);) {
    if (name.empty()) continue;
    if (out.size() == limits::dkim_signed_fields) return dkim_errc::too_long;
    if (!std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f; })) return dkim_errc::bad_signed_fields;
    out.push_back(mail::ascii::to_lower(name));
  }
  return {};
}

// [Local-part] "@" domain-name, dkim-quoted-printable; the domain is d= or below it (RFC 6376 §3.5).
bool read_identity(const tag* found, dkim_signature& out) {
  out.identity = "@" + out.domain;
  if (found == nullptr) return true;
  auto text = decode_quoted_printable(found->value);
  if (!text) return false;
  const std::size_t at = text->rfind('@');
  if (at == text->npos) return false;
  auto domain = parse_domain_name(std::string_view(*text).substr(at + 1), 2);
  if (!domain || (*domain != out.domain && !domain->ends_with("." + out.domain))) return false;
  out.identity_domain = std::move(*domain);
  out.identity = std::move(*text);
  return true;
}

// z= is for diagnosis: what cannot be read is left out, and changes nothing (RFC 6376 §3.5).
std::vector<std::string> read_copied_fields(const tag* found) {
  std::vector<std::string> out;
  if (found == nullptr) return out;
  list_reader reader(found->value, '|');
  for (std::string_view one; out.size() < limits::dkim_signed_fields && reader.next(one);) {
    auto text = decode_quoted_printable(one);
    if (text && text->find(':') != text->npos) out.push_back(std::move(*text));
  }
  return out;
}

// bh=, c=, h=, l= and x=: what covers the message.
std::error_code read_message_tags(std::span<const tag> tags, signature_field& out) {
  dkim_signature& signature = out.signature;
  const tag* hash = find_tag(tags, "bh");
  const tag* fields = find_tag(tags, "h");
  if (hash == nullptr || fields == nullptr) return dkim_errc::missing_tag;
  auto digest = decode_base64(hash->value);
  if (!digest || digest->size() != base::digest_size(hash_of(signature.algorithm))) return dkim_errc::bad_body_hash;
  signature.body_hash = std::move(*digest);
  if (const tag* c = find_tag(tags, "c"); c != nullptr && !read_canonicalization(c->value, signature))
    return dkim_errc::bad_canonicalization;
  if (const auto error = read_signed_fields(fields->value, signature.fields)) return error;
  if (const tag* l = find_tag(tags, "l")) {
    signature.body_length = parse_number(l->value, 76);
    if (!signature.body_length) return dkim_errc::bad_body_length;
  }
  if (const tag* x = find_tag(tags, "x")) {
    signature.expires = parse_time(x->value);
    if (!signature.expires || (signature.signed_at && *signature.expires <= *signature.signed_at))
      return dkim_errc::bad_time;
  }
  return {};
}

std::error_code read_dkim_tags(std::span<const tag> tags, signature_field& out) {
  const tag* version = find_tag(tags, "v");
  if (version == nullptr) return dkim_errc::missing_tag;
  if (version->value != "1") return dkim_errc::bad_version;
  if (const auto error = read_common_tags(tags, out)) return error;
  if (const auto error = read_message_tags(tags, out)) return error;
  if (std::ranges::find(out.signature.fields, "from") == out.signature.fields.end()) return dkim_errc::from_not_signed;
  if (!read_identity(find_tag(tags, "i"), out.signature)) return dkim_errc::bad_identity;
  if (const tag* q = find_tag(tags, "q"); q != nullptr && !list_contains(q->value, "dns/txt"))
    return dkim_errc::bad_query_method;
  out.signature.copied_fields = read_copied_fields(find_tag(tags, "z"));
  return {};
}

std::error_code read_arc_message_tags(std::span<const tag> tags, signature_field& out) {
  const tag* instance = find_tag(tags, "i");
  if (instance == nullptr) return dkim_errc::missing_tag;
  out.instance = parse_instance(instance->value);
  if (out.instance == 0) return dkim_errc::bad_instance;
  // Without c= RFC 8617 leaves DKIM's default, simple. Those who left c= out meant relaxed, which is what the working
  // group's suite expects.
  out.signature.header = out.signature.body = canonicalization::relaxed;
  if (const auto error = read_common_tags(tags, out)) return error;
  if (const auto error = read_message_tags(tags, out)) return error;
  // §4.1.2 forbids ARC's own fields to signers. Others did sign AAR and AMS, which stay; a seal is made after the AMS
  // that would cover it.
  if (std::ranges::find(out.signature.fields, "arc-seal") != out.signature.fields.end())
    return dkim_errc::bad_signed_fields;
  return {};
}

template <class Read>
base::result<signature_field> parse_field(std::string_view value, Read read) {
  if (value.size() > limits::dkim_signature_size) return fail(dkim_errc::too_long);
  const auto tags = parse_tag_list(value);
  if (!tags) return fail(tags.error());
  signature_field out;
  if (const std::error_code error = read(*tags, out)) return fail(error);
  return out;
}

}  // namespace

std::string_view to_string(dkim_algorithm what) noexcept { return algorithms[static_cast<std::size_t>(what)].name; }

base::hash_kind hash_of(dkim_algorithm what) noexcept {
  return what == dkim_algorithm::rsa_sha1 ? base::hash_kind::sha1 : base::hash_kind::sha256;
}

base::key_kind key_of(dkim_algorithm what) noexcept {
  return what == dkim_algorithm::ed25519_sha256 ? base::key_kind::ed25519 : base::key_kind::rsa;
}

std::error_code read_common_tags(std::span<const tag> tags, signature_field& out) {
  dkim_signature& signature = out.signature;
  const tag* a = find_tag(tags, "a");
  const tag* b = find_tag(tags, "b");
  const tag* d = find_tag(tags, "d");
  const tag* s = find_tag(tags, "s");
  if (a == nullptr || b == nullptr || d == nullptr || s == nullptr) return dkim_errc::missing_tag;

  const auto algorithm = std::ranges::find(algorithms, a->value, &algorithm_name::name);
  if (algorithm == algorithms.end()) return dkim_errc::bad_algorithm;
  signature.algorithm = algorithm->what;

  auto octets = decode_base64(b->value);
  if (!octets || octets->empty()) return dkim_errc::bad_signature_data;
  signature.value = std::move(*octets);
  signature.value_text = without_blanks(b->value);
  out.begin = b->begin;
  out.end = b->end;

  auto domain = parse_domain_name(d->value, 2);
  if (!domain) return dkim_errc::bad_domain;
  signature.domain = std::move(*domain);
  signature.identity_domain = signature.domain;
  auto selector = parse_domain_name(s->value, 1);
  if (!selector) return dkim_errc::bad_selector;
  signature.selector = std::move(*selector);

  if (const tag* t = find_tag(tags, "t")) {
    signature.signed_at = parse_time(t->value);
    if (!signature.signed_at) return dkim_errc::bad_time;
  }
  return {};
}

unsigned parse_instance(std::string_view value) noexcept {
  const auto number = parse_number(value, 2);
  return number && *number <= limits::arc_sets ? static_cast<unsigned>(*number) : 0;
}

base::result<signature_field> parse_dkim_field(std::string_view value) { return parse_field(value, read_dkim_tags); }

base::result<signature_field> parse_arc_message_field(std::string_view value) {
  return parse_field(value, read_arc_message_tags);
}

base::result<dkim_signature> parse_dkim_signature(std::string_view value) {
  auto field = parse_dkim_field(value);
  if (!field) return fail(field.error());
  return std::move(field->signature);
}

}  // namespace briefwerk::mailauth
