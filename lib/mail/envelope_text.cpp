#include "briefwerk/mail/envelope_text.hpp"

#include <charconv>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"

namespace briefwerk::mail {
namespace {

// Most texts are; decoding them would only copy.
bool is_plain(std::string_view text) noexcept { return text.find("=?") == text.npos && is_ascii(text); }

void append_decoded(std::string& out, std::string_view text) {
  if (is_plain(text))
    out.append(text);
  else
    out.append(decode_text(text));
}

class reader {
 public:
  explicit reader(std::string_view text) noexcept : rest_(text) {}

  bool take(char c) noexcept {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take_nil() noexcept {
    if (!rest_.starts_with("NIL")) return false;
    rest_.remove_prefix(3);
    return true;
  }

  // Appends the octets of a quoted string or a literal; false where there is neither. `out` null: passes over it.
  bool take_string(std::string* out) {
    if (take('"')) return take_quoted(out);
    if (!take('{')) return false;
    std::size_t length = 0;
    const auto parsed = std::from_chars(rest_.data(), rest_.data() + rest_.size(), length);
    rest_.remove_prefix(static_cast<std::size_t>(parsed.ptr - rest_.data()));
    if (parsed.ec != std::errc{} || !rest_.starts_with("}\r\n") || rest_.size() - 3 < length) return false;
    if (out != nullptr) out->append(rest_.substr(3, length));
    rest_.remove_prefix(3 + length);
    return true;
  }
  bool take_nstring(std::string* out) { return take_nil() || take_string(out); }

  // "(" 1*address ")" or NIL.
  bool take_addresses(std::string* out) {
    if (take_nil()) return true;
    if (!take('(')) return false;
    while (!take(')')) {
      if (!take_address(out)) return false;
    }
    return true;
  }

 private:
  bool take_quoted(std::string* out) {
    const auto end = rest_.find('"');
    const auto plain = rest_.substr(0, end);
    if (end == rest_.npos) return false;
    if (plain.find('\\') == plain.npos) {
      if (out != nullptr) out->append(plain);
      rest_.remove_prefix(end + 1);
      return true;
    }
    for (std::size_t i = 0; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return true;
      }
      if (rest_[i] == '\\') ++i;
      if (out != nullptr && i < rest_.size()) out->push_back(rest_[i]);
    }
    return false;
  }

  // "(" name SP adl SP mailbox SP host ")"
  bool take_address(std::string* out) {
    if (out == nullptr) {
      return take('(') && take_nstring(nullptr) && take(' ') && take_nstring(nullptr) && take(' ') &&
             take_nstring(nullptr) && take(' ') && take_nstring(nullptr) && take(')');
    }
    std::string name, mailbox, host;
    if (!(take('(') && take_nstring(&name) && take(' ') && take_nstring(nullptr) && take(' ') && take_nstring(&mailbox) &&
          take(' ') && take_nstring(&host) && take(')')))
      return false;
    if (!out->empty()) out->append(", ");
    if (!name.empty()) {
      append_decoded(*out, name);
      out->append(" ");
    }
    out->append("<").append(mailbox).append("@").append(host).append(">");
    return true;
  }

  std::string_view rest_;
};

constexpr bool is_address_list(envelope_field field) noexcept {
  return field >= envelope_field::from && field <= envelope_field::bcc;
}

}  // namespace

std::optional<std::string> envelope_text(std::string_view envelope, envelope_field field) {
  reader in(envelope);
  if (!in.take('(')) return std::nullopt;
  for (unsigned char i = 0; i < static_cast<unsigned char>(field); ++i) {
    const bool passed = is_address_list(envelope_field{i}) ? in.take_addresses(nullptr) : in.take_nstring(nullptr);
    if (!passed || !in.take(' ')) return std::nullopt;
  }
  if (in.take_nil()) return std::nullopt;
  std::string text;
  if (is_address_list(field)) {
    if (!in.take_addresses(&text)) return std::nullopt;
    return text;
  }
  if (!in.take_string(&text)) return std::nullopt;
  if (is_plain(text)) return text;
  return decode_text(text);
}

}  // namespace briefwerk::mail
