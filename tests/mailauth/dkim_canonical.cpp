#include <random>

#include "mail/suites.hpp"
#include "mailauth/dkim/canonical_body.hpp"
#include "mailauth/dkim/canonical_header.hpp"
#include "mailauth/dkim/tag_list.hpp"
#include "mailauth/dkim_support.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth;

namespace {

// A hash that shows what went into it.
class transparent final : public base::hasher {
 public:
  void update(std::string_view octets) noexcept override { text_ += octets; }
  std::string finish() override { return std::move(text_); }

 private:
  std::string text_;
};

std::string canonical(canonicalization how, std::string_view body, std::size_t step,
                      std::optional<std::uint64_t> limit = {}, std::uint64_t* size = nullptr) {
  canonical_body stream(how);
  const std::size_t place = stream.add(std::make_unique<transparent>(), limit);
  for (; !body.empty(); body.remove_prefix(std::min(step, body.size())))
    test::with_exact_block(body.substr(0, step), [&](std::string_view piece) { stream.feed(piece); });
  stream.finish();
  if (size != nullptr) *size = stream.size();
  return stream.digest(place);
}

// RFC 6376 §3.4.3 and §3.4.4 in the plainest words.
std::string by_definition(canonicalization how, std::string_view body) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < body.size();) {
    const std::size_t end = std::min(body.find("\r\n", at), body.size());
    std::string line;
    for (const char c : body.substr(at, end - at)) {
      const bool blank = c == ' ' || c == '\t';
      if (how == canonicalization::simple || !blank)
        line += c;
      else if (line.empty() || line.back() != ' ')
        line += ' ';
    }
    while (how == canonicalization::relaxed && line.ends_with(' ')) line.pop_back();
    lines.push_back(line);
    at = end + 2;
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  std::string out;
  for (const auto& line : lines) out += line + "\r\n";
  return out.empty() && how == canonicalization::simple ? "\r\n" : out;
}

}  // namespace

