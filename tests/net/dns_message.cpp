#include "net/dns_message.hpp"

#include <memory>

#include "net/support.hpp"

using namespace briefwerk;
using namespace briefwerk::net;
using base::dns_status;
using base::dns_type;
using namespace std::string_literals;

namespace {

std::string u16(unsigned value) { return {static_cast<char>(value >> 8), static_cast<char>(value & 0xff)}; }

struct builder {
  unsigned flags = 0x8180;  // an answer, RD, RA
  std::string question = to_wire_name("example.org").value();
  dns_type type = dns_type::a;
  std::vector<std::string> answers, authorities, others;

  static std::string record(const std::string& name, unsigned type, unsigned ttl, const std::string& data) {
    return name + u16(type) + u16(1) + u16(ttl >> 16) + u16(ttl & 0xffff) + u16(static_cast<unsigned>(data.size())) +
           data;
  }
  std::string build() const {
    std::string out = u16(7) + u16(flags) + u16(1) + u16(static_cast<unsigned>(answers.size())) +
                      u16(static_cast<unsigned>(authorities.size())) + u16(static_cast<unsigned>(others.size()));
    out += question + u16(static_cast<unsigned>(type)) + u16(1);
    for (const auto* section : {&answers, &authorities, &others})
      for (const std::string& each : *section) out += each;
    return out;
  }
};

// From a heap block of exactly that size, so that the sanitizer sees one octet too many.
base::result<base::dns_answer> decode(const std::string& message, const builder& asked) {
  auto exact = std::make_unique<char[]>(message.size());
  std::copy(message.begin(), message.end(), exact.get());
  return decode_dns_answer({exact.get(), message.size()}, asked.question, asked.type);
}

const std::string self = "\xc0\x0c";  // a pointer to the question's name

}  // namespace

TEST_CASE("names") {
  struct row {
    const char* why;
    std::string in;
    const char* back;  // null: malformed
  };
  const row rows[] = {
      {"plain", "Mail.Example.ORG", "mail.example.org"},
      {"final dot", "example.org.", "example.org"},
      {"root", ".", ""},
      {"RFC 1035 §5.1 escaped dot", "a\\.b.example", "a\\.b.example"},
      {"RFC 1035 §5.1 octet by number", "a\\255\\000.example", "a\\255\\000.example"},
      {"an underscore is ordinary", "_25._tcp.mx.example", "_25._tcp.mx.example"},
      {"empty label", "a..b", nullptr},
      {"label in front missing", ".a", nullptr},
      {"63 octets", std::string(63, 'a') + ".b", nullptr},
      {"64 octets", std::string(64, 'a') + ".b", nullptr},
      {"number over 255", "a\\256", nullptr},
      {"escape cut", "a\\", nullptr},
      {"number cut", "a\\12", nullptr},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const auto wire = to_wire_name(r.in);
    if (std::string_view(r.why) == "63 octets") {
      CHECK(wire.has_value());
      continue;
    }
    REQUIRE(wire.has_value() == (r.back != nullptr));
    if (wire) CHECK(from_wire_name(*wire) == r.back);
  }
  std::string longest;
  for (int i = 0; i < 127; ++i) longest += "a.";
  CHECK(to_wire_name(longest).has_value());
  CHECK_FALSE(to_wire_name(longest + "a").has_value());
}

TEST_CASE("a question") {
  const std::string wire = to_wire_name("a.example").value();
  CHECK(encode_dns_query(0x1234, wire, dns_type::mx, 1232) ==
        "\x12\x34\x01\x20\0\1\0\0\0\0\0\1"s + wire + "\0\x0f\0\1"s + "\0\0\x29\x04\xd0\0\0\0\0\0\0"s);
}

