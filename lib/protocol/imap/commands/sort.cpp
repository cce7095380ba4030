#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/commands/search_parts.hpp"

namespace briefwerk::protocol::imap {
namespace {

struct field_name {
  std::string_view name;
  sort_field field;
};
constexpr field_name fields[] = {
    {"ARRIVAL", sort_field::arrival},
    {"CC", sort_field::cc},
    {"DATE", sort_field::date},
    {"FROM", sort_field::from},
    {"SIZE", sort_field::size},
    {"SUBJECT", sort_field::subject},
    {"TO", sort_field::to},
    {"DISPLAYFROM", sort_field::display_from},
    {"DISPLAYTO", sort_field::display_to},
    {"RELEVANCY", sort_field::relevancy},
};
// Every field once in each direction says all that can be said.
constexpr std::size_t most_keys = 2 * std::size(fields);

// sort-criteria = "(" sort-criterion *(SP sort-criterion) ")"; sort-criterion = ["REVERSE" SP] sort-key
bool read_keys(scanner& in, sort_command& sort) {
  arena_list<sort_key> keys(in.memory());
  if (!in.expect('(')) return false;
  do {
    sort_key key;
    std::string_view name;
    if (in.accept_word("REVERSE")) {
      key.reverse = true;
      if (!in.space()) return false;
    }
    if (!in.atom(name)) return false;
    const field_name* found = nullptr;
    for (const auto& candidate : fields)
      if (is_word(name, candidate.name)) found = &candidate;
    if (found == nullptr) return in.refuse(errc::bad_option);
    if (keys.size() == most_keys) return in.refuse(errc::too_many);
    key.field = found->field;
    keys.push_back(key);
  } while (in.more());
  sort.keys = keys.view();
  return in.expect(')');
}

}  // namespace

// sort = "SORT" SP [sort-return-opts SP] sort-criteria SP search-criteria; search-criteria = charset 1*(SP search-key)
// (RFC 5256 §5, RFC 5267 §6)
base::result<command> parse_sort(scanner& in, bool by_uid) {
  sort_command sort;
  sort.search.by_uid = by_uid;
  std::string_view charset;
  if (!in.space()) return in.failure();
  if (in.accept_text("RETURN ") && !read_search_returns(in, sort.search)) return in.failure();
  if (!read_keys(in, sort) || !in.space() || !in.astring(charset) || !in.space() ||
      !read_search_program(in, charset, sort.search.program) || !in.end()) {
    if (!keep_refused(in, sort.search)) return in.failure();
    return sort;
  }
  for (const auto& key : sort.keys)
    if (key.field == sort_field::relevancy && !sort.search.program.is_fuzzy()) return in.failure(errc::bad_option);
  if (!may_return_relevancy(sort.search)) return in.failure(errc::bad_option);
  return sort;
}

}  // namespace briefwerk::protocol::imap
