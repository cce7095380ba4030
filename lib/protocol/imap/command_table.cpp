// Which command may come in which state (RFC 9051 §6.1 to §6.4), the head that all commands share, and the literal at the
// end of a line.

#include <array>

#include "briefwerk/protocol/imap/parser.hpp"
#include "protocol/imap/characters.hpp"

namespace briefwerk::protocol::imap {
namespace {

constexpr std::uint8_t logged_in = in_authenticated | in_selected;

// By first letter.
constexpr command_rule rules[] = {
    {"APPEND", command_kind::append, logged_in, false},
    {"AUTHENTICATE", command_kind::authenticate, in_not_authenticated, false},
    {"CANCELUPDATE", command_kind::cancel_update, in_selected, false},  // RFC 5267 §4.3.5
    {"CAPABILITY", command_kind::capability, in_any, false},
    {"CHECK", command_kind::check, in_selected, false},  // RFC 3501 §6.4.1
    {"CLOSE", command_kind::close, in_selected, false},
    {"COMPRESS", command_kind::compress, logged_in, false},  // RFC 4978
    {"COPY", command_kind::copy, in_selected, true},
    {"CREATE", command_kind::create, logged_in, false},
    {"DELETE", command_kind::delete_, logged_in, false},
    {"DELETEACL", command_kind::delete_acl, logged_in, false},  // RFC 4314
    {"ENABLE", command_kind::enable, logged_in, false},  // RFC 5161: authenticated; RFC 9051 §6.3: selected as well
    {"ESEARCH", command_kind::multisearch, logged_in, true},  // RFC 7377
    {"EXAMINE", command_kind::examine, logged_in, false},
    {"EXPUNGE", command_kind::expunge, in_selected, true},
    {"FETCH", command_kind::fetch, in_selected, true},
    {"GETACL", command_kind::get_acl, logged_in, false},
    {"GETMETADATA", command_kind::get_metadata, logged_in, false},
    {"GETQUOTA", command_kind::get_quota, logged_in, false},
    {"GETQUOTAROOT", command_kind::get_quota_root, logged_in, false},
    {"ID", command_kind::id, in_any, false},  // RFC 2971 §3.1
    {"IDLE", command_kind::idle, logged_in, false},
    {"LIST", command_kind::list, logged_in, false},
    {"LISTRIGHTS", command_kind::list_rights, logged_in, false},
    {"LOGIN", command_kind::login, in_not_authenticated, false},
    {"LOGOUT", command_kind::logout, in_any, false},
    {"LSUB", command_kind::lsub, logged_in, false},
    {"MOVE", command_kind::move, in_selected, true},
    {"MYRIGHTS", command_kind::my_rights, logged_in, false},
    {"NAMESPACE", command_kind::namespace_, logged_in, false},
    {"NOOP", command_kind::noop, in_any, false},
    {"NOTIFY", command_kind::notify, logged_in, false},  // RFC 5465
    {"RENAME", command_kind::rename, logged_in, false},
    {"REPLACE", command_kind::replace, in_selected, true},  // RFC 8508
    {"SEARCH", command_kind::search, in_selected, true},
    {"SELECT", command_kind::select, logged_in, false},
    {"SETACL", command_kind::set_acl, logged_in, false},
    {"SETMETADATA", command_kind::set_metadata, logged_in, false},
    {"SETQUOTA", command_kind::set_quota, logged_in, false},
    {"SORT", command_kind::sort, in_selected, true},
    {"STARTTLS", command_kind::starttls, in_not_authenticated, false},
    {"STATUS", command_kind::status, logged_in, false},
    {"STORE", command_kind::store, in_selected, true},
    {"SUBSCRIBE", command_kind::subscribe, logged_in, false},
    {"THREAD", command_kind::thread, in_selected, true},
    {"UNAUTHENTICATE", command_kind::unauthenticate, logged_in, false},  // RFC 8437 §3
    {"UNSELECT", command_kind::unselect, in_selected, false},
    {"UNSUBSCRIBE", command_kind::unsubscribe, logged_in, false},
};

// Rules that begin with letter i stand at index[i] to index[i + 1] - 1.
constexpr auto make_index() {
  std::array<std::uint8_t, 27> index{};
  std::uint8_t at = 0;
  for (unsigned letter = 0; letter < 26; ++letter) {
    index[letter] = at;
    while (at < std::size(rules) && rules[at].name[0] == static_cast<char>('A' + letter)) ++at;
  }
  index[26] = at;
  return index;
}
constexpr auto first_letter = make_index();
static_assert(first_letter[26] == std::size(rules), "the rules are sorted by first letter");

}  // namespace

const command_rule* find_rule(std::string_view name) noexcept {
  if (name.empty()) return nullptr;
  const auto letter = static_cast<unsigned>(to_upper(name[0]) - 'A');
  if (letter > 25) return nullptr;
  for (auto i = first_letter[letter]; i < first_letter[letter + 1]; ++i) {
    if (is_word(name, rules[i].name)) return &rules[i];
  }
  return nullptr;
}

// command = tag SP name …; tag = 1*<any ASTRING-CHAR except "+">
base::status parse_head(std::string_view line, command_head& head) noexcept {
  head = {};
  std::size_t at = 0;
  const auto word = [&](std::uint8_t classes) {
    const auto start = at;
    while (at < line.size() && has_class(line[at], classes)) ++at;
    return line.substr(start, at - start);
  };
  const auto tag = word(in_tag);
  if (tag.empty() || tag.size() > 255 || (at < line.size() && line[at] != ' ')) return base::fail(errc::bad_tag);
  head.tag = tag;
  if (at == line.size()) return base::fail(errc::missing_argument);
  ++at;
  head.name = word(in_atom);
  if (is_word(head.name, "UID")) {
    head.uid = true;
    if (at == line.size() || line[at] != ' ') return base::fail(errc::missing_argument);
    ++at;
    head.name = word(in_atom);
  }
  head.arguments = at;
  if (at < line.size() && line[at] != ' ') return base::fail(errc::bad_argument);
  const auto* rule = find_rule(head.name);
  if (rule == nullptr || (head.uid && !rule->takes_uid)) return base::fail(errc::unknown_command);
  head.rule = rule;
  return {};
}

std::optional<literal_mark> find_literal(std::string_view line) noexcept {
  if (line.empty() || line.back() != '}') return {};
  auto at = line.size() - 1;
  literal_mark mark;
  if (at != 0 && line[at - 1] == '+') {
    mark.synchronising = false;
    --at;
  }
  const auto end = at;
  while (at != 0 && has_class(line[at - 1], is_digit)) --at;
  if (at == end || at == 0 || line[at - 1] != '{') return {};
  constexpr auto most = (std::uint64_t{1} << 63) - 1;
  for (auto i = at; i < end; ++i) {
    const auto digit = static_cast<std::uint64_t>(line[i] - '0');
    mark.size = mark.size > (most - digit) / 10 ? most : mark.size * 10 + digit;
  }
  mark.start = at - 1;
  mark.binary = mark.start != 0 && line[mark.start - 1] == '~';
  return mark;
}

}  // namespace briefwerk::protocol::imap
