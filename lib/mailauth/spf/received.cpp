// Received-SPF: RFC 7208 §9.1.

#include <string>
#include <string_view>

#include "briefwerk/mail/header.hpp"
#include "briefwerk/mailauth/spf.hpp"
#include "mailauth/field_text.hpp"

namespace briefwerk::mailauth::spf {
namespace {

// For people; programs read the pairs behind it.
std::string in_words(const verdict& found, const request& about) {
  const std::string ip = about.ip.to_string();
  const std::string domain = found.checked == identity::helo ? found.domain : "domain of " + found.sender;
  switch (found.result) {
    case outcome::pass:
      return domain + " designates " + ip + " as permitted sender";
    case outcome::fail:
      return domain + " does not designate " + ip + " as permitted sender";
    case outcome::softfail:
      return domain + " does not designate " + ip + " as permitted sender, but is in transition";
    case outcome::neutral:
      return ip + " is neither permitted nor denied by " + domain;
    case outcome::none:
      return domain + " does not designate permitted sender hosts";
    default:
      return "error in processing " + domain + ": " + found.problem;
  }
}

}  // namespace

std::string received_spf(const verdict& found, const request& about) {
  std::string value(to_string(found.result));
  const std::string words = in_words(found, about);
  value += ' ' + comment(about.receiver.empty() ? words : about.receiver + ": " + words);
  auto pair = [&value, separator = " "](std::string_view key, std::string_view what) mutable {
    if (what.empty()) return;
    value += separator;
    value += key;
    value += '=';
    value += dot_atom_or_quoted(what);
    separator = "; ";
  };
  pair("receiver", about.receiver);
  pair("client-ip", about.ip.to_string());
  pair("envelope-from", about.sender.empty() ? found.sender : about.sender);
  pair("helo", about.helo);
  pair("identity", to_string(found.checked));
  pair("mechanism", found.mechanism);
  pair("problem", found.problem);
  std::string out;
  mail::write_header_field(out, "Received-SPF", value);
  return out;
}

}  // namespace briefwerk::mailauth::spf
