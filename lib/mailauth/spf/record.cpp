// The record: RFC 7208 §4.6.1 and the grammar of §12.

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "briefwerk/mailauth/spf.hpp"
#include "mail/ascii.hpp"
#include "mailauth/printable.hpp"
#include "mailauth/spf/macro.hpp"

namespace briefwerk::mailauth::spf {
namespace {

namespace ascii = mail::ascii;

using done = std::expected<void, syntax_error>;

std::unexpected<syntax_error> bad(std::size_t position, std::string problem) {
  return std::unexpected(syntax_error{position, printable(std::move(problem))});
}

struct mechanism_name {
  std::string_view name;
  mechanism_kind kind;
};
constexpr std::array<mechanism_name, 8> mechanism_names = {{{"all", mechanism_kind::all},
                                                            {"include", mechanism_kind::include},
                                                            {"a", mechanism_kind::a},
                                                            {"mx", mechanism_kind::mx},
                                                            {"ptr", mechanism_kind::ptr},
                                                            {"ip4", mechanism_kind::ip4},
                                                            {"ip6", mechanism_kind::ip6},
                                                            {"exists", mechanism_kind::exists}}};

constexpr std::string_view qualifiers = "+-~?";
constexpr std::array<outcome, 4> qualifier_results = {outcome::pass, outcome::fail, outcome::softfail,
                                                      outcome::neutral};

// Takes "/" and a number of at most three digits without leading zeros from the end; nothing when there is none.
std::optional<int> take_prefix(std::string_view& text) {
  std::size_t digits = 0;
  while (digits < text.size() && ascii::is_digit(text[text.size() - 1 - digits])) ++digits;
  if (digits == 0 || digits == text.size() || text[text.size() - 1 - digits] != '/') return {};
  const std::string_view number = text.substr(text.size() - digits);
  if (digits > 1 && number[0] == '0') return {};
  int value = 0;
  for (const char c : number) value = std::min(value * 10 + (c - '0'), 1000);
  text.remove_suffix(digits + 1);
  return value;
}

// One term, between spaces.
class term_reader {
 public:
  term_reader(std::string_view term, std::size_t offset, record& into) : term_(term), offset_(offset), into_(into) {}

  done read() {
    const std::size_t name = modifier_name_length();
    if (name != 0) return read_modifier(name);
    return read_directive();
  }

 private:
  std::size_t position_of(std::string_view part) const noexcept {
    return offset_ + static_cast<std::size_t>(part.data() - term_.data());
  }

  // name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." ), up to a "="; 0 when the term is no modifier.
  std::size_t modifier_name_length() const noexcept {
    if (!ascii::is_alpha(term_[0])) return 0;
    for (std::size_t i = 1; i < term_.size(); ++i) {
      const char c = term_[i];
      if (c == '=') return i;
      if (!ascii::is_alpha(c) && !ascii::is_digit(c) && c != '-' && c != '_' && c != '.') return 0;
    }
    return 0;
  }

  done read_modifier(std::size_t name_length) {
    const std::string name = ascii::to_lower(term_.substr(0, name_length));
    const bool redirect = name == "redirect";
    const bool known = redirect || name == "exp";
    auto value = parse_macro_string(term_.substr(name_length + 1), known ? macro_place::domain : macro_place::modifier,
                                    offset_ + name_length + 1);
    if (!value) return std::unexpected(std::move(value.error()));
    if (!known) {
      into_.unknown.push_back({name, std::move(*value)});
      return {};
    }
    // §6: these two MUST NOT appear more than once.
    std::optional<macro_string>& place = redirect ? into_.redirect : into_.explanation;
    if (place) return bad(offset_, "\"" + name + "=\" stands twice");
    place = std::move(*value);
    return {};
  }

  done read_directive() {
    mechanism out;
    out.position = offset_;
    out.text = term_;
    std::string_view rest = term_;
    if (const std::size_t at = qualifiers.find(rest[0]); at != std::string_view::npos) {
      out.result = qualifier_results[at];
      rest.remove_prefix(1);
    }
    const std::string_view name = rest.substr(0, rest.find_first_of(":/"));
    const auto found =
        std::ranges::find_if(mechanism_names, [name](const auto& each) { return ascii::equals(each.name, name); });
    if (found == mechanism_names.end())
      return bad(position_of(rest), "unknown mechanism \"" + std::string(name) + "\"");
    out.kind = found->kind;
    rest.remove_prefix(name.size());
    const done read = read_argument(out, rest);
    if (read) into_.mechanisms.push_back(std::move(out));
    return read;
  }

