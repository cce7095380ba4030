#include "briefwerk/protocol/milter/packet.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "briefwerk/base/limits/protocol.hpp"

using namespace briefwerk::protocol::milter;
namespace mail = briefwerk::mail;
namespace limits = briefwerk::base::limits;
using briefwerk::base::errc;
using namespace std::string_literals;
using namespace std::string_view_literals;

namespace {

std::string number(std::uint32_t value) {
  std::string made;
  for (int shift = 24; shift >= 0; shift -= 8) made += static_cast<char>(value >> shift & 0xff);
  return made;
}

std::string packed(std::string_view content) { return number(static_cast<std::uint32_t>(content.size())) + std::string(content); }

// From an exactly sized block, so that the sanitizer sees one octet too many.
struct block {
  explicit block(std::string_view from) : size(from.size()), octets(std::make_unique<char[]>(size)) {
    from.copy(octets.get(), size);
  }
  std::string_view view() const { return {octets.get(), size}; }
  std::size_t size;
  std::unique_ptr<char[]> octets;
};

std::string describe(const briefwerk::base::result<answer>& read) {
  if (!read) return read.error() == errc::malformed ? "malformed" : "limit";
  const answer& a = *read;
  switch (a.what) {
    case answer_kind::proceed: return "proceed";
    case answer_kind::accept: return "accept";
    case answer_kind::discard: return "discard";
    case answer_kind::reject: return "reject";
    case answer_kind::defer: return "defer";
    case answer_kind::reply: return "reply " + std::to_string(a.code) + "|" + a.enhanced + "|" + a.text;
    case answer_kind::skip: return "skip";
    case answer_kind::shut_down: return "shut_down";
    case answer_kind::connection_failed: return "connection_failed";
    case answer_kind::progress: return "progress";
    case answer_kind::quarantine: return "quarantine " + a.text;
    case answer_kind::body: return "body " + std::string(a.octets);
    case answer_kind::edit: break;
    case answer_kind::symbols: {
      std::string text = "symbols " + std::to_string(static_cast<int>(a.at));
      for (const auto& one : a.symbols) text += " " + one;
      return text;
    }
  }
  return "edit " + std::to_string(static_cast<int>(a.edit.what)) + " " + std::to_string(a.edit.index) + "|" + a.edit.name + "|" + a.edit.value;
}

}  // namespace

TEST_CASE("what a milter answers") {
  struct row {
    const char* why;
    std::string in, said;
  };
  const row rows[] = {
      {"go on", "c", "proceed"},
      {"accept", "a", "accept"},
      {"reject", "r", "reject"},
      {"come again", "t", "defer"},
      {"drop it", "d", "discard"},
      {"no more of the body", "s", "skip"},
      {"421", "4", "shut_down"},
      {"as if the network failed", "f", "connection_failed"},
      {"still at work", "p", "progress"},
      {"a bare answer has no data", "cx", "malformed"},
      {"no such answer", "Z", "malformed"},
      {"words of its own", "y550 5.7.1 not\0here"s + "", "malformed"},
      {"words of its own", "y550 5.7.1 not here\0"s, "reply 550|5.7.1|not here"},
      {"several lines", "y451-4.7.1 a\r\n451 4.7.1 b\0"s, "reply 451|4.7.1|a\nb"},
      {"lines of different codes", "y451-a\r\n452 b\0"s, "malformed"},
      {"no enhanced code", "y421 later\0"s, "reply 421||later"},
      {"RFC 2034: an enhanced code of another class", "y550 4.7.1 x\0"s, "reply 550||x"},
      {"Sendmail doubles %", "y550 100%% x%%y%%\0"s, "reply 550||100% x%y%"},
      {"a reply adds no line of its own", "y550 a\x01\x7f\rb\0"s, "reply 550||a???b"},
      {"code alone", "y450\0"s, "reply 450||"},
      {"not a refusal", "y250 fine\0"s, "malformed"},
      {"no number", "y5x0 fine\0"s, "malformed"},
      {"no octet 0", "y550 x", "malformed"},
      {"a reply past all bounds", "y550 " + std::string(limits::milter_reply_text, 'x') + "\0"s, "limit"},
      {"add a field", "hX-A\0 b\0"s, "edit 0 0|X-A| b"},
      {"insert a field", "i" + number(3) + "X-A\0b\0"s, "edit 1 3|X-A|b"},
      {"change a field", "m" + number(2) + "Subject\0b\n\tc\0"s, "edit 2 2|Subject|b\n\tc"},
      {"remove a field", "m" + number(1) + "Subject\0\0"s, "edit 2 1|Subject|"},
      {"a name with a colon", "hX:A\0b\0"s, "malformed"},
      {"a name with a line end", "hX\nA\0b\0"s, "malformed"},
      {"an empty name", "h\0b\0"s, "malformed"},
      {"a name past all bounds", "h" + std::string(limits::milter_header_name + 1, 'x') + "\0b\0"s, "malformed"},
      {"no value", "hX-A\0"s, "malformed"},
      {"something behind the value", "hX-A\0b\0c"s, "malformed"},
      {"an index cut off", "m\0\0"s, "malformed"},
      {"a sender", "e<a@b.example>\0"s, "edit 4 0|a@b.example|"},
      {"the null sender", "e<>\0"s, "edit 4 0||"},
      {"a sender with parameters", "ea@b.example\0SIZE=1\0"s, "edit 4 0|a@b.example|SIZE=1"},
      {"a recipient", "+<a@b.example>\0"s, "edit 5 0|a@b.example|"},
      {"a recipient with parameters", "2<a@b.example>\0NOTIFY=NEVER\0"s, "edit 5 0|a@b.example|NOTIFY=NEVER"},
      {"parameters where none belong", "+<a@b.example>\0NOTIFY=NEVER\0"s, "malformed"},
      {"a recipient goes", "-<a@b.example>\0"s, "edit 6 0|a@b.example|"},
      {"a line end in an address", "+<a\r\n@b.example>\0"s, "malformed"},
      {"no octet 0", "+<a@b.example>", "malformed"},
      {"a body", "bHello\r\n\0more"s, "body Hello\r\n\0more"s},
      {"quarantine", "qlooks odd\n\0"s, "quarantine looks odd?"},
      {"symbols", "l" + number(2) + "i {auth_type},j\0"s, "symbols 2 i {auth_type} j"},
      {"symbols of no stage", "l" + number(7) + "i\0"s, "malformed"},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    const block whole(one.in);
    CHECK(describe(parse_answer({whole.view()[0], whole.view().substr(1)})) == one.said);
    for (std::size_t cut = 1; cut < one.in.size(); ++cut) {
      const block part(one.in.substr(0, cut));
      (void)parse_answer({part.view()[0], part.view().substr(1)});
    }
  }
}

