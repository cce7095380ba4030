#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/address.hpp"
#include "mail/ascii.hpp"

namespace briefwerk::mail {
namespace {

// RFC 5322 §3.4, read from left to right without going back: an element is a row of tokens up to "," ";" or the end;
// what the row means is decided when it is complete.
class list_parser {
 public:
  explicit list_parser(std::string_view text) : text_(text) { tokens_.reserve(8); }

  std::vector<list_address> run() {
    while (at_ < text_.size() && out_.size() < base::limits::addresses_per_field) step();
    finish_element();
    if (in_group_) out_.push_back({.kind = list_address::kind_type::group_end});
    return std::move(out_);
  }

 private:
  struct token {
    enum class kind_type : unsigned char { word, quoted, at, literal };
    kind_type kind;
    bool space_before;
    std::string text;
  };
  using kind = token::kind_type;

  void step() {
    const char c = text_[at_];
    if (ascii::is_space(c)) {
      space_ = true;
      ++at_;
    } else if (c == '(' && take_comment()) {
      space_ = true;
    } else if (c == '"' && take_quoted()) {
    } else if (c == ',') {
      ++at_;
      finish_element();
    } else if (c == ';') {
      ++at_;
      finish_element();
      if (in_group_) out_.push_back({.kind = list_address::kind_type::group_end});
      in_group_ = false;
    } else if (c == ':' && !in_group_ && !angle_ && !seen_at_) {
      ++at_;
      out_.push_back({.kind = list_address::kind_type::group_begin, .name = phrase(0, tokens_.size())});
      reset();
      in_group_ = true;
    } else if (c == '<') {
      ++at_;
      take_angle();
    } else if (c == '@') {
      ++at_;
      add(kind::at, "@");
    } else if (c == '[') {
      take_literal();
    } else {
      take_atom();
    }
  }

  void add(kind what, std::string text) {
    tokens_.push_back({what, space_, std::move(text)});
    seen_at_ = seen_at_ || what == kind::at;
    space_ = false;
  }

  // An encoded-word is one token whatever stands in it (senders leave commas in them); it holds no white space.
  std::size_t encoded_word_length() const {
    const auto rest = text_.substr(at_, 256);
    if (!rest.starts_with("=?")) return 0;
    const auto charset = rest.find('?', 2);
    const auto encoding = charset == rest.npos ? charset : rest.find('?', charset + 1);
    const auto end = encoding == rest.npos ? encoding : rest.find("?=", encoding + 1);
    if (end == rest.npos || rest.substr(0, end).find_first_of(" \t\r\n") != rest.npos) return 0;
    return end + 2;
  }

  void take_atom() {
    auto length = encoded_word_length();
    if (length == 0) {
      for (auto i = at_; i < text_.size(); ++i) {
        const char c = text_[i];
        const bool stops = ascii::is_space(c) || c == ',' || c == ';' || c == '<' || c == '@' || c == '[' ||
                           (c == '(' && !open_comment_) || (c == '"' && !open_quote_) ||
                           (c == ':' && !in_group_ && !angle_);
        if (stops && i != at_) break;
        ++length;
      }
    }
    add(kind::word, std::string(text_.substr(at_, length)));
    at_ += length;
  }

  // False when the quote is never closed: then it is a character like others, and loses nobody's address.
  bool take_quoted() {
    if (open_quote_) return false;
    std::string value;
    auto i = at_ + 1;
    for (; i < text_.size() && text_[i] != '"'; ++i) {
      if (text_[i] == '\\' && i + 1 < text_.size()) ++i;
      if (text_[i] != '\r' && text_[i] != '\n') value += text_[i];
    }
    if (i >= text_.size()) {
      open_quote_ = true;
      return false;
    }
    add(kind::quoted, std::move(value));
    at_ = i + 1;
    return true;
  }

  bool take_comment() {
    if (open_comment_) return false;
    std::string value;
    std::size_t depth = 0;
    for (auto i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '\\' && i + 1 < text_.size()) {
        value += text_[++i];
        continue;
      }
      if (c == ')' && --depth == 0) {
        at_ = i + 1;
        const auto name = ascii::trim(value);
        if (!name.empty()) comment_ = name;
        return true;
      }
      if (c == '(' && depth++ == 0) continue;
      if (c != '\r' && c != '\n') value += c;
    }
    open_comment_ = true;
    return false;
  }

  void take_literal() {
    const auto stop = text_.find_first_of("],;<>", at_);
    const auto end = stop == text_.npos ? text_.size() : stop + (text_[stop] == ']' ? 1u : 0u);
    std::string value;
    for (const char c : text_.substr(at_, end - at_))
      if (!ascii::is_space(c)) value += c;
    add(kind::literal, std::move(value));
    at_ = end;
  }

