#include "briefwerk/mailauth/dkim.hpp"

namespace briefwerk::mailauth {
namespace {

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "dkim"; }
  std::string message(int code) const override {
    switch (static_cast<dkim_errc>(code)) {
      case dkim_errc::too_long:
        return "longer than this server reads";
      case dkim_errc::bad_tag_list:
        return "malformed tag list";
      case dkim_errc::duplicate_tag:
        return "a tag occurs twice";
      case dkim_errc::missing_tag:
        return "a required tag is missing";
      case dkim_errc::bad_version:
        return "unknown version (v=)";
      case dkim_errc::bad_algorithm:
        return "unknown algorithm (a=)";
      case dkim_errc::bad_signature_data:
        return "malformed signature data (b=)";
      case dkim_errc::bad_body_hash:
        return "malformed body hash (bh=)";
      case dkim_errc::bad_canonicalization:
        return "unknown canonicalization (c=)";
      case dkim_errc::bad_domain:
        return "malformed domain (d=)";
      case dkim_errc::bad_selector:
        return "malformed selector (s=)";
      case dkim_errc::bad_signed_fields:
        return "malformed list of header fields (h=)";
      case dkim_errc::from_not_signed:
        return "the From field is not signed";
      case dkim_errc::bad_identity:
        return "identity (i=) is not below the signing domain";
      case dkim_errc::bad_body_length:
        return "malformed body length (l=)";
      case dkim_errc::bad_query_method:
        return "no known query method (q=)";
      case dkim_errc::bad_time:
        return "malformed or contradictory times (t=, x=)";
      case dkim_errc::bad_instance:
        return "malformed instance (i=)";
      case dkim_errc::bad_chain_status:
        return "malformed chain status (cv=)";
      case dkim_errc::forbidden_tag:
        return "a tag that must not be there (h=)";
      case dkim_errc::bad_key_version:
        return "key record of an unknown version (v=)";
      case dkim_errc::bad_key_type:
        return "key record of an unknown key type (k=)";
      case dkim_errc::bad_key_data:
        return "key record without a readable key (p=)";
      case dkim_errc::key_revoked:
        return "the key is revoked";
      case dkim_errc::key_too_large:
        return "the key is larger than this server reads";
      case dkim_errc::wrong_service:
        return "the key is not for mail (s=)";
      case dkim_errc::unsuitable_message:
        return "the message has bare line ends, long lines or a malformed header";
      case dkim_errc::no_single_from:
        return "the message has no From field, or several";
      case dkim_errc::missing_body_hash:
        return "the body hash was not computed";
      case dkim_errc::weak_key:
        return "the RSA key is shorter than 1024 bits";
      case dkim_errc::no_key:
        return "no key to sign with";
      case dkim_errc::chain_ended:
        return "the chain has ended: no set may be added";
    }
    return "unknown error";
  }
};

}  // namespace

const std::error_category& dkim_category() noexcept {
  static const category instance;
  return instance;
}

}  // namespace briefwerk::mailauth
