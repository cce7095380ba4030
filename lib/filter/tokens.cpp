#include "briefwerk/filter/tokens.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "briefwerk/base/limits/filter.hpp"
#include "briefwerk/filter/links.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "filter/html_text.hpp"
#include "filter/names.hpp"

namespace briefwerk::filter {
namespace {

using mail::equals_ignoring_case;
namespace limits = base::limits;

constexpr std::size_t longest_word = 24;  // octets; of longer ones the length counts

// Added by servers and readers on the way in: a message must count the same with and without them.
bool is_added_on_arrival(std::string_view name) noexcept {
  constexpr std::string_view ours[] = {
      "return-path", "delivered-to",  "authentication-results", "received-spf",     "status",      "x-status", "x-uid",
      "x-keywords",  "x-original-to", "content-length",         "x-mozilla-status", "envelope-to", "lines"};
  const std::string low = lower(name);
  return low.starts_with("x-spam") || low.starts_with("x-briefwerk") ||
         std::ranges::find(ours, std::string_view(low)) != std::end(ours);
}

constexpr bool is_separator(char c) noexcept {
  const auto o = static_cast<unsigned char>(c);
  if (o >= 0x80) return false;
  return o <= ' ' || o == 0x7f || std::string_view("<>()[]{},;:\"=|*/\\#&?+~`^_").find(c) != std::string_view::npos;
}

std::string_view trimmed(std::string_view word) noexcept {
  while (!word.empty() && (word.back() == '.' || word.back() == '\'' || word.back() == '-')) word.remove_suffix(1);
  while (!word.empty() && (word.front() == '.' || word.front() == '\'' || word.front() == '-')) word.remove_prefix(1);
  return word;
}

class collector {
 public:
  explicit collector(const base::siphash_key& key) : key_(key) {}

  token hash(char kind, std::string_view text) const noexcept {
    std::array<char, 64> room;
    room[0] = kind;
    const std::size_t size = std::min(text.size(), room.size() - 1);
    for (std::size_t i = 0; i < size; ++i) room[i + 1] = lower(text[i]);
    return base::siphash(key_, {room.data(), size + 1}).low;
  }
  void add(token one) {
    if (found_.size() < limits::spam_tokens) found_.push_back(one);
  }
  void add(char kind, std::string_view text) { add(hash(kind, text)); }

  // Words and pairs of neighbours.
  void add_words(char kind, std::string_view text, std::size_t& room) {
    token before = 0;
    for (std::size_t at = 0; at < text.size() && room > 0;) {
      while (at < text.size() && is_separator(text[at])) ++at;
      const std::size_t begin = at;
      while (at < text.size() && !is_separator(text[at])) ++at;
      const std::string_view word = trimmed(text.substr(begin, at - begin));
      if (word.empty()) continue;
      --room;
      if (word.size() > longest_word) {
        before = 0;
        add_long(kind, word);
        continue;
      }
      const token one = hash(kind, word);
      if (word.size() > 2) add(one);
      if (before != 0) add(before * 0x9e3779b97f4a7c15 ^ one);
      before = one;
    }
  }

  std::vector<token> take() {
    std::ranges::sort(found_);
    const auto again = std::ranges::unique(found_);
    found_.erase(again.begin(), again.end());
    return std::move(found_);
  }

 private:
  // Scripts that put no space between words: neighbouring characters. Else how long it was.
  void add_long(char kind, std::string_view word) {
    if (mail::is_ascii(word)) {
      add('L', std::string(1, word.front()) + std::to_string(word.size() / 10));
      return;
    }
    for (std::size_t at = 0; at + 6 <= word.size(); at += 3) add(kind, word.substr(at, 6));
  }

  const base::siphash_key& key_;
  std::vector<token> found_;
};

void add_address_field(collector& out, char kind, std::string_view value) {
  std::size_t room = 40;
  const std::string text = mail::decode_text(value);
  out.add_words(kind, text, room);
}

// "from helo (name [address])": what is said of the client. What is said of the server (by) is the same for all mail.
void add_received(collector& out, std::string_view value) {
  const std::string text = lower(mail::unfold(value));
  std::string_view rest = std::string_view(text).substr(0, 300);
  if (!rest.starts_with("from ")) return;
  rest.remove_prefix(5);
  rest = rest.substr(0, rest.find(" by "));
  for (std::size_t at = 0; at < rest.size();) {
    const std::size_t end = std::min(rest.find_first_of(" ()[]", at), rest.size());
    std::string_view word = rest.substr(at, end - at);
    at = end + 1;
    if (word.size() < 4) continue;
    out.add('R', word);
    const bool address = word.find_first_not_of("0123456789.") == word.npos;
    if (address)
      word = word.substr(0, word.rfind('.'));
    else if (const auto dot = word.find('.'); dot != word.npos)
      word.remove_prefix(dot + 1);
    out.add('R', word);
  }
}

// Shape of a generated identifier: digits and letters as classes.
std::string shape_of(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 80)) {
    const char l = lower(c);
    const char kind = c >= '0' && c <= '9' ? '0' : c >= 'a' && c <= 'z' ? 'a' : l != c ? 'A' : c;
    if (out.empty() || out.back() != kind) out += kind;
  }
  return out;
}