TEST_CASE("records of each type") {
  builder b;
  b.answers = {builder::record(self, 1, 300, "\xc0\0\2\1"), builder::record(self, 1, 60, "\xc0\0\2\2"s)};
  b.answers[0] = builder::record(self, 1, 300, "\xc0\0\2\1"s);
  b.flags = 0x81a0;
  auto got = decode(b.build(), b);
  REQUIRE(got.has_value());
  CHECK(got->status == dns_status::found);
  CHECK(got->authenticated);
  CHECK(got->ttl == std::chrono::seconds(60));
  REQUIRE(got->records.size() == 2);
  CHECK(std::get<base::ip_address>(got->records[1]).to_string() == "192.0.2.2");

  b.flags = 0x8180;
  b.type = dns_type::aaaa;
  b.answers = {builder::record(self, 28, 5, "\x20\1\x0d\xb8"s + std::string(11, '\0') + "\1")};
  CHECK(std::get<base::ip_address>(decode(b.build(), b)->records[0]).to_string() == "2001:db8::1");
  CHECK_FALSE(decode(b.build(), b)->authenticated);

  b.type = dns_type::mx;
  b.answers = {builder::record(self, 15, 5, "\0\x0a\2mx"s + self), builder::record(self, 15, 5, "\0\0\0"s)};
  got = decode(b.build(), b);
  CHECK(std::get<base::dns_mx>(got->records[0]).preference == 10);
  CHECK(std::get<base::dns_mx>(got->records[0]).exchange == "mx.example.org");
  CHECK(std::get<base::dns_mx>(got->records[1]).exchange == "");  // RFC 7505 §3

  b.type = dns_type::txt;
  b.answers = {builder::record(self, 16, 5, "\6v=spf1\5 -all"s), builder::record(self, 16, 5, "\0"s)};
  CHECK(std::get<base::dns_txt>(decode(b.build(), b)->records[0]).text == "v=spf1 -all");

  b.type = dns_type::ptr;
  b.answers = {builder::record(self, 12, 5, "\4host"s + self)};
  CHECK(std::get<base::dns_name>(decode(b.build(), b)->records[0]).name == "host.example.org");

  b.type = dns_type::srv;
  b.answers = {builder::record(self, 33, 5, "\0\1\0\2\3\xe1\2mx"s + self), builder::record(self, 33, 5, "\0\0\0\0\0\0\0"s)};
  got = decode(b.build(), b);
  const auto srv = std::get<base::dns_srv>(got->records[0]);
  CHECK(srv.priority == 1);
  CHECK(srv.weight == 2);
  CHECK(srv.port == 993);
  CHECK(srv.target == "mx.example.org");
  CHECK(std::get<base::dns_srv>(got->records[1]).target == "");  // RFC 2782: not offered
  b.answers = {builder::record(self, 33, 5, "\0\1\0\2\3"s)};
  CHECK_FALSE(decode(b.build(), b).has_value());

  b.type = dns_type::tlsa;
  b.answers = {builder::record(self, 52, 5, "\3\1\1"s + std::string(32, 'h'))};
  const auto tlsa = std::get<base::dns_tlsa>(decode(b.build(), b)->records[0]);
  CHECK(tlsa.usage == 3);
  CHECK(tlsa.selector == 1);
  CHECK(tlsa.matching == 1);
  CHECK(tlsa.data == std::string(32, 'h'));
}

TEST_CASE("aliases are followed, whatever their order; circles and long chains are malformed") {
  builder b;
  const std::string one = to_wire_name("one.example").value(), two = to_wire_name("two.example").value();
  b.answers = {builder::record(two, 1, 100, "\xc0\0\2\1"s), builder::record(one, 5, 40, two),
               builder::record(self, 5, 200, one),
               builder::record(to_wire_name("stranger.example").value(), 1, 1, "\xc0\0\2\x63"s)};
  auto got = decode(b.build(), b);
  REQUIRE(got.has_value());
  CHECK(got->records.size() == 1);
  CHECK(got->canonical_name == "two.example");
  CHECK(got->ttl == std::chrono::seconds(40));

  b.answers = {builder::record(self, 5, 1, one), builder::record(one, 5, 1, two), builder::record(two, 5, 1, one)};
  CHECK(decode(b.build(), b).error() == base::errc::malformed);

  b.answers = {builder::record(self, 5, 1, to_wire_name("n0.example").value())};
  for (int i = 0; i < 15; ++i)
    b.answers.push_back(builder::record(to_wire_name("n" + std::to_string(i) + ".example").value(), 5, 1,
                                        to_wire_name("n" + std::to_string(i + 1) + ".example").value()));
  CHECK(decode(b.build(), b)->status == dns_status::no_data);  // sixteen
  b.answers.push_back(builder::record(to_wire_name("n15.example").value(), 5, 1, to_wire_name("n16.example").value()));
  CHECK_FALSE(decode(b.build(), b).has_value());
}

