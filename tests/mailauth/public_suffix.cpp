#include "briefwerk/mailauth/public_suffix.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "briefwerk/mail/address.hpp"
#include "support/folders.hpp"

using namespace briefwerk;
using mailauth::public_suffix_list;

TEST_CASE("organizational domains by the list at hand") {
  const auto list = public_suffix_list::newest();
  REQUIRE(list);
  struct row {
    std::string why;
    std::string_view domain;
    std::optional<std::string> expected;
  };
  const row rows[] = {
      {"RFC 7489 §3.2 one label below the suffix", "a.mail.example.com", "example.com"},
      {"a suffix of two labels", "www.example.co.uk", "example.co.uk"},
      {"case does not count, the answer is in lower case", "WWW.Example.COM", "example.com"},
      {"a final dot does not count", "www.example.com.", "example.com"},
      {"a suffix has none", "co.uk", std::nullopt},
      {"a top level has none", "com", std::nullopt},
      {"an unknown top level is a suffix", "a.b.unknown-top-level", "b.unknown-top-level"},
      {"an exception rule (!www.ck)", "a.www.ck", "www.ck"},
      {"a wildcard rule (*.ck)", "a.b.c.ck", "b.c.ck"},
      {"U-labels become A-labels", "www.食狮.公司.cn", "xn--85x722f.xn--55qx5d.cn"},
      {"the private section counts", "a.b.github.io", "b.github.io"},
      {"nothing", "", std::nullopt},
      {"an empty label", "a..example.com", std::nullopt},
      {"a leading dot", ".example.com", std::nullopt},
      {"an address literal", "[192.0.2.1]", std::nullopt},
      {"octets that no name has", "exa mple.com", std::nullopt},
      {"NUL does not cut the name", std::string_view("example.com\0.evil.net", 21), std::nullopt},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    CHECK(list->organizational_domain(r.domain) == r.expected);
  }
  CHECK(list->is_public_suffix("CO.uk"));
  CHECK_FALSE(list->is_public_suffix("example.co.uk"));
  CHECK_FALSE(list->is_public_suffix(""));
}

TEST_CASE("a list from a file") {
  const auto folder = std::filesystem::temp_directory_path();
  const auto path = folder / ("briefwerk-suffixes-" + std::to_string(reinterpret_cast<std::uintptr_t>(&folder)));
  std::ofstream(path) << "// a comment\nexample\nsub.example\n";
  const auto list = public_suffix_list::from_file(path);
  REQUIRE(list);
  CHECK(list->organizational_domain("a.b.sub.example") == "b.sub.example");
  CHECK(list->organizational_domain("a.b.example") == "b.example");

  std::ofstream(path) << "";
  CHECK(public_suffix_list::from_file(path).error() == base::errc::malformed);
  std::filesystem::remove(path);
  CHECK(public_suffix_list::from_file(path).error() == base::errc::not_found);
  CHECK(public_suffix_list::newest(path).error() == base::errc::not_found);
}

TEST_CASE("the vectors of publicsuffix.org") {
  const std::filesystem::path suite = test::suites_folder() / "psl";
  std::ifstream vectors(suite / "tests.txt");
  if (!vectors) {
    MESSAGE("suite absent, not tested: ", suite.string());
    return;
  }
  const auto list = public_suffix_list::from_file(suite / "public_suffix_list.dat");
  REQUIRE(list);
  std::size_t checked = 0;
  for (std::string line; std::getline(vectors, line);) {
    std::istringstream words(line);
    std::string domain, expected;
    if (line.starts_with("//") || !(words >> domain >> expected)) continue;
    CAPTURE(line);
    if (domain == "null") domain.clear();
    const auto found = list->organizational_domain(domain);
    if (expected == "null")
      CHECK_FALSE(found.has_value());
    else
      CHECK(found == mail::domain_to_ascii(expected).value());
    ++checked;
  }
  CHECK(checked > 70);
}
