// What a server tells a milter, and what it makes of the answers.

#include <doctest/doctest.h>

#include <map>

#include "briefwerk/base/limits/protocol.hpp"
#include "briefwerk/protocol/milter/client_session.hpp"

using namespace briefwerk::protocol::milter;
namespace mail = briefwerk::mail;
namespace limits = briefwerk::base::limits;
using briefwerk::base::errc;
using namespace std::string_literals;

namespace {

std::string number(std::uint32_t value) {
  std::string made;
  for (int shift = 24; shift >= 0; shift -= 8) made += static_cast<char>(value >> shift & 0xff);
  return made;
}
std::string packed(std::string_view content) { return number(static_cast<std::uint32_t>(content.size())) + std::string(content); }

std::optional<std::string> values(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> known{
      {"j", "mx.example"}, {"i", "id1"}, {"{mail_addr}", "a@b.example"}, {"{client_addr}", "192.0.2.1"}, {"{tls_version}", "TLSv1.3"}};
  const auto found = known.find(name);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

// The commands of packets, macros with their command: "DC C".
std::string commands(std::string_view out) {
  std::string made;
  packet_reader reader;
  reader.feed(out);
  for (;;) {
    const auto read = reader.next();
    REQUIRE(read.has_value());
    if (!*read) return made;
    if (!made.empty()) made += ' ';
    made += (*read)->what;
    if ((*read)->what == 'D') made += (*read)->data[0];
  }
}

struct talk {
  client_session session;
  std::string out;

  explicit talk(std::uint32_t steps = 0, std::uint32_t may = actions::all, const std::string& symbols = {},
                client_options options = {})
      : session(options) {
    REQUIRE(session.negotiate(out));
    session.feed(packed("O" + number(6) + number(may) + number(steps) + symbols));
    const auto said = session.next();
    REQUIRE(said.has_value());
    REQUIRE(said->has_value());
    out.clear();
  }
  answer_kind hears(const std::string& octets) {
    session.feed(octets);
    const auto said = session.next();
    REQUIRE(said.has_value());
    REQUIRE(said->has_value());
    return (*said)->what;
  }
  std::error_code fails(const std::string& octets) {
    session.feed(octets);
    const auto said = session.next();
    REQUIRE(!said.has_value());
    return said.error();
  }
  bool at_end() { return session.end_of_body(out, values); }
};

constexpr connect_data from{.host = "client.example", .family = '4', .port = 25, .address = "192.0.2.1"};

}  // namespace

TEST_CASE("a message from connect to its end") {
  talk t;
  const std::vector<std::string> none;
  CHECK(t.session.connect(t.out, from, values));
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  CHECK(t.session.hello(t.out, "client.example", values));
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  const std::vector<std::string> parameters{"SIZE=10"};
  CHECK(t.session.mail(t.out, "a@b.example", parameters, values));
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  CHECK(t.session.rcpt(t.out, "c@d.example", none, values));
  CHECK(t.hears(packed("r")) == answer_kind::reject);
  CHECK(t.session.rcpt(t.out, "e@d.example", none, values));
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  CHECK(t.session.data(t.out, values));
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  CHECK(t.session.header(t.out, "Subject", " a\r\n b"));
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  CHECK(t.session.end_of_header(t.out, values));
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  CHECK(t.session.body(t.out, "Hello\r\n"));
  CHECK(t.hears(packed("p") + packed("c")) == answer_kind::proceed);
  CHECK(t.at_end());
  CHECK(t.hears(packed("p") + packed("hX-A\0b\0"s) + packed("bnew") + packed("b body") + packed("qodd\0"s) + packed("a")) ==
        answer_kind::accept);
  CHECK(commands(t.out) == "DC C DH H DM M DR R DR R DT T L DN N B DE E");
  CHECK(t.out.find(packed("M<a@b.example>\0SIZE=10\0"s)) != t.out.npos);
  CHECK_MESSAGE(t.out.find(packed("LSubject\0a\n b\0"s)) != t.out.npos, "one space goes, lines end in LF");
  CHECK(t.out.find(packed("DMi\0id1\0{mail_addr}\0a@b.example\0"s)) != t.out.npos);

  const modifications found = t.session.take_modifications();
  REQUIRE(found.edits.size() == 2);
  CHECK(found.edits[0] == mail::message_edit{.what = mail::edit_kind::add_header, .name = "X-A", .value = " b"});
  CHECK(found.edits[1] == mail::message_edit{.what = mail::edit_kind::replace_body, .value = "new body"});
  CHECK(found.quarantine == "odd");
  CHECK(t.session.take_modifications().edits.empty());
}

TEST_CASE("what the milter does not want to hear of, and what it does not answer") {
  talk deaf(steps::no_connect | steps::no_hello | steps::no_mail | steps::no_rcpt | steps::no_data | steps::no_headers |
            steps::no_end_of_header | steps::no_body | steps::no_unknown);
  const std::vector<std::string> none;
  const auto tell = [&](talk& t) {
    return t.session.connect(t.out, from, values) | t.session.hello(t.out, "x", values) |
           t.session.mail(t.out, "", none, values) | t.session.rcpt(t.out, "a@b.example", none, values) |
           t.session.data(t.out, values) | t.session.header(t.out, "A", " b") | t.session.end_of_header(t.out, values) |
           t.session.body(t.out, "x") | t.session.unknown(t.out, "XYZZY");
  };
  CHECK(!tell(deaf));
  CHECK(deaf.out.empty());
  CHECK(!deaf.session.wants_headers());
  CHECK(!deaf.session.wants_body());
  CHECK(deaf.at_end());
  CHECK(deaf.hears(packed("c")) == answer_kind::proceed);

  talk silent(steps::silent_connect | steps::silent_hello | steps::silent_mail | steps::silent_rcpt | steps::silent_data |
              steps::silent_header | steps::silent_end_of_header | steps::silent_body | steps::silent_unknown | steps::leading_space);
  CHECK(!tell(silent));
  CHECK(commands(silent.out) == "DC C DH H DM M DR R DT T L DN N B U");
  CHECK_MESSAGE(silent.out.find(packed("LA\0 b\0"s)) != silent.out.npos, "the leading space stays");
  CHECK(silent.at_end());
  CHECK(silent.hears(packed("hX\0 y\0"s) + packed("c")) == answer_kind::proceed);
  CHECK(silent.session.take_modifications().edits[0].value == " y");
}

TEST_CASE("macros that the milter asks for") {
  talk t(0, actions::all, number(0) + "{client_addr} {unknown}\0"s + number(1) + "\0"s);
  CHECK(t.session.connect(t.out, from, values));
  CHECK(t.out.find("{client_addr}"s + '\0' + "192.0.2.1" + '\0') != t.out.npos);
  CHECK(t.out.find("mx.example") == t.out.npos);
  CHECK(t.hears(packed("l" + number(2) + "j\0"s) + packed("c")) == answer_kind::proceed);
  t.out.clear();
  CHECK(t.session.hello(t.out, "x", values));
  CHECK_MESSAGE(commands(t.out) == "H", "an empty list: no macros");
  CHECK(t.hears(packed("c")) == answer_kind::proceed);
  t.out.clear();
  CHECK(t.session.mail(t.out, "", std::vector<std::string>{}, values));
  CHECK(t.out.starts_with(packed("DMj\0mx.example\0"s)));
}

TEST_CASE("answers that do not fit") {
  struct row {
    const char* why;
    std::uint32_t may;
    std::string answers;
    errc error;
  };
  const std::string many = [] {
    std::string made;
    for (std::size_t i = 0; i <= limits::milter_edits; ++i) made += packed("hX\0y\0"s);
    return made;
  }();
  const row rows[] = {
      {"adds a field that it did not ask to add", actions::change_body, packed("hX\0y\0"s), errc::unsupported},
      {"replaces a body that it did not ask to replace", actions::add_header, packed("bx"), errc::unsupported},
      {"quarantine was not agreed", actions::add_header, packed("qx\0"s), errc::unsupported},
      {"changes the sender without leave", actions::add_header, packed("e<>\0"s), errc::unsupported},
      {"adds a recipient without leave", actions::remove_recipient, packed("+a@b.example\0"s), errc::unsupported},
      {"skip is for the body", actions::all, packed("s"), errc::unsupported},
      {"rubbish", actions::all, "HTTP/1.1 400 Bad Request\r\n", errc::limit_exceeded},
      {"no answer of this protocol", actions::all, packed("?"), errc::malformed},
      {"more fields than anybody needs", actions::all, many, errc::limit_exceeded},
      {"a body past the bound", actions::all, packed("b" + std::string(600, 'x')) + packed("b" + std::string(600, 'x')), errc::limit_exceeded},
      {"a second negotiation", actions::all, packed("O" + number(6) + number(0) + number(0)), errc::malformed},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    talk t(0, one.may, {}, {.body_size = 1000});
    CHECK(t.at_end());
    CHECK(t.fails(one.answers + packed("c")) == one.error);
  }

  talk early;
  CHECK(early.session.data(early.out, values));
  CHECK(early.fails(packed("hX\0y\0"s)) == errc::unsupported);
  talk twice;
  CHECK(twice.session.data(twice.out, values));
  CHECK(twice.hears(packed("c") + packed("c")) == answer_kind::proceed);
  CHECK(twice.session.end_of_header(twice.out, values));
  CHECK_MESSAGE(twice.fails("") == errc::unsupported, "an answer that nobody asked for");
}

TEST_CASE("answers cut at every octet") {
  const std::string answers = packed("p") + packed("i" + number(1) + "X\0y\0"s) + packed("y550 5.7.1 no\0"s);
  for (std::size_t cut = 0; cut < answers.size(); ++cut) {
    talk t;
    CHECK(t.at_end());
    t.session.feed(answers.substr(0, cut));
    const auto first = t.session.next();
    REQUIRE(first.has_value());
    CHECK(!first->has_value());
    CHECK(t.hears(answers.substr(cut)) == answer_kind::reply);
    CHECK(t.session.take_modifications().edits.size() == 1);
  }
}