TEST_CASE("body canonicalization, whole and in every piece size") {
  struct row { const char* why; std::string_view body, simple, relaxed; };
  const row rows[] = {
      {"RFC 6376 §3.4.5, example 1", " C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"},
      {"§3.4.3: the empty body is one CRLF; §3.4.4: it stays empty", "", "\r\n", ""},
      {"empty lines only", "\r\n\r\n\r\n", "\r\n", ""},
      {"a final CRLF is added", "a", "a\r\n", "a\r\n"},
      {"lines of white space are empty when relaxed", "a\r\n \t\r\n\t\r\n", "a\r\n \t\r\n\t\r\n", "a\r\n"},
      {"white space without CRLF at the end", "a\r\n  ", "a\r\n  \r\n", "a\r\n"},
      {"a body of white space", "  \t ", "  \t \r\n", ""},
      {"empty lines inside stay", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n", "a\r\n\r\n\r\nb\r\n"},
      {"leading empty lines stay", "\r\n\r\nb", "\r\n\r\nb\r\n", "\r\n\r\nb\r\n"},
      {"a CR alone is text", "a \rb\r", "a \rb\r\r\n", "a \rb\r\r\n"},
      {"an LF alone is text", "a \nb\n\r\n", "a \nb\n\r\n", "a \nb\n\r\n"},
      {"CR CR LF", "a\r\r\n\r\n", "a\r\r\n", "a\r\r\n"},
      {"a space before a TAB is one run", "a \tb\t c", "a \tb\t c\r\n", "a b c\r\n"},
      {"one TAB becomes a space", "a\tb", "a\tb\r\n", "a b\r\n"},
      {"leading white space becomes one space", " \t a", " \t a\r\n", " a\r\n"},
      {"8-bit and NUL are text", std::string_view("\xff\0 \x80", 4), std::string_view("\xff\0 \x80\r\n", 6),
       std::string_view("\xff\0 \x80\r\n", 6)},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    for (std::size_t step = 1; step <= r.body.size() + 1; ++step) {
      CHECK(canonical(canonicalization::simple, r.body, step) == r.simple);
      CHECK(canonical(canonicalization::relaxed, r.body, step) == r.relaxed);
    }
  }
}

TEST_CASE("body canonicalization agrees with its definition") {
  std::mt19937 random(42);
  constexpr std::string_view letters[] = {"a", "b", " ", "\t", "\r\n", "\r", "\n", "  ", "\r\n\r\n", "lengthy text",
                                          "a line that is longer than one step of the search for white space is, on purpose"};
  for (int round = 0; round < 3000; ++round) {
    std::string body;
    const unsigned pieces = random() % 40;
    // A few pieces of one kind make runs; the choice of letters changes from round to round.
    const unsigned kinds = 2 + random() % (std::size(letters) - 1);
    for (unsigned i = 0; i < pieces; ++i) body += letters[random() % kinds + (kinds < 6 ? random() % 3 : 0)];
    for (const auto how : {canonicalization::simple, canonicalization::relaxed}) {
      const std::string expected = by_definition(how, body);
      CAPTURE(body);
      REQUIRE(canonical(how, body, body.size() + 1) == expected);
      REQUIRE(canonical(how, body, 1) == expected);
      REQUIRE(canonical(how, body, 1 + random() % 64) == expected);
    }
  }
}

TEST_CASE("l= cuts the canonical body, whose size is known all the same") {
  const std::string_view body = "first  line\r\nsecond line \r\n\r\n";
  std::uint64_t size = 0;
  for (std::uint64_t limit = 0; limit < 30; ++limit) {
    const auto whole = canonical(canonicalization::relaxed, body, 5);
    CHECK(canonical(canonicalization::relaxed, body, 5, limit, &size) == whole.substr(0, limit));
    CHECK(size == whole.size());
  }
}

TEST_CASE("runs of empty lines and of white space need no memory and are exact") {
  std::string lines;
  for (int i = 0; i < 100'001; ++i) lines += "\r\n";
  const std::string body = "a" + lines + "b" + lines;
  CHECK(canonical(canonicalization::relaxed, body, 777) == "a" + lines + "b\r\n");
  CHECK(canonical(canonicalization::simple, body, 777) == "a" + lines + "b\r\n");
  CHECK(canonical(canonicalization::relaxed, "a" + std::string(1u << 20, ' ') + "b", 4096) == "a b\r\n");
  CHECK(canonical(canonicalization::relaxed, std::string(1u << 20, '\t') + "\r\n", 4096).empty());
}

TEST_CASE("header canonicalization") {
  struct row { const char* why; std::string_view field, simple, relaxed; };
  const row rows[] = {
      {"RFC 6376 §3.4.5, example 1", "A: X\r\n", "A: X\r\n", "a:X\r\n"},
      {"RFC 6376 §3.4.5, example 1, second field", "B : Y\t\r\n\tZ  \r\n", "B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"},
      {"an empty value", "Subject:\r\n", "Subject:\r\n", "subject:\r\n"},
      {"a value of white space", "Subject: \t\r\n", "Subject: \t\r\n", "subject:\r\n"},
      {"folded before its first word", "Subject:\r\n hello\r\n", "Subject:\r\n hello\r\n", "subject:hello\r\n"},
      {"folded onto a blank line", "Subject: a\r\n \r\n b\r\n", "Subject: a\r\n \r\n b\r\n", "subject:a b\r\n"},
      {"no final line end", "X: y", "X: y\r\n", "x:y\r\n"},
      {"colons in the value", "X: a:b\r\n", "X: a:b\r\n", "x:a:b\r\n"},
      {"8-bit", "X: \xc3\xa4  \xff\r\n", "X: \xc3\xa4  \xff\r\n", "x:\xc3\xa4 \xff\r\n"},
      {"a CR alone is text", "X: a\rb\r\n", "X: a\rb\r\n", "x:a\rb\r\n"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    std::string simple, relaxed;
    append_canonical_field(simple, canonicalization::simple, r.field);
    append_canonical_field(relaxed, canonicalization::relaxed, r.field);
    CHECK(simple == r.simple);
    CHECK(relaxed == r.relaxed);
  }
}

TEST_CASE("a signature's own field: without the value of b=, without its line end (RFC 6376 §3.7)") {
  struct row { const char* why; std::string_view field, simple, relaxed; };
  const row rows[] = {
      {"at the end", "DKIM-Signature: a=x; b=AB\r\n CD\r\n", "DKIM-Signature: a=x; b=", "dkim-signature:a=x; b="},
      {"in the middle", "DKIM-Signature: b = AB ; a=x\r\n", "DKIM-Signature: b =; a=x", "dkim-signature:b =; a=x"},
      {"bh= is another tag", "DKIM-Signature: bh=b; b=AB;\r\n", "DKIM-Signature: bh=b; b=;", "dkim-signature:bh=b; b=;"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto tags = parse_tag_list(value_of(r.field));
    REQUIRE(tags.has_value());
    const tag* b = find_tag(*tags, "b");
    std::string simple, relaxed;
    append_canonical_signature(simple, canonicalization::simple, r.field, b->begin, b->end);
    append_canonical_signature(relaxed, canonicalization::relaxed, r.field, b->begin, b->end);
    CHECK(simple == r.simple);
    CHECK(relaxed == r.relaxed);
  }
}
