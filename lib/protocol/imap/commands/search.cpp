#include <algorithm>

#include "briefwerk/mail/charset.hpp"
#include "protocol/imap/commands/commands.hpp"
#include "protocol/imap/commands/fetch_parts.hpp"
#include "protocol/imap/commands/search_parts.hpp"

namespace briefwerk::protocol::imap {

namespace {

enum class argument : std::uint8_t { none, text, date, number, seconds, keyword, header, set, uid, one_key, two_keys, modseq, id };

struct key_rule {
  std::string_view name;
  search_key key;
  argument takes = argument::none;
  mail::flag_set flags = 0;
  bool negated = false;  // stands for NOT of the key
};
namespace f = mail::flags;
constexpr key_rule keys[] = {
    {"ALL", search_key::all},
    {"UNSEEN", search_key::flags_clear, argument::none, f::seen},
    {"SEEN", search_key::flags_set, argument::none, f::seen},
    {"UID", search_key::uid, argument::set},
    {"SINCE", search_key::since, argument::date},
    {"DELETED", search_key::flags_set, argument::none, f::deleted},
    {"UNDELETED", search_key::flags_clear, argument::none, f::deleted},
    {"HEADER", search_key::header, argument::header},
    {"FROM", search_key::from, argument::text},
    {"TO", search_key::to, argument::text},
    {"SUBJECT", search_key::subject, argument::text},
    {"TEXT", search_key::text, argument::text},
    {"BODY", search_key::body, argument::text},
    {"CC", search_key::cc, argument::text},
    {"BCC", search_key::bcc, argument::text},
    {"NOT", search_key::none_of, argument::one_key},
    {"OR", search_key::any_of, argument::two_keys},
    {"BEFORE", search_key::before, argument::date},
    {"ON", search_key::on, argument::date},
    {"SENTBEFORE", search_key::sent_before, argument::date},
    {"SENTON", search_key::sent_on, argument::date},
    {"SENTSINCE", search_key::sent_since, argument::date},
    {"SAVEDBEFORE", search_key::saved_before, argument::date},
    {"SAVEDON", search_key::saved_on, argument::date},
    {"SAVEDSINCE", search_key::saved_since, argument::date},
    {"SAVEDATESUPPORTED", search_key::all},
    {"ANSWERED", search_key::flags_set, argument::none, f::answered},
    {"UNANSWERED", search_key::flags_clear, argument::none, f::answered},
    {"FLAGGED", search_key::flags_set, argument::none, f::flagged},
    {"UNFLAGGED", search_key::flags_clear, argument::none, f::flagged},
    {"DRAFT", search_key::flags_set, argument::none, f::draft},
    {"UNDRAFT", search_key::flags_clear, argument::none, f::draft},
    {"KEYWORD", search_key::keyword, argument::keyword},
    {"UNKEYWORD", search_key::keyword, argument::keyword, 0, true},
    {"LARGER", search_key::larger, argument::number},
    {"SMALLER", search_key::smaller, argument::number},
    {"YOUNGER", search_key::younger, argument::seconds},
    {"OLDER", search_key::older, argument::seconds},
    {"RECENT", search_key::recent},
    {"OLD", search_key::recent, argument::none, 0, true},
    {"MODSEQ", search_key::modseq, argument::modseq},
    {"EMAILID", search_key::email_id, argument::id},
    {"THREADID", search_key::thread_id, argument::id},
    {"UIDAFTER", search_key::uid_after, argument::uid},
    {"UIDBEFORE", search_key::uid_before, argument::uid},
};

class program_reader {
 public:
  program_reader(scanner& in, std::string_view charset) : in_(in), nodes_(in.memory()), charset_(charset) {}

  // search-key *(SP search-key), to the end of the command.
  bool read(search_program& program) {
    if (!add({.key = search_key::all_of})) return false;
    do {
      if (!read_key(1)) return false;
    } while (in_.more());
    close(0);
    program.nodes = nodes_.view();
    return true;
  }

