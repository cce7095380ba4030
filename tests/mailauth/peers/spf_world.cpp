// SPF for a script: reads a world and questions from standard input, a line each, fields separated by tabs, and answers
// each CHECK with one line "result lookups mechanism explanation", tabs between.
//   TXT name text | A name address | MX name preference exchange | PTR address name | CNAME name target | FAIL name
//   CHECK address helo sender | CLEAR

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/mailauth/spf.hpp"

namespace {

namespace base = briefwerk::base;
namespace spf = briefwerk::mailauth::spf;

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> out(1);
  for (const char c : line) {
    if (c == '\t')
      out.emplace_back();
    else
      out.back() += c;
  }
  out.resize(std::max<std::size_t>(out.size(), 4));
  return out;
}

void check(base::resolver& dns, const std::vector<std::string>& fields) {
  spf::request about;
  about.ip = base::ip_address::parse(fields[1]).value();
  about.helo = fields[2];
  about.sender = fields[3];
  const auto found = base::sync_wait(spf::check_mail_from(dns, about));
  std::printf("%s\t%u\t%s\t%s\n", std::string(to_string(found.result)).c_str(), found.lookups, found.mechanism.c_str(),
              found.explanation.c_str());
  std::fflush(stdout);
}

}  // namespace

int main() {
  base::scripted_resolver dns;
  for (std::string line; std::getline(std::cin, line);) {
    const auto fields = split(line);
    if (fields[0] == "TXT") {
      dns.add_txt(fields[1], fields[2]);
    } else if (fields[0] == "A") {
      dns.add_address(fields[1], fields[2]);
    } else if (fields[0] == "MX") {
      dns.add_mx(fields[1], static_cast<std::uint16_t>(std::stoi(fields[2])), fields[3]);
    } else if (fields[0] == "PTR") {
      dns.add_ptr(fields[1], fields[2]);
    } else if (fields[0] == "CNAME") {
      dns.add_alias(fields[1], fields[2]);
    } else if (fields[0] == "FAIL") {
      dns.add_failure(fields[1]);
    } else if (fields[0] == "CHECK") {
      check(dns, fields);
    } else if (fields[0] == "CLEAR") {
      dns.clear();
    } else {
      std::fprintf(stderr, "unknown line: %s\n", line.c_str());
      return 2;
    }
  }
  return 0;
}
