#include "briefwerk/mailauth/author.hpp"

#include <algorithm>
#include <array>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "mailauth/domain_name.hpp"

namespace briefwerk::mailauth {
namespace {

namespace limits = base::limits;

constexpr std::array<std::string_view, 8> faults = {
    "no fault",
    "no From field",
    "several From fields",
    "no domain in From",
    "an address literal in From",
    "several domains in From",
    "a malformed From field",
    "more in From than is looked at",
};

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

// Controls that are no folding: a bare CR or LF is one, too.
bool has_controls(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '\r') {
      if (i + 1 == text.size() || text[i + 1] != '\n') return true;
    } else if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f) {
      return true;
    }
  }
  return false;
}

// A reader that takes a bare CR for a line end would see another field there.
bool hides_from_field(std::string_view whole) noexcept {
  for (auto at = whole.find('\r'); at != whole.npos; at = whole.find('\r', at + 1)) {
    auto rest = whole.substr(at + 1);
    if (rest.starts_with('\n') || rest.size() < 5 || !mail::equals_ignoring_case(rest.substr(0, 4), "from")) continue;
    rest.remove_prefix(4);
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
    if (rest.starts_with(':')) return true;
  }
  return false;
}

// Where a quoted string, comment, encoded-word or literal that begins at `at` ends; `at` when none is closed there.
std::size_t skip_quoted(std::string_view text, std::size_t at) noexcept {
  for (auto i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return at;
}
std::size_t skip_comment(std::string_view text, std::size_t at) noexcept {
  std::size_t depth = 0;
  for (auto i = at; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '(')
      ++depth;
    else if (text[i] == ')' && --depth == 0)
      return i + 1;
  }
  return at;
}
std::size_t skip_encoded_word(std::string_view text, std::size_t at) noexcept {
  constexpr std::size_t longest = 2000;  // as long as the decoder takes one
  text = text.substr(0, std::min(text.size(), at + longest));
  const auto charset = text.find('?', at + 2);
  const auto encoding = charset == text.npos ? charset : text.find('?', charset + 1);
  const auto end = encoding == text.npos ? encoding : text.find("?=", encoding + 1);
  if (end == text.npos || std::ranges::any_of(text.substr(at, end - at), is_blank)) return at;
  return end + 2;
}
// Passes over all three. A quoted string or comment that is never closed is passed over nowhere behind its begin
// either, which keeps hostile text from being searched again and again.
class skipper {
 public:
  explicit skipper(std::string_view text) noexcept : text_(text) {}
  std::size_t operator()(std::size_t at) noexcept {
    if (text_[at] == '"' && !open_quote_) return closed(at, skip_quoted(text_, at), open_quote_);
    if (text_[at] == '(' && !open_comment_) return closed(at, skip_comment(text_, at), open_comment_);
    if (text_.substr(at).starts_with("=?")) return skip_encoded_word(text_, at);
    return at;
  }

 private:
  static std::size_t closed(std::size_t at, std::size_t end, bool& open) noexcept {
    open = end == at;
    return end;
  }
  std::string_view text_;
  bool open_quote_ = false, open_comment_ = false;
};

bool ends_domain(char c) noexcept {
  const auto octet = static_cast<unsigned char>(c);
  return octet <= 0x20 || octet == 0x7f || std::string_view(",;:<>()\"@[]\\").find(c) != std::string_view::npos;
}

// Does an encoded-word hold a NUL or a line end? (Other controls belong to charsets such as ISO-2022-JP.)
bool cuts_reader(std::string_view text) {
  for (auto at = text.find("=?"); at != text.npos; at = text.find("=?", at + 1)) {
    const auto end = skip_encoded_word(text, at);
    if (end == at) continue;
    const auto encoding = text.find('?', at + 2) + 1;
    const auto body = text.find('?', encoding) + 1;
    if (body + 2 > end) continue;
    const auto encoded = text.substr(body, end - 2 - body);
    const auto octets =
        (text[encoding] | 0x20) == 'b' ? mail::decode_base64(encoded) : mail::decode_quoted_printable(encoded);
    if (octets.find_first_of(std::string_view("\0\r\n", 3)) != octets.npos) return true;
    at = end - 1;
  }
  return false;
}

