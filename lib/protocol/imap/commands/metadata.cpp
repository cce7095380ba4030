#include <algorithm>

#include "briefwerk/base/limits/imap.hpp"
#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

namespace {

// §3.2: components separated by "/", the first one the scope. Names of a vendor have four components at least; those
// above them can be asked for with DEPTH.
bool is_entry(std::string_view name) noexcept {
  if (name.empty() || name.size() > base::limits::imap_entry_name || name.front() != '/' || name.back() == '/')
    return false;
  const auto wrong = [](char c) { return c < 0x20 || c > 0x7e || c == '*' || c == '%'; };
  if (std::ranges::any_of(name, wrong) || name.find("//") != name.npos) return false;
  const auto scope = name.substr(0, name.find('/', 1));
  return is_word(scope, "/PRIVATE") || is_word(scope, "/SHARED");
}

// Whether something can be noted under the name.
bool is_whole_entry(std::string_view name) noexcept {
  const auto components = std::ranges::count(name, '/');
  const auto rest = name.substr(std::min(name.find('/', 1), name.size()));
  const bool vendor = is_word(rest.substr(0, 7), "/VENDOR") && (rest.size() == 7 || rest[7] == '/');
  return components >= (vendor ? 4 : 2);
}

// getmetadata-options = "(" getmetadata-option *(SP getmetadata-option) ")"; "(" is taken.
bool read_options(scanner& in, get_metadata_command& get) {
  do {
    if (in.accept_word("MAXSIZE")) {
      std::uint64_t most = 0;
      if (!in.space() || !in.number64(most)) return false;
      get.max_size = most;
    } else if (in.accept_word("DEPTH")) {
      if (!in.space()) return false;
      if (in.accept_word("0"))
        get.depth = metadata_depth::entry;
      else if (in.accept_word("1"))
        get.depth = metadata_depth::children;
      else if (in.accept_word("INFINITY"))
        get.depth = metadata_depth::all;
      else
        return in.refuse(errc::bad_option);
    } else {
      return in.refuse(errc::bad_option);
    }
  } while (in.more());
  return in.expect(')');
}

// The rest of a list of entries; "(" is taken.
bool read_entry_list(scanner& in, std::span<const std::string_view>& entries) {
  arena_list<std::string_view> found(in.memory());
  do {
    std::string_view entry;
    if (!read_entry(in, entry)) return false;
    if (found.size() == base::limits::imap_entries) return in.refuse(errc::too_many);
    found.push_back(entry);
  } while (in.more());
  entries = found.view();
  return in.expect(')');
}

}  // namespace

bool read_entry(scanner& in, std::string_view& entry) {
  return in.astring(entry) && (is_entry(entry) || in.refuse(errc::bad_argument));
}

bool read_entries(scanner& in, std::span<const std::string_view>& entries) {
  return in.expect('(') && read_entry_list(in, entries);
}

// getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries. The examples of RFC 5464 §4.2 have the
// options behind the mailbox: both are taken.
base::result<command> parse_get_metadata(scanner& in) {
  get_metadata_command get;
  if (!in.space()) return in.failure();
  bool has_options = in.accept('(');
  if (has_options && (!read_options(in, get) || !in.space())) return in.failure();
  if (!in.mailbox(get.mailbox) || !in.space()) return in.failure();
  bool listed = in.accept('(');
  // No entry is an atom with a letter in front.
  if (listed && !has_options && in.peek() != '/' && in.peek() != '"' && in.peek() != '{') {
    if (!read_options(in, get) || !in.space()) return in.failure();
    listed = in.accept('(');
  }
  if (listed) {
    if (!read_entry_list(in, get.entries)) return in.failure();
  } else {
    arena_list<std::string_view> one(in.memory());
    std::string_view entry;
    if (!read_entry(in, entry)) return in.failure();
    one.push_back(entry);
    get.entries = one.view();
  }
  if (!in.end()) return in.failure();
  return get;
}

// setmetadata = "SETMETADATA" SP mailbox SP entry-values; entry-values = "(" entry-value *(SP entry-value) ")"
base::result<command> parse_set_metadata(scanner& in) {
  set_metadata_command set;
  if (!in.space() || !in.mailbox(set.mailbox) || !in.space() || !in.expect('(')) return in.failure();
  arena_list<metadata_value> values(in.memory());
  do {
    metadata_value one;
    if (!read_entry(in, one.entry) || !in.space() || !in.nstring8(one.value)) return in.failure();
    if (!is_whole_entry(one.entry)) return in.failure(errc::bad_argument);
    if (values.size() == base::limits::imap_entries) return in.failure(errc::too_many);
    values.push_back(one);
  } while (in.more());
  if (!in.expect(')') || !in.end()) return in.failure();
  set.values = values.view();
  return set;
}

}  // namespace briefwerk::protocol::imap
