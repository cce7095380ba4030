#include "briefwerk/mail/address.hpp"

#include <unicode/idna.h>

#include <algorithm>
#include <memory>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

namespace limits = base::limits;
using base::errc;
using base::fail;

bool is_atom_char(char c, utf8 allowed) noexcept {
  return ascii::is_atext(c) || (allowed == utf8::allow && ascii::is_8bit(c));
}

// RFC 5321 §4.1.3: IPv4-address-literal = Snum 3("." Snum), Snum of one to three digits
bool is_ipv4(std::string_view text) noexcept {
  for (int group = 0;; ++group) {
    unsigned value = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && ascii::is_digit(text[digits]); ++digits) {
      if (digits == 3) return false;
      value = value * 10 + static_cast<unsigned>(text[digits] - '0');
    }
    if (digits == 0 || value > 255) return false;
    text.remove_prefix(digits);
    if (group == 3) return text.empty();
    if (!text.starts_with('.')) return false;
    text.remove_prefix(1);
  }
}

// RFC 5321 §4.1.3: IPv6-full, IPv6-comp, IPv6v4-full, IPv6v4-comp
bool is_ipv6(std::string_view text) noexcept {
  int groups = 0;
  bool compressed = text.starts_with("::");
  if (compressed) text.remove_prefix(2);
  while (!text.empty()) {
    if (groups + 2 <= 8 && text.find('.') < text.find(':')) {
      if (!is_ipv4(text)) return false;
      groups += 2;
      break;
    }
    std::size_t digits = 0;
    while (digits < text.size() && ascii::hex_value(text[digits]) >= 0) ++digits;
    if (digits == 0 || digits > 4 || ++groups > 8) return false;
    text.remove_prefix(digits);
    if (text.empty()) break;
    if (!text.starts_with(':')) return false;
    text.remove_prefix(1);
    if (text.starts_with(':')) {
      if (compressed) return false;
      compressed = true;
      text.remove_prefix(1);
    } else if (text.empty()) {
      return false;
    }
  }
  return compressed ? groups <= 6 : groups == 8;  // "::" stands for two groups at least
}

const icu::IDNA* idna() {
  // Immutable and shared by all threads; made once.
  static const std::unique_ptr<icu::IDNA> instance = [] {
    UErrorCode error = U_ZERO_ERROR;
    std::unique_ptr<icu::IDNA> made(icu::IDNA::createUTS46Instance(
        UIDNA_NONTRANSITIONAL_TO_ASCII | UIDNA_NONTRANSITIONAL_TO_UNICODE | UIDNA_CHECK_BIDI | UIDNA_CHECK_CONTEXTJ,
        error));
    return U_FAILURE(error) ? nullptr : std::move(made);
  }();
  return instance.get();
}

}  // namespace

bool is_dot_atom(std::string_view text) noexcept {
  bool dot = true;  // as if one stood before
  for (const char c : text) {
    if (c == '.') {
      if (dot) return false;
      dot = true;
    } else {
      if (!is_atom_char(c, utf8::allow)) return false;
      dot = false;
    }
  }
  return !dot;
}

// RFC 5321 §4.1.2: Domain = sub-domain *("." sub-domain), sub-domain = Let-dig [Ldh-str]; RFC 6531 §3.3: U-label
bool is_domain(std::string_view text, utf8 allowed) noexcept {
  if (text.size() > limits::address_domain) return false;
  for (;;) {
    const auto end = std::min(text.find('.'), text.size());
    const auto label = text.substr(0, end);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
    for (const char c : label) {
      const bool good = ascii::is_alpha(c) || ascii::is_digit(c) || c == '-' ||
                        (allowed == utf8::allow && ascii::is_8bit(c));
      if (!good) return false;
    }
    if (end == text.size()) return allowed == utf8::refuse || is_valid_utf8(text);
    text.remove_prefix(end + 1);
  }
}

bool is_address_literal(std::string_view text) noexcept {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return false;
  text = text.substr(1, text.size() - 2);
  return ascii::starts_with(text, "IPv6:") ? is_ipv6(text.substr(5)) : is_ipv4(text);
}