  done read_argument(mechanism& out, std::string_view rest) {
    switch (out.kind) {
      case mechanism_kind::all:
        if (!rest.empty()) return bad(position_of(rest), "\"all\" takes no argument");
        return {};
      case mechanism_kind::ip4:
      case mechanism_kind::ip6:
        return read_network(out, rest);
      case mechanism_kind::a:
      case mechanism_kind::mx: {
        const done prefixes = take_prefixes(out, rest);
        if (!prefixes) return prefixes;
        return rest.empty() ? done() : read_domain(out, rest);
      }
      case mechanism_kind::ptr:
        return rest.empty() ? done() : read_domain(out, rest);
      case mechanism_kind::include:
      case mechanism_kind::exists:
        return read_domain(out, rest);
    }
    return {};
  }

  // ":" domain-spec
  done read_domain(mechanism& out, std::string_view rest) {
    if (rest.empty()) return bad(position_of(rest), "domain missing");
    if (rest[0] != ':') return bad(position_of(rest), "\":\" and a domain expected");
    const std::string_view text = rest.substr(1);
    auto domain = parse_macro_string(text, macro_place::domain, position_of(text));
    if (!domain) return std::unexpected(std::move(domain.error()));
    out.domain = std::move(*domain);
    return {};
  }

  // dual-cidr-length = [ "/" 0-32 ] [ "//" 0-128 ], at the end, since a domain-spec may hold slashes.
  done take_prefixes(mechanism& out, std::string_view& rest) {
    std::string_view shorter = rest;
    std::optional<int> prefix = take_prefix(shorter);
    if (prefix && shorter.ends_with('/')) {
      if (*prefix > 128) return bad(position_of(shorter.substr(shorter.size() - 1)), "IPv6 prefix longer than 128");
      out.prefix_v6 = *prefix;
      shorter.remove_suffix(1);
      rest = shorter;
      prefix = take_prefix(shorter);
    }
    if (!prefix) return {};
    if (*prefix > 32) return bad(position_of(rest) + shorter.size(), "IPv4 prefix longer than 32");
    out.prefix_v4 = *prefix;
    rest = shorter;
    return {};
  }

  done read_network(mechanism& out, std::string_view rest) {
    const bool v6 = out.kind == mechanism_kind::ip6;
    if (rest.empty() || rest[0] != ':') return bad(position_of(rest), "\":\" and an address expected");
    std::string_view text = rest.substr(1);
    const std::optional<int> prefix = take_prefix(text);
    const int most = v6 ? 128 : 32;
    if (prefix && *prefix > most)
      return bad(position_of(text) + text.size(), "prefix longer than " + std::to_string(most));
    const base::result<base::ip_address> address = base::ip_address::parse(text);
    const bool colons = text.find(':') != std::string_view::npos;
    if (!address || colons != v6)
      return bad(position_of(text),
                 std::string("no IPv") + (v6 ? "6" : "4") + " address: \"" + std::string(text) + "\"");
    out.network = {*address, prefix.value_or(most)};
    // An IPv4-mapped network (§5: such clients count as IPv4) holds no IPv6 client, unless its prefix ends in front
    // of the mapped part.
    if (v6 && address->is_v4()) {
      std::array<std::uint8_t, 16> octets{};
      octets[10] = octets[11] = 0xff;
      for (int bit = out.network.prefix; bit < 96; ++bit)
        octets[static_cast<std::size_t>(bit / 8)] &= static_cast<std::uint8_t>(~(0x80 >> (bit % 8)));
      if (out.network.prefix < 96)
        out.network.address = base::ip_address::v6(octets);
      else
        out.network.prefix -= 96;
    }
    return {};
  }

  std::string_view term_;
  std::size_t offset_;
  record& into_;
};

constexpr std::string_view version = "v=spf1";

}  // namespace

bool is_record(std::string_view text) noexcept {
  if (!ascii::equals(text.substr(0, version.size()), version)) return false;
  return text.size() == version.size() || text[version.size()] == ' ';
}

std::expected<record, syntax_error> parse_record(std::string_view text) {
  if (!is_record(text)) return bad(0, "does not begin with \"v=spf1\"");
  if (text.size() > base::limits::spf_record) return bad(base::limits::spf_record, "record too long");
  record out;
  std::size_t at = version.size();
  while (at < text.size()) {
    if (text[at] == ' ') {  // §12: spaces only; a tab is part of a term, and no term may hold it
      ++at;
      continue;
    }
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const done read = term_reader(text.substr(at, end - at), at, out).read();
    if (!read) return std::unexpected(read.error());
    at = end;
  }
  return out;
}

std::expected<macro_string, syntax_error> parse_explanation(std::string_view text) {
  if (text.size() > base::limits::spf_record) return bad(base::limits::spf_record, "explanation too long");
  return parse_macro_string(text, macro_place::explanation, 0);
}

}  // namespace briefwerk::mailauth::spf