 private:
  bool add(const search_node& node) {
    if (nodes_.size() == base::limits::imap_search_keys) return in_.refuse(errc::too_many);
    nodes_.push_back(node);
    nodes_[nodes_.size() - 1].fuzzy = fuzzy_ != 0;
    nodes_[nodes_.size() - 1].end = static_cast<std::uint32_t>(nodes_.size());
    return true;
  }
  void close(std::size_t node) { nodes_[node].end = static_cast<std::uint32_t>(nodes_.size()); }

  bool read_key(std::size_t depth) {
    if (depth > base::limits::imap_search_depth) return in_.refuse(errc::too_deep);
    const char c = in_.peek();
    if (c == '(') return read_list(depth);
    if (has_class(c, is_digit) || c == '*' || c == '$') {
      search_node node{.key = search_key::sequence};
      return in_.set(node.set) && add(node);
    }
    std::string_view name;
    if (!in_.run(name, in_atom, errc::bad_search_key)) return false;
    if (is_word(name, "FUZZY")) return read_fuzzy(depth);
    if (is_word(name, "NEW")) {  // RECENT UNSEEN
      const auto at = nodes_.size();
      if (!add({.key = search_key::all_of}) || !add({.key = search_key::recent}) ||
          !add({.key = search_key::flags_clear, .flags = f::seen})) {
        return false;
      }
      return close(at), true;
    }
    for (const auto& rule : keys) {
      if (is_word(name, rule.name)) return rule.negated ? read_negated(rule, depth) : read_leaf(rule, depth);
    }
    return in_.refuse(errc::bad_search_key);
  }

  // RFC 6203 §7: "FUZZY" SP search-key
  bool read_fuzzy(std::size_t depth) {
    if (!in_.space()) return false;
    ++fuzzy_;
    const bool read = read_key(depth + 1);
    --fuzzy_;
    return read;
  }

  // flag-keyword = atom; programs that quote all they search for quote it too.
  bool read_keyword(std::string_view& keyword) {
    if (in_.peek() != '"') return in_.run(keyword, in_atom, errc::bad_flag);
    if (!in_.string(keyword)) return false;
    const bool is_atom = !keyword.empty() && std::ranges::all_of(keyword, [](char c) { return has_class(c, in_atom); });
    return is_atom || in_.refuse(errc::bad_flag);
  }

  // "(" search-key *(SP search-key) ")"
  bool read_list(std::size_t depth) {
    const auto at = nodes_.size();
    if (!in_.open() || !add({.key = search_key::all_of})) return false;
    do {
      if (!read_key(depth + 1)) return false;
    } while (in_.more());
    close(at);
    return in_.expect(')');
  }

  bool read_negated(const key_rule& rule, std::size_t depth) {
    const auto at = nodes_.size();
    if (!add({.key = search_key::none_of}) || !read_leaf(rule, depth + 1)) return false;
    return close(at), true;
  }

  bool read_leaf(const key_rule& rule, std::size_t depth) {
    search_node node{.key = rule.key, .flags = rule.flags};
    std::uint64_t number = 0;
    std::uint32_t uid = 0;
    if (rule.takes == argument::one_key || rule.takes == argument::two_keys) {
      const auto at = nodes_.size();
      if (!add(node) || !in_.space() || !read_key(depth + 1)) return false;
      if (rule.takes == argument::two_keys && (!in_.space() || !read_key(depth + 1))) return false;
      return close(at), true;
    }
    if (rule.takes != argument::none && !in_.space()) return false;
    switch (rule.takes) {
      case argument::text:
        if (!read_text(node.text)) return false;
        break;
      case argument::date:
        if (!in_.date(node.number)) return false;
        break;
      case argument::number:
      case argument::seconds:
        if (!in_.number64(number, rule.takes == argument::number)) return false;
        break;
      case argument::keyword:
      case argument::id:
        if (!read_keyword(node.text)) return false;
        break;
      case argument::header:
        if (!in_.astring(node.field) || !in_.space() || !read_text(node.text)) return false;
        break;
      case argument::set:
        if (!in_.set(node.set)) return false;
        break;
      case argument::uid:
        if (!in_.number(uid, false)) return false;
        number = uid;
        break;
      case argument::modseq:
        if (!read_modseq(number)) return false;
        break;
      default: break;
    }
    if (number != 0) node.number = static_cast<std::int64_t>(number);
    return add(node);
  }