  // "<" [obs-route] addr-spec ">"; a missing ">" ends at "," or the end.
  void take_angle() {
    finish_angle();
    angle_ = true;
    name_ = phrase(0, tokens_.size());
    tokens_.clear();
    seen_at_ = false;
    space_ = false;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '>') {
        ++at_;
        break;
      }
      if (c == ':' && !tokens_.empty() && tokens_.front().kind == kind::at) {  // RFC 5322 §4.4 obs-route
        ++at_;
        for (const auto& t : tokens_) route_ += t.text;
        tokens_.clear();
        continue;
      }
      if (c == '<') {
        ++at_;
        continue;
      }
      if (c == ',' || c == ';') {
        // A comma belongs to a route of several domains, else the ">" is missing.
        const bool route = c == ',' && !tokens_.empty() && tokens_.front().kind == kind::at &&
                           text_.substr(at_, 1000).find(':') < text_.substr(at_, 1000).find('>');
        if (!route) break;
        add(kind::word, ",");
        ++at_;
        continue;
      }
      if (ascii::is_space(c)) {
        space_ = true;
        ++at_;
      } else if (c == '(' && take_comment()) {
      } else if (c == '"' && take_quoted()) {
      } else if (c == '@') {
        ++at_;
        add(kind::at, "@");
      } else if (c == '[') {
        take_literal();
      } else {
        take_angle_atom();
      }
    }
    split_address(0, tokens_.size());
    tokens_.clear();
    seen_at_ = false;
  }

  void take_angle_atom() {
    std::size_t length = 0;
    const bool route = !tokens_.empty() && tokens_.front().kind == kind::at;
    for (auto i = at_; i < text_.size(); ++i) {
      const char c = text_[i];
      const bool stops = ascii::is_space(c) || c == ',' || c == ';' || c == '<' || c == '>' || c == '@' || c == '[' ||
                         (c == ':' && route) || (c == '(' && !open_comment_) || (c == '"' && !open_quote_);
      if (stops && i != at_) break;
      ++length;
    }
    add(kind::word, std::string(text_.substr(at_, length)));
    at_ += length;
  }

  // Whether the token belongs to the one before it: no white space between them, or only round a dot or an "@".
  bool joined(std::size_t i) const {
    const auto& t = tokens_[i];
    const auto& before = tokens_[i - 1];
    return !t.space_before || t.kind == kind::at || before.kind == kind::at ||
           (t.kind == kind::word && t.text.starts_with('.')) || (before.kind == kind::word && before.text.ends_with('.'));
  }

  // local@domain from the tokens in [from, to): the last "@" divides.
  void split_address(std::size_t from, std::size_t to) {
    auto divide = to;
    for (auto i = from; i < to; ++i)
      if (tokens_[i].kind == kind::at) divide = i;
    for (auto i = from; i < divide; ++i) local_ += tokens_[i].text;
    for (auto i = divide + 1; i < to; ++i) {
      if (i > divide + 1 && !joined(i)) break;  // "<a@b.example junk>"
      domain_ += tokens_[i].text;
    }
  }

  std::string phrase(std::size_t from, std::size_t to) const {
    std::string out;
    for (auto i = from; i < to; ++i) {
      if (i != from && tokens_[i].space_before) out += ' ';
      out += tokens_[i].text;
    }
    return out;
  }

  void finish_angle() {
    if (!angle_) return;
    emit();
  }

  // Addresses without brackets. Words that stand apart before one are taken as its name; two addresses without a
  // comma between them are two.
  void finish_bare() {
    bool found = false;
    std::size_t name_from = 0;
    for (std::size_t from = 0; from < tokens_.size();) {
      auto to = from + 1;
      bool has_at = tokens_[from].kind == kind::at;
      for (; to < tokens_.size() && joined(to); ++to) has_at = has_at || tokens_[to].kind == kind::at;
      if (has_at) {
        name_ = phrase(name_from, from);
        split_address(from, to);
        const auto comment = comment_;
        if (to != tokens_.size()) comment_.clear();
        emit();
        comment_ = comment;
        name_from = to;
        found = true;
      }
      from = to;
    }
    if (found) return;
    local_ = phrase(0, tokens_.size());
    emit();
  }

  void finish_element() {
    if (angle_) emit();
    else if (!tokens_.empty()) finish_bare();
    reset();
  }

  void emit() {
    if (!local_.empty() || !domain_.empty() || !name_.empty()) {
      if (name_.empty()) name_ = comment_;
      out_.push_back({list_address::kind_type::mailbox, std::move(name_), std::move(route_), std::move(local_),
                      std::move(domain_)});
    }
    name_.clear();
    route_.clear();
    local_.clear();
    domain_.clear();
    comment_.clear();
    angle_ = false;
  }

  void reset() {
    tokens_.clear();
    seen_at_ = false;
    comment_.clear();
    space_ = false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<list_address> out_;
  std::vector<token> tokens_;
  std::string name_, route_, local_, domain_, comment_;
  bool space_ = false;
  bool seen_at_ = false;       // among tokens_
  bool angle_ = false;         // an address in angle brackets was read in this element
  bool in_group_ = false;
  bool open_quote_ = false;    // a quote or a comment that nothing closes was found
  bool open_comment_ = false;
};

}  // namespace

std::vector<list_address> parse_address_list(std::string_view value) { return list_parser(value).run(); }

}  // namespace briefwerk::mail
