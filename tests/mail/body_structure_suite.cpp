#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "briefwerk/mail/body_structure.hpp"
#include "mail/suites.hpp"

using namespace briefwerk;

namespace {

// Case folded, white space in one; without the name of the item that the dumps have round them.
std::string normalise(std::string text) {
  for (const std::string_view prefix : {"(BODYSTRUCTURE ", "(BODY "}) {
    if (!text.starts_with(prefix)) continue;
    text.erase(0, prefix.size());
    text.erase(text.rfind(')'));
  }
  std::string out;
  for (const char c : text) {
    if (std::string_view(" \t\r\n").find(c) == std::string_view::npos)
      out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

// Some files came with CR CR LF; the servers were given CR LF.
std::string repair_line_ends(std::string text) {
  for (auto at = text.find("\r\r\n"); at != text.npos; at = text.find("\r\r\n", at)) text.erase(at, 1);
  return text;
}

// Where Dovecot and Cyrus agree and we differ, with the reason.
const std::map<std::string, std::string> deviations = {
    {"dxflrs/0005_mail-parser-readme",
     "RFC 2046 §5.1.1: the line end before a boundary line belongs to it, also behind the last line of a multipart "
     "inside; both servers count it to the part"},
};

}  // namespace

TEST_CASE("BODY and BODYSTRUCTURE are what Dovecot and Cyrus say, where they agree") {
  int compared = 0;
  for (const auto& file : test::suite_files("bodystructure", ".eml")) {
    const auto name = file.parent_path().filename().string() + "/" + file.stem().string();
    const auto raw = repair_line_ends(test::read_file(file));
    const mail::mime_tree tree(raw);
    std::string body, structure;
    mail::append_body(body, tree);
    mail::append_body_structure(structure, tree);
    const std::pair<std::string, const std::string*> answers[] = {{".body", &body}, {".bodystructure", &structure}};
    for (const auto& [ending, ours] : answers) {
      const auto base = file.parent_path() / file.stem();
      const auto dovecot = normalise(test::read_file(base.string() + ".dovecot" + ending));
      const auto cyrus = normalise(test::read_file(base.string() + ".cyrus" + ending));
      if (dovecot != cyrus || dovecot.empty()) continue;
      CAPTURE(name);
      ++compared;
      if (deviations.contains(name)) {
        CHECK(normalise(*ours) != dovecot);
      } else {
        CHECK(normalise(*ours) == dovecot);
      }
    }
  }
  if (compared != 0) CHECK(compared == 26);
}
