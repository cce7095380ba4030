#include <algorithm>

#include "briefwerk/protocol/smtp/client_session.hpp"
#include "protocol/smtp/command/parsers.hpp"

namespace briefwerk::protocol::smtp {
namespace {

// More than any server has; the answer itself is bounded by limits::smtp_reply_lines.
constexpr std::size_t max_mechanisms = 64;

void take_mechanisms(std::string_view arguments, capabilities& out) {
  while (!arguments.empty() && out.mechanisms.size() < max_mechanisms) {
    std::string name(take_word(arguments));
    std::ranges::transform(name, name.begin(), upper);
    if (!name.empty() && std::ranges::find(out.mechanisms, name) == out.mechanisms.end())
      out.mechanisms.push_back(std::move(name));
  }
}

// RFC 9422 §3: LIMITS SP limit-name "=" limit-value *( SP … ); what does not parse is ignored.
void take_limits(std::string_view arguments, capabilities& out) {
  while (!arguments.empty()) {
    const std::string_view word = take_word(arguments);
    const std::size_t equals = word.find('=');
    std::uint64_t value = 0;
    if (equals == std::string_view::npos || !parse_number(word.substr(equals + 1), value) || value == 0) continue;
    const std::string_view name = word.substr(0, equals);
    if (is_keyword(name, "RCPTMAX")) out.rcpt_max = value;
    else if (is_keyword(name, "MAILMAX")) out.mail_max = value;
    else if (is_keyword(name, "RCPTDOMAINMAX")) out.rcpt_domain_max = value;
  }
}

void take_line(std::string_view line, capabilities& out) {
  while (line.ends_with(' ')) line.remove_suffix(1);
  // "AUTH=PLAIN LOGIN" of servers before RFC 2554 became a standard is still sent beside the real one.
  const bool old_auth = line.size() > 5 && is_keyword(line.substr(0, 5), "AUTH=");
  const std::string_view keyword = old_auth ? std::string_view("AUTH") : take_word(line);
  if (old_auth) line.remove_prefix(5);

  if (is_keyword(keyword, "PIPELINING")) out.pipelining = true;
  else if (is_keyword(keyword, "8BITMIME")) out.eightbitmime = true;
  else if (is_keyword(keyword, "SMTPUTF8")) out.smtputf8 = true;
  else if (is_keyword(keyword, "DSN")) out.dsn = true;
  else if (is_keyword(keyword, "CHUNKING")) out.chunking = true;
  else if (is_keyword(keyword, "BINARYMIME")) out.binarymime = true;
  else if (is_keyword(keyword, "REQUIRETLS")) out.requiretls = true;
  else if (is_keyword(keyword, "STARTTLS")) out.starttls = true;
  else if (is_keyword(keyword, "ENHANCEDSTATUSCODES")) out.enhanced_codes = true;
  else if (is_keyword(keyword, "AUTH")) take_mechanisms(line, out);
  else if (is_keyword(keyword, "LIMITS")) take_limits(line, out);
  else if (is_keyword(keyword, "SIZE")) {
    out.size = true;
    std::uint64_t limit = 0;
    if (parse_number(take_word(line), limit)) out.size_limit = limit;
  }
}

}  // namespace

capabilities capabilities::parse(std::string_view text) {
  capabilities out;
  out.extended = true;
  std::size_t line_end = text.find('\n');
  while (line_end != std::string_view::npos) {
    text.remove_prefix(line_end + 1);
    line_end = text.find('\n');
    take_line(text.substr(0, line_end), out);
  }
  return out;
}

}  // namespace briefwerk::protocol::smtp