// RFC 5321 §4.1.2:
//   Mailbox        = Local-part "@" ( Domain / address-literal )
//   Local-part     = Dot-string / Quoted-string
//   QcontentSMTP   = qtextSMTP / quoted-pairSMTP   (printable ASCII and space)
base::result<mailbox_view> split_mailbox(std::string_view text, utf8 allowed) noexcept {
  std::size_t end = 0;     // of the local part
  std::size_t octets = 0;  // its size without quotes and backslashes
  if (text.starts_with('"')) {
    for (end = 1; end < text.size() && text[end] != '"'; ++end, ++octets) {
      const bool pair = text[end] == '\\';
      if (pair && ++end == text.size()) return fail(errc::malformed);
      const char c = text[end];
      const bool high = !pair && allowed == utf8::allow && ascii::is_8bit(c);
      if (!high && (ascii::is_control(c) || ascii::is_8bit(c))) return fail(errc::malformed);
    }
    if (end >= text.size()) return fail(errc::malformed);
    ++end;
  } else {
    octets = end = std::min(text.find('@'), text.size());
    if (!is_dot_atom(text.substr(0, end))) return fail(errc::malformed);
    if (allowed == utf8::refuse && !is_ascii(text.substr(0, end))) return fail(errc::malformed);
  }
  const auto local = text.substr(0, end);
  text.remove_prefix(end);
  if (!text.starts_with('@')) return fail(errc::malformed);
  text.remove_prefix(1);
  if (octets > limits::address_local_part || text.size() > limits::address_domain) return fail(errc::limit_exceeded);
  if (allowed == utf8::allow && !is_valid_utf8(local)) return fail(errc::malformed);
  if (!(text.starts_with('[') ? is_address_literal(text) : is_domain(text, allowed))) return fail(errc::malformed);
  return mailbox_view{local, text};
}

base::result<mailbox_address> parse_mailbox(std::string_view text, utf8 allowed) {
  const auto parts = split_mailbox(text, allowed);
  if (!parts) return fail(parts.error());
  mailbox_address address;
  address.domain = parts->domain;
  if (!parts->local.starts_with('"')) {
    address.local = parts->local;
    return address;
  }
  const auto quoted = parts->local.substr(1, parts->local.size() - 2);
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] == '\\') ++i;
    address.local += quoted[i];
  }
  return address;
}

void append_mailbox(std::string& out, const mailbox_address& address) {
  if (is_dot_atom(address.local)) {
    out += address.local;
  } else {
    out += '"';
    for (const char c : address.local) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  out += '@';
  out += address.domain;
}

std::string format_mailbox(const mailbox_address& address) {
  std::string out;
  append_mailbox(out, address);
  return out;
}

base::result<std::string> domain_to_ascii(std::string_view domain) {
  if (is_ascii(domain)) return ascii::to_lower(domain);
  if (domain.size() > limits::address_domain || !is_valid_utf8(domain) || idna() == nullptr)
    return fail(errc::malformed);
  UErrorCode error = U_ZERO_ERROR;
  icu::IDNAInfo info;
  icu::UnicodeString out;
  idna()->nameToASCII(icu::UnicodeString::fromUTF8({domain.data(), static_cast<std::int32_t>(domain.size())}), out,
                      info, error);
  if (U_FAILURE(error) || info.hasErrors()) return fail(errc::malformed);
  std::string text;
  out.toUTF8String(text);
  return text;
}

std::string domain_to_unicode(std::string_view domain) {
  if (domain.size() > limits::address_domain || idna() == nullptr) return std::string(domain);
  UErrorCode error = U_ZERO_ERROR;
  icu::IDNAInfo info;
  icu::UnicodeString out;
  idna()->nameToUnicode(icu::UnicodeString::fromUTF8({domain.data(), static_cast<std::int32_t>(domain.size())}), out,
                        info, error);
  if (U_FAILURE(error) || info.hasErrors()) return std::string(domain);
  std::string text;
  out.toUTF8String(text);
  return text;
}

std::string normalised_key(const mailbox_address& address) {
  auto key = normalise_nfc(address.local);
  key += '@';
  auto domain = domain_to_ascii(address.domain);
  key += domain ? *domain : ascii::to_lower(address.domain);
  return key;
}

std::string format_address(std::string_view display_name, const mailbox_address& address) {
  std::string out;
  if (display_name.empty()) {
    append_mailbox(out, address);
    return out;
  }
  const bool printable =
      is_ascii(display_name) && std::ranges::none_of(display_name, ascii::is_control) && display_name.find("=?") == display_name.npos;
  const bool atoms = printable && std::ranges::all_of(display_name, [](char c) { return c == ' ' || ascii::is_atext(c); });
  if (atoms) {
    out = display_name;
  } else if (printable) {
    out += '"';
    for (const char c : display_name) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  } else {
    out = encode_text(display_name, word_context::phrase);
  }
  out += " <";
  append_mailbox(out, address);
  out += '>';
  return out;
}

}  // namespace briefwerk::mail