TEST_CASE("negative answers and failures") {
  builder b;
  const std::string soa = "\0\0"s + std::string(16, '\0') + "\0\0\0\x1e"s;  // MINIMUM 30
  b.authorities = {builder::record(self, 6, 100, soa)};
  CHECK(decode(b.build(), b)->status == dns_status::no_data);
  CHECK(decode(b.build(), b)->ttl == std::chrono::seconds(30));
  b.flags = 0x8183;
  CHECK(decode(b.build(), b)->status == dns_status::no_name);
  CHECK(decode(b.build(), b)->ttl == std::chrono::seconds(30));
  b.authorities.clear();
  CHECK(decode(b.build(), b)->ttl == std::chrono::seconds(0));
  // RFC 6604 §3: NXDOMAIN at the end of a chain.
  b.answers = {builder::record(self, 5, 10, to_wire_name("gone.example").value())};
  CHECK(decode(b.build(), b)->status == dns_status::no_name);
  b.answers.clear();
  b.flags = 0x8182;
  CHECK(decode(b.build(), b)->status == dns_status::failed);
  b.flags = 0x8180;  // RFC 6891 §6.1.3: BADVERS stands in the OPT record only
  b.others = {std::string(1, '\0') + u16(41) + u16(1232) + "\1\0\0\0"s + u16(0)};
  CHECK(decode(b.build(), b)->status == dns_status::failed);
}

TEST_CASE("what is malformed") {
  builder good;
  good.answers = {builder::record(self, 1, 1, "\xc0\0\2\1"s)};
  REQUIRE(decode(good.build(), good).has_value());
  struct row {
    const char* why;
    std::function<void(builder&)> spoil;
  };
  const row rows[] = {
      {"a question, no answer", [](builder& b) { b.flags = 0x0100; }},
      {"another operation", [](builder& b) { b.flags = 0x9180; }},
      {"cut, where TCP should have brought all", [](builder& b) { b.flags = 0x8380; }},
      {"RFC 1035 §3.4.1 an address of three octets",
       [](builder& b) { b.answers = {builder::record(self, 1, 1, "abc")}; }},
      {"a pointer to itself", [](builder& b) { b.answers = {builder::record("\xc0\x1d"s, 1, 1, "abcd")}; }},
      {"a pointer ahead", [](builder& b) { b.answers = {builder::record("\xc0\x40"s, 1, 1, "abcd")}; }},
      {"RFC 1035 §4.1.4 a label type that does not exist",
       [](builder& b) { b.answers = {builder::record("\x80\0"s, 1, 1, "abcd")}; }},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    builder spoilt = good;
    r.spoil(spoilt);
    CHECK(decode(spoilt.build(), good).error() == base::errc::malformed);
  }
  builder other = good;
  other.question = to_wire_name("example.com").value();
  CHECK_FALSE(decode(other.build(), good).has_value());  // an answer to another question
  other = good;
  other.type = dns_type::mx;
  CHECK_FALSE(decode(other.build(), good).has_value());
  builder shouted = good;
  for (char& c : shouted.question) c = static_cast<char>(std::toupper(c));
  CHECK(decode(shouted.build(), good).has_value());  // RFC 4343: without case
}

TEST_CASE("cut at every octet") {
  builder b;
  b.type = dns_type::mx;
  b.answers = {builder::record(self, 5, 9, "\1a"s + self), builder::record("\1a"s + self, 15, 9, "\0\1\2mx"s + self)};
  b.authorities = {builder::record(self, 6, 1, "\0\0"s + std::string(20, '\0'))};
  b.others = {std::string(1, '\0') + u16(41) + u16(1232) + "\0\0\0\0"s + u16(0)};
  const std::string whole = b.build();
  REQUIRE(decode(whole, b).has_value());
  for (std::size_t n = 0; n < whole.size(); ++n) CHECK_FALSE(decode(whole.substr(0, n), b).has_value());
}
