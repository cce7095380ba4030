#include "briefwerk/mailauth/dmarc_destination.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/scripted_resolver.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth::dmarc;
using base::dns_type;

namespace {

std::string told(const destinations& found) {
  std::string out;
  for (const auto& one : found.to) out += one.address + (one.max_size ? "!" + std::to_string(*one.max_size) : "") + " ";
  for (const auto& one : found.refused) out += "-" + one.uri + " ";
  return out + (found.temperror ? "later" : "");
}

}  // namespace

TEST_CASE("RFC 9990 §4: who may get reports about example.org") {
  base::scripted_resolver dns;
  dns.add_txt("_dmarc.example.org", "v=DMARC1; p=none").add_txt("_dmarc.bank.example", "v=DMARC1; p=none");
  dns.add_txt("example.org._report._dmarc.yes.example", "v=DMARC1");
  dns.add_txt("example.org._report._dmarc.more.example", "v=DMARC1;");
  dns.add_txt("example.org._report._dmarc.more.example", "other text");
  dns.add_txt("example.org._report._dmarc.no.example", "v=spf1 -all");
  dns.add_txt("example.org._report._dmarc.moved.example", "v=DMARC1; rua=mailto:new@moved.example!2k");
  dns.add_txt("example.org._report._dmarc.loop.example", "v=DMARC1; rua=mailto:new@victim.example");
  dns.add_txt("example.org._report._dmarc.half.example",
              "v=DMARC1; rua=mailto:new@half.example,mailto:x@victim.example");
  dns.add_txt("xn--bcher-kva.example._report._dmarc.yes.example", "v=DMARC1");
  dns.add_failure("example.org._report._dmarc.silent.example", dns_type::txt);
  dns.add_failure("_dmarc.lost.example", dns_type::txt);
  const std::string long_host =
      std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." + std::string(50, 'd');
  struct row {
    std::string why;
    std::vector<report_uri> rua;
    std::string expected;
  };
  const row rows[] = {
      {"the domain itself", {{"mailto:r@example.org", {}}}, "r@example.org "},
      {"with a size", {{"mailto:r@EXAMPLE.org", 10}}, "r@example.org!10 "},
      {"the same organization", {{"mailto:r@reports.example.org", {}}}, "r@reports.example.org "},
      {"another that agreed", {{"mailto:r@yes.example", {}}}, "r@yes.example "},
      {"one record of several is enough", {{"mailto:r@more.example", {}}}, "r@more.example "},
      {"another that did not", {{"mailto:r@victim.example", {}}}, "-mailto:r@victim.example "},
      {"another kind of record", {{"mailto:r@no.example", {}}}, "-mailto:r@no.example "},
      {"sent on within the host", {{"mailto:r@moved.example", 99}}, "new@moved.example!2048 "},
      {"sent on elsewhere: neither", {{"mailto:r@loop.example", {}}}, "-mailto:r@loop.example "},
      {"sent on in part elsewhere: neither", {{"mailto:r@half.example", {}}}, "-mailto:r@half.example "},
      {"no answer", {{"mailto:r@silent.example", {}}, {"mailto:r@example.org", {}}}, "r@example.org later"},
      {"no answer about the organization", {{"mailto:r@lost.example", {}}}, "later"},
      {"another scheme", {{"https://example.org/r", {}}}, "-https://example.org/r "},
      {"no address", {{"mailto:r", {}}}, "-mailto:r "},
      {"an address literal", {{"mailto:r@%5B192.0.2.1%5D", {}}}, "-mailto:r@%5B192.0.2.1%5D "},
      {"a name too long to ask for", {{"mailto:r@" + long_host, {}}}, "-mailto:r@" + long_host + " "},
      {"one address once", {{"mailto:r@example.org", 1}, {"mailto:r@example.org", 2}}, "r@example.org!1 "},
      {"nobody", {}, ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(told(base::sync_wait(report_destinations(dns, "example.org", r.rua))) == r.expected);
  }
  // A domain in U-labels asks by its A-labels.
  CHECK(told(base::sync_wait(report_destinations(dns, "bücher.example", {{"mailto:r@yes.example", {}}}))) ==
        "r@yes.example ");
  CHECK(told(base::sync_wait(report_destinations(dns, "", {{"mailto:r@yes.example", {}}}))).empty());
}

TEST_CASE("the domain itself needs no question") {
  base::scripted_resolver dns;
  base::sync_wait(report_destinations(dns, "example.org", {{"mailto:r@example.org", {}}}));
  CHECK(dns.asked().empty());
}