  // RFC 7162 §3.1.5: [entry-name SP entry-type-req SP] mod-sequence-valzer. Flags have one modseq together here.
  bool read_modseq(std::uint64_t& number) {
    if (in_.peek() == '"') {
      std::string_view entry, type;
      if (!in_.string(entry) || !in_.space() || !in_.atom(type) || !in_.space()) return false;
    }
    return in_.number64(number);
  }

  bool read_text(std::string_view& text);

  scanner& in_;
  arena_list<search_node> nodes_;
  std::string_view charset_;
  unsigned fuzzy_ = 0;  // how often FUZZY stands before the key that is read
};

bool program_reader::read_text(std::string_view& text) {
  if (!in_.astring(text)) return false;
  if (charset_.empty()) return true;
  const auto converted = mail::to_utf8(text, charset_);
  if (!converted) return in_.refuse(errc::bad_charset);
  text = in_.memory().copy(*converted);
  return true;
}

}  // namespace

bool read_result_range(scanner& in, result_range& out) {
  const bool negative = in.peek() == '-';
  std::uint32_t first = 0, last = 0;
  if ((negative && !in.accept('-')) || !in.number(first, false) || !in.expect(':')) return false;
  if (negative && !in.expect('-')) return false;
  if (!in.number(last, false)) return false;
  if (first > last) std::swap(first, last);
  out = negative ? result_range{-std::int64_t{first}, -std::int64_t{last}} : result_range{first, last};
  return true;
}

// RFC 4731 §3.1, RFC 5182 §2, RFC 5267 §4.
bool read_search_returns(scanner& in, search_command& search) {
  search.extended = true;
  if (!in.expect('(')) return false;
  if (!in.accept(')')) {
    do {
      if (in.accept_word("MIN")) search.returns |= return_min;
      else if (in.accept_word("MAX")) search.returns |= return_max;
      else if (in.accept_word("ALL")) search.returns |= return_all;
      else if (in.accept_word("COUNT")) search.returns |= return_count;
      else if (in.accept_word("SAVE")) search.returns |= return_save;
      else if (in.accept_word("RELEVANCY")) search.returns |= return_relevancy;
      else if (in.accept_word("UPDATE")) {
        search.returns |= return_update;
        if (in.accept_text(" (") && !read_fetch_list(in, search.update_items, search.update_kinds)) return false;
      }
      else if (in.accept_word("CONTEXT")) continue;  // a hint (§4.2)
      else if ((search.returns & return_partial) == 0 && in.accept_word("PARTIAL")) {
        search.returns |= return_partial;
        if (!in.space() || !read_result_range(in, search.partial)) return false;
      } else {
        return in.refuse(errc::bad_option);
      }
    } while (in.more());
    if (!in.expect(')')) return false;
  }
  // RFC 9394 §3.1: one of the two.
  if ((search.returns & return_all) != 0 && (search.returns & return_partial) != 0) return in.refuse(errc::bad_option);
  if (search.returns == 0) search.returns = return_all;
  return in.space();
}

bool read_search_program(scanner& in, std::string_view charset, search_program& program) {
  if (is_word(charset, "UTF-8") || is_word(charset, "US-ASCII")) charset = {};
  else if (!charset.empty() && !mail::is_known_charset(charset)) return in.refuse(errc::bad_charset);
  return program_reader(in, charset).read(program);
}

bool read_search_arguments(scanner& in, search_command& search) {
  if (in.accept_text("RETURN ") && !read_search_returns(in, search)) return false;
  std::string_view charset;
  if (in.accept_text("CHARSET ")) {
    if (in.options().utf8_accepted) return in.refuse(errc::bad_option);
    if (!in.astring(charset) || !in.space()) return false;
  }
  if (!read_search_program(in, charset, search.program) || !in.end()) return false;
  return may_return_relevancy(search) || in.refuse(errc::bad_option);
}

// search = "SEARCH" [search-return-opts] SP ["CHARSET" SP charset SP] search-key *(SP search-key)
base::result<command> parse_search(scanner& in, bool by_uid) {
  search_command search{.by_uid = by_uid};
  if (!in.space()) return in.failure();
  if (!read_search_arguments(in, search) && !keep_refused(in, search)) return in.failure();
  return search;
}

}  // namespace briefwerk::protocol::imap