TEST_CASE("packets arrive in pieces") {
  const std::string octets = packed("c") + packed("qwhy\0"s) + packed("a");
  for (std::size_t piece = 1; piece <= octets.size(); ++piece) {
    packet_reader reader;
    std::string seen;
    for (std::size_t at = 0; at < octets.size(); at += piece) {
      const block part(std::string_view(octets).substr(at, piece));
      reader.feed(part.view());
      for (;;) {
        const auto read = reader.next();
        REQUIRE(read.has_value());
        if (!*read) break;
        seen += (*read)->what;
        seen += (*read)->data;
      }
    }
    CHECK(seen == "cqwhy\0a"s);
    CHECK(reader.empty());
  }
}

TEST_CASE("packets have bounds") {
  packet_reader empty, large;
  empty.feed(number(0));
  CHECK(empty.next().error() == errc::malformed);
  empty.feed(packed("c"));
  CHECK(empty.next().error() == errc::malformed);
  large.feed(number(limits::milter_packet + 1));
  CHECK(large.next().error() == errc::limit_exceeded);
}

TEST_CASE("what is agreed") {
  const offer made{.version = 6, .actions = actions::all, .steps = steps::skip | steps::silent_header | steps::no_data};
  const auto read = [&](const std::string& data) { return parse_agreement({'O', data}, made); };
  const auto plain = read(number(6) + number(actions::quarantine) + number(steps::skip));
  REQUIRE(plain);
  CHECK(plain->version == 6);
  CHECK(plain->actions == actions::quarantine);
  CHECK(plain->steps == steps::skip);
  CHECK(plain->piece_size() == 65535);
  const auto old = read(number(2) + number(0x3f) + number(steps::silent_header));
  REQUIRE(old);
  CHECK_MESSAGE(old->steps == 0, "version 2 had no such bit");
  const auto symbols = read(number(6) + number(0x100) + number(0) + number(0) + "j {client_addr}\0"s + number(5) + "\0"s);
  REQUIRE(symbols);
  CHECK(symbols->symbols[0] == symbol_list{"j", "{client_addr}"});
  CHECK_MESSAGE(symbols->symbols[5] == symbol_list{}, "an empty list: none are wanted");
  CHECK(!symbols->symbols[1]);

  CHECK(read(number(7) + number(0) + number(0)).error() == errc::unsupported);
  CHECK(read(number(1) + number(0) + number(0)).error() == errc::unsupported);
  CHECK(read(number(6) + number(0x200) + number(0)).error() == errc::unsupported);
  CHECK(read(number(6) + number(0) + number(steps::no_body)).error() == errc::unsupported);
  CHECK(read(number(6) + number(0)).error() == errc::malformed);
  CHECK(read(number(6) + number(0) + number(0) + "x").error() == errc::malformed);
  std::string many;
  for (std::size_t i = 0; i <= limits::milter_symbols; ++i) many += "i ";
  CHECK(read(number(6) + number(0) + number(0) + number(0) + many + '\0').error() == errc::limit_exceeded);
  CHECK(parse_agreement({'c', {}}, made).error() == errc::malformed);
}

TEST_CASE("what a milter is told") {
  std::string out;
  append_offer(out, {.version = 6, .actions = 1, .steps = 2});
  CHECK(out == packed("O" + number(6) + number(1) + number(2)));
  out.clear();
  append_connect(out, {.host = "mx.example", .family = '4', .port = 0x1234, .address = "192.0.2.1"});
  append_connect(out, {.host = "[local]"});
  CHECK(out == packed("Cmx.example\0"s + "4\x12\x34" + "192.0.2.1\0"s) + packed("C[local]\0U"s));
  out.clear();
  const macro macros[] = {{"j", "mx.example"}, {"{auth_type}", "PLAIN\0x"sv}};
  append_macros(out, command::mail, macros);
  CHECK_MESSAGE(out == packed("DMj\0mx.example\0{auth_type}\0PLAIN\0"s), "a value ends where an octet 0 would end it");
}
