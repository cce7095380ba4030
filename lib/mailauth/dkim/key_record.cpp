#include <utility>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "mailauth/dkim/tag_list.hpp"

namespace briefwerk::mailauth {

using base::fail;

// RFC 6376 §3.6.1. Unknown tags, flags, hashes and services are passed over (§3.2).
base::result<dkim_key_record> parse_dkim_key_record(std::string_view text) {
  if (text.size() > base::limits::dkim_key_record) return fail(dkim_errc::too_long);
  const auto tags = parse_tag_list(text);
  if (!tags) return fail(tags.error());

  dkim_key_record out;
  // "This tag MUST be the first tag in the record."
  if (const tag* v = find_tag(*tags, "v"); v != nullptr && (v->value != "DKIM1" || v != tags->data()))
    return fail(dkim_errc::bad_key_version);
  if (const tag* k = find_tag(*tags, "k")) {
    if (k->value == "ed25519")
      out.kind = base::key_kind::ed25519;
    else if (k->value != "rsa")
      return fail(dkim_errc::bad_key_type);
  }
  if (const tag* h = find_tag(*tags, "h")) {
    out.sha1 = list_contains(h->value, "sha1");
    out.sha256 = list_contains(h->value, "sha256");
  }
  if (const tag* s = find_tag(*tags, "s");
      s != nullptr && !list_contains(s->value, "*") && !list_contains(s->value, "email"))
    return fail(dkim_errc::wrong_service);
  if (const tag* t = find_tag(*tags, "t")) {
    out.testing = list_contains(t->value, "y");
    out.exact_identity = list_contains(t->value, "s");
  }
  const tag* p = find_tag(*tags, "p");
  if (p == nullptr) return fail(dkim_errc::missing_tag);
  if (p->value.empty()) return fail(dkim_errc::key_revoked);
  auto octets = decode_base64(p->value);
  if (!octets) return fail(dkim_errc::bad_key_data);
  out.octets = std::move(*octets);
  return out;
}

}  // namespace briefwerk::mailauth