// RFC 5321 §4.4: who delivers a message at last begins it with Return-Path and a Received of his own. Before its
// delivery it has neither.
void add_header(collector& out, std::string_view message) {
  mail::header_reader reader(message);
  bool first = true, delivered = false;
  for (mail::header_field field; reader.next(field); first = false) {
    if (first) delivered = equals_ignoring_case(field.name, "Return-Path");
    if (is_added_on_arrival(field.name)) continue;
    if (equals_ignoring_case(field.name, "Received")) {
      if (std::exchange(delivered, false)) continue;
      add_received(out, field.value);
      continue;
    }
    out.add('N', field.name.substr(0, 40));
    std::size_t room = 60;
    if (equals_ignoring_case(field.name, "Subject"))
      out.add_words('s', mail::decode_text(field.value), room);
    else if (equals_ignoring_case(field.name, "From") || equals_ignoring_case(field.name, "Reply-To"))
      add_address_field(out, 'f', field.value);
    else if (equals_ignoring_case(field.name, "To") || equals_ignoring_case(field.name, "Cc"))
      add_address_field(out, 't', field.value);
    else if (equals_ignoring_case(field.name, "Message-ID")) {
      const std::string id = mail::unfold(field.value);
      out.add('M', shape_of(id));
      out.add('m', std::string_view(id).substr(std::min(id.rfind('@'), id.size())));
    } else if (equals_ignoring_case(field.name, "Date")) {
      const std::string date = mail::unfold(field.value);
      out.add('D', std::string_view(date).substr(date.size() - std::min<std::size_t>(date.size(), 6)));
      out.add('D', shape_of(date));
    } else if (lower(field.name).starts_with("x-") || equals_ignoring_case(field.name, "User-Agent") ||
               equals_ignoring_case(field.name, "List-Id") || equals_ignoring_case(field.name, "Sender") ||
               equals_ignoring_case(field.name, "Organization") || lower(field.name).starts_with("content-") ||
               equals_ignoring_case(field.name, "Precedence")) {
      room = 30;
      out.add_words('x', std::string(field.name) + " " + mail::unfold(field.value).substr(0, 200), room);
    }
  }
}

std::string text_of(const mail::mime_tree& tree, const mail::mime_part& part, std::size_t room) {
  const std::string_view raw = tree.view(part.body);
  std::string octets = mail::decode_body(part.encoding, raw, room);
  octets.resize(std::min(octets.size(), room));
  if (mail::is_ascii(octets)) return octets;
  const auto type = mail::parse_content_type(tree.view(part.content_type));
  if (const std::string* charset = type.find("charset"); charset && mail::is_known_charset(*charset)) {
    if (auto converted = mail::to_utf8(octets, *charset)) return std::move(*converted);
  }
  return mail::guess_utf8(octets);
}

void add_body(collector& out, std::string_view message) {
  const mail::mime_tree tree(message);
  std::size_t room = limits::spam_text, words = limits::spam_words;
  std::vector<std::string> hosts;
  for (const mail::mime_part& part : tree.parts()) {
    out.add('T', std::string(tree.type(part)) + "/" + std::string(tree.subtype(part)));
    out.add('E', tree.view(part.content_transfer_encoding));
    if (part.kind != mail::part_kind::leaf || !tree.is(part, "text") || room == 0) continue;
    const std::string text = text_of(tree, part, room);
    room -= std::min(room, text.size());
    append_link_hosts(hosts, text);
    if (!tree.is(part, "text", "html")) {
      out.add_words('w', text, words);
      continue;
    }
    std::string seen;
    append_html_text(seen, text, [&](std::string_view name, std::string_view attributes) {
      out.add('H', name);
      std::size_t few = 8;
      out.add_words('h', attributes.substr(0, 200), few);
    });
    out.add_words('w', seen, words);
  }
  for (const std::string& host : hosts) {
    for (std::string_view rest = host;;) {  // the host, and the domains above it
      out.add('U', rest);
      const std::size_t dot = rest.find('.');
      if (dot == rest.npos || rest.find('.', dot + 1) == rest.npos) break;
      rest.remove_prefix(dot + 1);
    }
  }
}

}  // namespace

std::vector<token> tokens_of(std::string_view message, const base::siphash_key& key) {
  collector out(key);
  add_header(out, message);
  add_body(out, message);
  return out.take();
}

base::hash128 identity_of(std::string_view message, const base::siphash_key& key) {
  const mail::header_block header(message);
  std::string all;
  for (const std::string_view name : {"Message-ID", "Date", "From", "Subject"}) {
    all += mail::unfold(header.value(name));
    all += '\0';
  }
  const base::hash128 body = base::siphash(key, message.substr(std::min(header.length(), message.size())));
  all.append(reinterpret_cast<const char*>(&body), sizeof body);
  return base::siphash(key, all);
}

}  // namespace briefwerk::filter