// What stands behind each "@" outside quoted strings, comments and encoded-words: what any reader could take for
// the domain of an address.
std::vector<std::string_view> domains_behind_at(std::string_view text) {
  std::vector<std::string_view> out;
  skipper skip(text);
  for (std::size_t i = 0; i < text.size();) {
    if (const auto behind = skip(i); behind != i) {
      i = behind;
      continue;
    }
    if (text[i++] != '@') continue;
    while (i < text.size() && (is_blank(text[i]) || text[i] == '(')) {
      const auto behind = text[i] == '(' ? skip(i) : i + 1;
      if (behind == i) break;
      i = behind;
    }
    const auto begin = i;
    while (i < text.size() && !ends_domain(text[i])) ++i;
    if (i != begin) out.push_back(text.substr(begin, i - begin));
    if (out.size() > limits::dmarc_author_domains * 16) break;
  }
  return out;
}

class author_reader {
 public:
  author run(std::string_view header) {
    mail::header_reader fields(header);
    mail::header_field field;
    std::size_t from_fields = 0, octets = 0;
    while (fields.next(field)) {
      hidden_ = hidden_ || hides_from_field(field.whole);
      if (!mail::equals_ignoring_case(field.name, "From")) continue;
      ++from_fields;
      const auto room = limits::dmarc_from_field - std::min(octets, limits::dmarc_from_field);
      octets += field.value.size();
      if (field.value.size() > room) out_.incomplete = true;
      take_field(field.value.substr(0, room));
    }
    if (!ended(header, fields.position())) out_.incomplete = true;
    out_.fault = judge(from_fields);
    return std::move(out_);
  }

 private:
  // Did the reader stop at the end of the header, not at one of its bounds?
  static bool ended(std::string_view header, std::size_t position) noexcept {
    if (position >= header.size()) return true;
    const auto read = header.substr(0, position);
    return read.ends_with("\n\n") || read.ends_with("\n\r\n") || read == "\n" || read == "\r\n";
  }

  void add(std::string_view domain, bool listed) {
    if (domain.starts_with('[')) {
      literal_ = true;
      return;
    }
    auto name = domain_name(domain);
    if (!name) {
      malformed_ = malformed_ || listed;
      return;
    }
    if (std::ranges::find(out_.domains, *name) != out_.domains.end()) return;
    if (out_.domains.size() == limits::dmarc_author_domains) {
      out_.incomplete = true;
      return;
    }
    out_.domains.push_back(std::move(*name));
  }

  void take_field(std::string_view value) {
    malformed_ = malformed_ || has_controls(value);
    for (const auto& one : mail::parse_address_list(value)) take_address(one);
    const auto listed = out_.domains.size();
    for (const auto domain : domains_behind_at(value)) add(domain, false);
    // RFC 5322 §3.4: an "@" has no place in a display name but inside quotes.
    if (out_.domains.size() != listed) malformed_ = true;
    // Some readers cut what they decoded at a NUL or a line end, and show what stands before.
    if (!cuts_reader(value)) return;
    malformed_ = true;
    const auto decoded = mail::decode_text(value);
    for (const auto domain : domains_behind_at(decoded)) add(domain, false);
  }

  void take_address(const mail::list_address& one) {
    if (one.kind != mail::list_address::kind_type::mailbox) return;
    for (const auto domain : domains_behind_at(one.route)) add(domain, true);
    if (one.domain.empty()) return;
    add(one.domain, true);
    if (one.local.find("=?") == one.local.npos) return;
    malformed_ = true;
    const auto decoded = mail::decode_text(one.local);
    for (const auto domain : domains_behind_at(decoded)) add(domain, false);
  }

  author_fault judge(std::size_t from_fields) const noexcept {
    if (from_fields > 1 || hidden_) return author_fault::several_fields;
    if (out_.incomplete) return author_fault::too_long;
    if (from_fields == 0) return author_fault::no_field;
    if (malformed_) return author_fault::malformed;
    if (out_.domains.size() + (literal_ ? 1 : 0) > 1) return author_fault::several_domains;
    if (literal_) return author_fault::address_literal;
    return out_.domains.empty() ? author_fault::no_domain : author_fault::none;
  }

  author out_;
  bool hidden_ = false, literal_ = false, malformed_ = false;
};

}  // namespace

std::string_view to_string(author_fault fault) noexcept { return faults[static_cast<std::size_t>(fault)]; }

author read_author(std::string_view header) { return author_reader().run(header); }

}  // namespace briefwerk::mailauth
