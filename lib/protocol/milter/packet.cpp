#include "briefwerk/protocol/milter/packet.hpp"

#include <algorithm>

#include "briefwerk/base/limits/protocol.hpp"
#include "briefwerk/protocol/smtp/reply.hpp"

namespace briefwerk::protocol::milter {
namespace {

using base::errc;
using base::fail;
namespace limits = base::limits;

constexpr std::size_t usual_piece = 65535;

void append_number(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

std::uint32_t number_at(std::string_view octets) noexcept {
  std::uint32_t value = 0;
  for (const char c : octets.substr(0, 4)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

bool take_number(std::string_view& rest, std::uint32_t& value) noexcept {
  if (rest.size() < 4) return false;
  value = number_at(rest);
  rest.remove_prefix(4);
  return true;
}

bool take_string(std::string_view& rest, std::string_view& value) noexcept {
  const std::size_t end = rest.find('\0');
  if (end == rest.npos) return false;
  value = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

void append_string(std::string& out, std::string_view text) {
  out += text.substr(0, text.find('\0'));
  out += '\0';
}

// Begins a packet; the length is filled in at its end.
class writer {
 public:
  writer(std::string& out, command what) : out_(out), begin_(out.size()) {
    append_number(out_, 0);
    out_ += static_cast<char>(what);
  }
  ~writer() {
    std::string length;
    append_number(length, static_cast<std::uint32_t>(out_.size() - begin_ - 4));
    out_.replace(begin_, 4, length);
  }
  writer(const writer&) = delete;
  writer& operator=(const writer&) = delete;

 private:
  std::string& out_;
  std::size_t begin_;
};

bool is_separator(char c) noexcept { return c == ' ' || c == ',' || c == '\t'; }

// Names of macros, "{auth_type} i", between spaces or commas.
base::result<symbol_list> parse_symbols(std::string_view text) {
  symbol_list made;
  while (!text.empty()) {
    const auto end = static_cast<std::size_t>(std::ranges::find_if(text, is_separator) - text.begin());
    if (end != 0) {
      if (made.size() == limits::milter_symbols) return fail(errc::limit_exceeded);
      made.emplace_back(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return made;
}

base::status take_symbols(std::string_view& rest, stage& at, symbol_list& into) {
  std::uint32_t number = 0;
  std::string_view list;
  if (!take_number(rest, number) || number >= stage_count || !take_string(rest, list)) return fail(errc::malformed);
  auto read = parse_symbols(list);
  if (!read) return fail(read.error());
  at = static_cast<stage>(number);
  into = std::move(*read);
  return {};
}

std::string printable(std::string_view text) {
  std::string made(text.substr(0, limits::milter_reply_text));
  for (char& c : made) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return made;
}

bool is_field_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= limits::milter_header_name &&
         std::ranges::all_of(name, [](char c) { return c > 0x20 && c < 0x7f && c != ':'; });
}

bool is_code(std::string_view text) noexcept {
  return text.size() >= 3 && (text[0] == '4' || text[0] == '5') && text[1] >= '0' && text[1] <= '9' && text[2] >= '0' &&
         text[2] <= '9';
}

// One line of a reply: the text behind code and enhanced code. Sendmail doubles each "%".
void append_line(std::string& text, std::string_view line, std::string& enhanced) {
  line.remove_prefix(std::min<std::size_t>(line.size(), 4));
  std::size_t length = 0;
  if (const auto found = smtp::enhanced_code::parse_prefix(line, length)) {
    if (enhanced.empty()) enhanced = found->to_string();
    line.remove_prefix(std::min(line.size(), length + 1));
  }
  std::string clean = printable(line);
  for (std::size_t at = 0; (at = clean.find("%%", at)) != clean.npos; ++at) clean.erase(at, 1);
  if (!text.empty()) text += '\n';
  text += clean;
}

base::result<answer> parse_reply(std::string_view data) {
  std::string_view rest;
  if (!take_string(data, rest) || !data.empty() || !is_code(rest)) return fail(errc::malformed);
  if (rest.size() > limits::milter_reply_text) return fail(errc::limit_exceeded);
  const std::string_view code = rest.substr(0, 3);
  answer made{.what = answer_kind::reply};
  made.code = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.starts_with(code) || (line.size() > 3 && line[3] != ' ' && line[3] != '-')) return fail(errc::malformed);
    append_line(made.text, line, made.enhanced);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  // RFC 2034 §4: its class is that of the reply.
  if (!made.enhanced.empty() && made.enhanced[0] != code[0]) made.enhanced.clear();
  return made;
}

base::result<answer> parse_header_edit(std::string_view data, mail::edit_kind what) {
  answer made{.what = answer_kind::edit};
  made.edit.what = what;
  std::string_view name, value;
  if (what != mail::edit_kind::add_header && !take_number(data, made.edit.index)) return fail(errc::malformed);
  if (!take_string(data, name) || !take_string(data, value) || !data.empty()) return fail(errc::malformed);
  if (!is_field_name(name)) return fail(errc::malformed);
  made.edit.name = name;
  made.edit.value = value;
  return made;
}

// An address in brackets or without them, and what stands behind it.
base::result<answer> parse_address_edit(std::string_view data, mail::edit_kind what, bool with_parameters) {
  answer made{.what = answer_kind::edit};
  made.edit.what = what;
  std::string_view address, parameters;
  if (!take_string(data, address)) return fail(errc::malformed);
  if (with_parameters && !data.empty() && !take_string(data, parameters)) return fail(errc::malformed);
  if (!data.empty()) return fail(errc::malformed);
  if (address.starts_with('<') && address.ends_with('>')) {
    address.remove_prefix(1);
    address.remove_suffix(1);
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::ranges::any_of(address, is_control) || std::ranges::any_of(parameters, is_control)) return fail(errc::malformed);
  made.edit.name = address;
  made.edit.value = parameters;
  return made;
}

base::result<answer> parse_quarantine(std::string_view data) {
  std::string_view why;
  if (!take_string(data, why) || !data.empty()) return fail(errc::malformed);
  return answer{.what = answer_kind::quarantine, .text = printable(why)};
}

base::result<answer> parse_new_symbols(std::string_view data) {
  answer made{.what = answer_kind::symbols};
  if (auto taken = take_symbols(data, made.at, made.symbols); !taken) return fail(taken.error());
  if (!data.empty()) return fail(errc::malformed);
  return made;
}

struct bare_answer {
  char letter;
  answer_kind what;
};
constexpr bare_answer bare_answers[] = {
    {'a', answer_kind::accept},    {'c', answer_kind::proceed},    {'d', answer_kind::discard},
    {'f', answer_kind::connection_failed}, {'p', answer_kind::progress}, {'r', answer_kind::reject},
    {'s', answer_kind::skip},      {'t', answer_kind::defer},      {'4', answer_kind::shut_down},
};

// Which bits there were in which version of libmilter.
std::uint32_t steps_of(std::uint32_t version) noexcept {
  constexpr std::uint32_t of_version_2 = 0x7f;
  if (version >= 6) return ~0u;
  std::uint32_t known = of_version_2;
  if (version >= 3) known |= steps::no_unknown;
  if (version >= 4) known |= steps::no_data | steps::silent_header;
  return known;
}

}  // namespace

std::size_t agreement::piece_size() const noexcept {
  if (has(steps::data_1m)) return (1u << 20) - 1;
  if (has(steps::data_256k)) return (256u << 10) - 1;
  return usual_piece;
}

void append_packet(std::string& out, command what, std::string_view data) {
  const writer one(out, what);
  out += data;
}

void append_strings(std::string& out, command what, std::span<const std::string_view> strings) {
  const writer one(out, what);
  for (const std::string_view text : strings) append_string(out, text);
}

void append_offer(std::string& out, const offer& made) {
  const writer one(out, command::negotiate);
  append_number(out, made.version);
  append_number(out, made.actions);
  append_number(out, made.steps);
}

void append_connect(std::string& out, const connect_data& from) {
  const writer one(out, command::connect);
  append_string(out, from.host);
  out += from.family;
  if (from.family == 'U') return;
  out += static_cast<char>(from.port >> 8);
  out += static_cast<char>(from.port & 0xff);
  append_string(out, from.address);
}

void append_macros(std::string& out, command before, std::span<const macro> macros) {
  const writer one(out, command::macros);
  out += static_cast<char>(before);
  for (const macro& each : macros) {
    append_string(out, each.name);
    append_string(out, each.value);
  }
}

void packet_reader::feed(std::string_view octets) {
  octets_.erase(0, begin_);
  begin_ = 0;
  if (!failed_) octets_ += octets;
}

base::result<std::optional<packet>> packet_reader::next() {
  if (failed_) return fail(failed_);
  const std::string_view rest = std::string_view(octets_).substr(begin_);
  if (rest.size() < 4) return std::nullopt;
  const std::size_t length = number_at(rest);
  if (length == 0) failed_ = make_error_code(errc::malformed);
  if (length > limits::milter_packet) failed_ = make_error_code(errc::limit_exceeded);
  if (failed_) return fail(failed_);
  if (rest.size() - 4 < length) return std::nullopt;
  begin_ += 4 + length;
  return packet{rest[4], rest.substr(5, length - 1)};
}

base::result<agreement> parse_agreement(const packet& from, const offer& made) {
  std::string_view rest = from.data;
  agreement read;
  if (from.what != static_cast<char>(command::negotiate) || !take_number(rest, read.version) ||
      !take_number(rest, read.actions) || !take_number(rest, read.steps)) {
    return fail(errc::malformed);
  }
  if (read.version < oldest_version || read.version > made.version) return fail(errc::unsupported);
  if ((read.actions & ~made.actions) != 0 || (read.steps & ~made.steps) != 0) return fail(errc::unsupported);
  read.steps &= steps_of(read.version);
  while (!rest.empty()) {
    stage at{};
    symbol_list list;
    if (auto taken = take_symbols(rest, at, list); !taken) return fail(taken.error());
    read.symbols[static_cast<std::size_t>(at)] = std::move(list);
  }
  return read;
}

base::result<answer> parse_answer(const packet& from) {
  const auto bare = std::ranges::find(bare_answers, from.what, &bare_answer::letter);
  if (bare != std::end(bare_answers)) {
    if (!from.data.empty()) return fail(errc::malformed);
    return answer{.what = bare->what};
  }
  switch (from.what) {
    case 'y': return parse_reply(from.data);
    case 'h': return parse_header_edit(from.data, mail::edit_kind::add_header);
    case 'i': return parse_header_edit(from.data, mail::edit_kind::insert_header);
    case 'm': return parse_header_edit(from.data, mail::edit_kind::change_header);
    case 'e': return parse_address_edit(from.data, mail::edit_kind::change_sender, true);
    case '+': return parse_address_edit(from.data, mail::edit_kind::add_recipient, false);
    case '2': return parse_address_edit(from.data, mail::edit_kind::add_recipient, true);
    case '-': return parse_address_edit(from.data, mail::edit_kind::remove_recipient, false);
    case 'b': return answer{.what = answer_kind::body, .octets = from.data};
    case 'q': return parse_quarantine(from.data);
    case 'l': return parse_new_symbols(from.data);
    default: return fail(errc::malformed);
  }
}

}  // namespace briefwerk::protocol::milter
