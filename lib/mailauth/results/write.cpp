// Writing of Authentication-Results: RFC 8601 §2.2.

#include <algorithm>
#include <string>
#include <string_view>

#include "briefwerk/base/limits/mailauth.hpp"
#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"
#include "mail/ascii.hpp"
#include "mailauth/field_text.hpp"

namespace briefwerk::mailauth {
namespace {

namespace ascii = mail::ascii;
namespace limits = base::limits;

constexpr std::size_t preferred_line = 78;
constexpr std::string_view plain_name = "Authentication-Results";
constexpr std::string_view arc_name = "ARC-Authentication-Results";

// Keyword = *( ALPHA / DIGIT / "-" ) Let-dig (RFC 5321 §4.1.2)
bool is_keyword(std::string_view word) noexcept {
  if (word.empty() || word.size() > 64 || word.back() == '-') return false;
  return std::ranges::all_of(word, [](char c) { return ascii::is_alpha(c) || ascii::is_digit(c) || c == '-'; });
}

// Half of a value's limit, since each character may need a backslash: a word must fit a line (RFC 5322 §2.1.1).
std::string cut(std::string_view text) {
  return std::string(text.substr(0, mail::utf8_prefix(text, limits::authentication_value / 2)));
}

// pvalue = value / [ [ local-part ] "@" ] domain-name: an address needs no quotes, though "@" is no token.
std::string written_value(std::string_view raw) {
  const std::string value = sayable(raw);  // first, so that what is read again is written alike
  const std::size_t at = value.rfind('@');
  if (at != std::string::npos && mail::is_domain(std::string_view(value).substr(at + 1), mail::utf8::allow)) {
    if (at == 0 || mail::split_mailbox(value, mail::utf8::allow)) return value;
  }
  return token_or_quoted(value);
}

// Appends words, folded in front of the white space between them.
class folder {
 public:
  folder(std::string& out, std::size_t column) : out_(out), column_(column) {}

  void append(std::string_view text) {
    while (!text.empty()) {
      const std::size_t word = std::min(text.find_first_not_of(' '), text.size());
      const std::size_t end = std::min(text.find(' ', word), text.size());
      if (column_ + end > preferred_line && word != 0 && column_ != 0) new_line();
      out_ += text.substr(0, end);
      column_ += end;
      text.remove_prefix(end);
    }
  }
  void new_line() {
    out_ += "\r\n";
    column_ = 0;
  }

 private:
  std::string& out_;
  std::size_t column_;
};

void write_result(folder& out, const method_result& one) {
  out.append(";");
  out.new_line();
  std::string head = ' ' + one.method;
  if (one.version != 1) head += '/' + std::to_string(one.version);
  out.append(head + '=' + one.result);
  if (!one.comment.empty()) out.append(' ' + comment(cut(one.comment)));
  if (!one.reason.empty()) out.append(" reason=" + quoted(cut(one.reason)));
  for (const result_property& each : one.properties) {
    if (!is_keyword(each.type) || !is_keyword(each.name)) continue;
    const std::string value = written_value(each.value);
    if (value.size() <= limits::authentication_value) out.append(' ' + each.type + '.' + each.name + '=' + value);
  }
}

void write_value(std::string& out, std::size_t column, const authentication_results& results) {
  folder fold(out, column);
  const std::string id = token_or_quoted(cut(results.authserv_id));
  fold.append(results.instance ? "i=" + std::to_string(*results.instance) + "; " + id : id);
  if (results.version != 1) fold.append(' ' + std::to_string(results.version));
  bool any = false;
  for (const method_result& each : results.results) {
    if (!is_keyword(each.method) || !is_keyword(each.result)) continue;
    write_result(fold, each);
    any = true;
  }
  if (!any) fold.append("; none");
}

}  // namespace

std::string to_value(const authentication_results& results) {
  std::string out;
  write_value(out, arc_name.size() + 2, results);
  return out;
}

std::string to_field(const authentication_results& results) {
  std::string out(results.instance ? arc_name : plain_name);
  out += ": ";
  const std::size_t column = out.size();
  write_value(out, column, results);
  out += "\r\n";
  return out;
}

}  // namespace briefwerk::mailauth
