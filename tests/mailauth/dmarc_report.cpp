#include "briefwerk/mailauth/dmarc_report.hpp"

#include <doctest/doctest.h>

#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "mail/suites.hpp"
#include "mailauth/inflate.hpp"

using namespace briefwerk;
using namespace briefwerk::mailauth::dmarc;
using base::errc;
using mailauth::outcome;

namespace {

std::chrono::sys_seconds at(std::int64_t seconds) { return std::chrono::sys_seconds(std::chrono::seconds(seconds)); }

report sample() {
  report out;
  out.version = "1.0";
  out.metadata = {.org_name = "Reporter & Söhne <GmbH>",
                  .email = "noreply-dmarc@mx.example",
                  .extra_contact_info = "https://mx.example/dmarc",
                  .report_id = "20261125-example.org@mx.example",
                  .begin = at(1764028800),
                  .end = at(1764115199),
                  .errors = {"pct: no number"},
                  .generator = {}};
  out.published = {.domain = "example.org",
                   .version_published = {},
                   .adkim = alignment::strict,
                   .aspf = alignment::relaxed,
                   .p = policy::reject,
                   .sp = policy::quarantine,
                   .np = {},
                   .pct = 50,
                   .testing = {},
                   .method = {},
                   .fo = "1:d"};
  out.rows.push_back({.source_ip = "2001:db8::1",
                      .count = 3,
                      .disposition = action::quarantine,
                      .dkim = outcome::fail,
                      .spf = outcome::pass,
                      .reasons = {{override_type::local_policy, "a list"}, {override_type::sampled_out, ""}},
                      .header_from = "news.example.org",
                      .envelope_from = "bounce.example.org",
                      .envelope_to = "mx.example",
                      .dkim_results = {{"list.example", "s1", outcome::pass, "2048 bit"},
                                       {"example.org", "s2", outcome::temperror, ""}},
                      .spf_results = {{"bounce.example.org", spf_scope::mail_from, outcome::softfail, ""}}});
  out.rows.push_back({.source_ip = "192.0.2.1",
                      .count = 1,
                      .disposition = action::none,
                      .dkim = outcome::pass,
                      .spf = outcome::fail,
                      .reasons = {},
                      .header_from = "example.org",
                      .envelope_from = "",
                      .envelope_to = {},
                      .dkim_results = {},
                      .spf_results = {{"mail.example.org", spf_scope::helo, outcome::none, ""}}});
  return out;
}

base::result<report> read(std::string_view inside) {
  return parse_report("<feedback><policy_published><domain>example.org</domain></policy_published>" +
                      std::string(inside) + "</feedback>");
}

// A zip with one stored file, or deflated octets given with the size and checksum that they should have.
std::string zip(const std::vector<std::string>& files) {
  std::string out, central;
  const auto number = [](std::size_t value, int width) {
    std::string text;
    for (int i = 0; i < width; ++i) text += static_cast<char>(value >> (8 * i));
    return text;
  };
  for (const auto& file : files) {
    // gzip knows the checksum and the raw stream: RFC 1952 §2.3.
    const auto packed = gzip(file);
    const auto raw = packed.substr(10, packed.size() - 18), crc = packed.substr(packed.size() - 8, 4);
    const auto common = number(20, 2) + number(0, 2) + number(8, 2) + number(0, 4) + crc + number(raw.size(), 4) +
                        number(file.size(), 4) + number(5, 2) + number(0, 2);
    central += "PK\1\2" + number(20, 2) + common + number(0, 2) + number(0, 2) + number(0, 2) + number(0, 4) +
               number(out.size(), 4) + "a.xml";
    out += "PK\3\4" + common + "a.xml" + raw;
  }
  const auto central_at = out.size();
  out += central;
  return out + "PK\5\6" + number(0, 4) + number(files.size(), 2) + number(files.size(), 2) + number(central.size(), 4) +
         number(central_at, 4) + number(0, 2);
}

constexpr mailauth::inflate_bounds small{.octets = 1u << 21, .ratio = 100, .entries = 3};

}  // namespace

TEST_CASE("a report is read as it was written") {
  const auto what = sample();
  const auto found = parse_report(write_report(what));
  REQUIRE(found);
  CHECK(found->metadata == what.metadata);
  CHECK(found->published == what.published);
  REQUIRE(found->rows.size() == 2);
  CHECK(found->rows[0] == what.rows[0]);
  CHECK(found->rows[1] == what.rows[1]);
}

TEST_CASE("RFC 9990's form has its own words, and leaves out those of RFC 7489") {
  auto what = sample();
  what.published.np = policy::reject;
  what.published.testing = true;
  what.published.method = discovery::tree_walk;
  what.metadata.generator = "Briefwerk";
  what.metadata.errors.push_back("second");
  what.rows[1].disposition = action::pass;
  const auto text = write_report(what, report_format::rfc9990);
  CHECK(text.find("<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">") != text.npos);
  CHECK(text.find("<pct>") == text.npos);
  CHECK(text.find("sampled_out</type>") == text.npos);
  CHECK(text.find("<scope>helo") == text.npos);
  const auto found = parse_report(text);
  REQUIRE(found);
  CHECK(found->published.np == policy::reject);
  CHECK(found->published.testing == true);
  CHECK(found->published.method == discovery::tree_walk);
  CHECK(found->metadata.generator == "Briefwerk");
  CHECK(found->metadata.errors == std::vector<std::string>{"pct: no number; second"});
  CHECK(found->rows[0].reasons[1] == override_reason{override_type::other, "sampled_out"});
  CHECK(found->rows[1].disposition == action::pass);
  // The older form says it as "none".
  CHECK(parse_report(write_report(what))->rows[1].disposition == action::none);
}

TEST_CASE("whatever the values hold, the document is well formed") {
  for (int c = 0; c < 256; ++c) {
    auto what = sample();
    what.metadata.org_name = std::string("a") + static_cast<char>(c) + "]]>&lt;\xef\xbf\xbf";
    what.rows[0].header_from = what.metadata.org_name;
    const auto found = parse_report(write_report(what));
    REQUIRE(found);
    CHECK(found->rows[0].header_from.ends_with("]]>&lt;?"));
    CHECK(found->metadata.org_name == found->rows[0].header_from);
  }
}

TEST_CASE("what reporters send, though no schema allows it") {
  struct row {
    std::string why, xml;
  };
  const std::string body =
      "<report_metadata><org_name>M\xc3\xbcller</org_name></report_metadata>"
      "<policy_published><domain>example.org</domain></policy_published>"
      "<record><row><source_ip>192.0.2.1</source_ip><count> 7 </count></row></record></feedback>";
  std::string wide = "\xff\xfe";
  for (const char c : "<?xml version=\"1.0\" encoding=\"utf-16\"?><feedback>" + body)
    if (c != '\xc3') wide += c == '\xbc' ? std::string("\xfc\0", 2) : std::string{c, '\0'};
  auto latin = body;
  latin.replace(latin.find("\xc3\xbc"), 2, "\xfc");
  const row rows[] = {
      {"plain", "<feedback>" + body},
      {"a byte order mark", "\xef\xbb\xbf<?xml version=\"1.0\"?><feedback>" + body},
      {"white space before the declaration", "\r\n <?xml version=\"1.0\"?><feedback>" + body},
      {"a namespace that is not declared",
       "<ns2:feedback xmlns=\"http://wrong.example/\">" + body.substr(0, body.size() - 11) + "</ns2:feedback>"},
      {"attributes", "<feedback xmlns:xs=\"http://www.w3.org/2001/XMLSchema-instance\" xs:x='y'>" + body},
      {"UTF-16", wide},
      {"it says UTF-16 and is UTF-8", "<?xml version=\"1.0\" encoding=\"UTF-16\"?><feedback>" + body},
      {"it says UTF-8 and is not", "<?xml version=\"1.0\" encoding=\"UTF-8\"?><feedback>" + latin},
      {"ISO 8859-1", "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><feedback>" + latin},
      {"windows-1252", "<?xml version=\"1.0\" encoding=\"windows-1252\"?><feedback>" + latin},
      {"a charset that nobody knows", "<?xml version=\"1.0\" encoding=\"x-nobody\"?><feedback>" + body},
      {"something behind the end", "<feedback>" + body + "\n\0\0 trailing"},
      {"comments and CDATA", "<!-- x --><feedback><!-- <record> --><?pi?>" + body},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto found = parse_report(r.xml);
    REQUIRE(found);
    CHECK(found->metadata.org_name == "M\xc3\xbcller");
    REQUIRE(found->rows.size() == 1);
    CHECK(found->rows[0].count == 7);
  }
}

TEST_CASE("missing, unknown, doubled and strange elements") {
  struct row {
    std::string why, xml;
    report_row expected;
  };
  const auto with = [](auto change) {
    report_row out;
    change(out);
    return out;
  };
  const row rows[] = {
      {"an empty record", "<record/>", {}},
      {"the first of two counts",
       "<record><row><count>1</count><count>2</count><source_ip>a</source_ip><source_ip>b</source_ip></row></record>",
       with([](auto& r) {
         r.count = 1;
         r.source_ip = "a";
       })},
      {"words nobody knows",
       "<record><row><policy_evaluated><disposition>shrug</disposition><dkim>maybe</dkim></policy_evaluated></row></"
       "record>",
       {}},
      {"words in any case",
       "<record><row><policy_evaluated><disposition>Reject</disposition><spf>PASS</spf></policy_evaluated></row></"
       "record>",
       with([](auto& r) {
         r.disposition = action::reject;
         r.spf = outcome::pass;
       })},
      {"an address in another form", "<record><row><source_ip> 2001:DB8:0:0::1 </source_ip></row></record>",
       with([](auto& r) { r.source_ip = "2001:db8::1"; })},
      {"no address", "<record><row><source_ip>unknown</source_ip></row></record>",
       with([](auto& r) { r.source_ip = "unknown"; })},
      {"a count that is none", "<record><row><count>-5</count></row></record>", {}},
      {"a count with a fraction", "<record><row><count>5.0</count></row></record>", with([](auto& r) { r.count = 5; })},
      {"an empty sender is a null reverse-path", "<record><identifiers><envelope_from/></identifiers></record>",
       with([](auto& r) { r.envelope_from = ""; })},
      {"a draft's name", "<record><identities><header_from>a.example</header_from></identities></record>",
       with([](auto& r) { r.header_from = "a.example"; })},
      {"older words of SPF",
       "<record><auth_results><spf><result>hardfail</result></spf><spf><result>unknown</result></"
       "spf><spf><result>error</result></spf></auth_results></record>",
       with([](auto& r) {
         r.spf_results = {{.domain = {}, .scope = {}, .result = outcome::fail, .human_result = {}},
                          {.domain = {}, .scope = {}, .result = outcome::temperror, .human_result = {}},
                          {.domain = {}, .scope = {}, .result = outcome::permerror, .human_result = {}}};
       })},
      {"extensions",
       "<record><x:arc xmlns:x='u'><row><count>9</count></row></x:arc><row><count>1</count></row></record>",
       with([](auto& r) { r.count = 1; })},
      {"elements at a wrong place", "<record><count>9</count><header_from>x</header_from></record>", {}},
      {"a reason without type",
       "<record><row><policy_evaluated><reason><comment>c</comment></reason></policy_evaluated></row></record>",
       with([](auto& r) { r.reasons = {{override_type::other, "c"}}; })},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto found = read(r.xml);
    REQUIRE(found);
    REQUIRE(found->rows.size() == 1);
    CHECK(found->rows[0] == r.expected);
  }
}

TEST_CASE("documents that are refused") {
  struct row {
    std::string why, xml;
    errc expected;
  };
  std::string deep = "<feedback>", wide = "<feedback><policy_published><domain>a</domain></policy_published>";
  for (std::size_t i = 0; i < base::limits::dmarc_report_depth; ++i) deep += "<a>";
  for (int i = 0; i < 4; ++i) wide += "<record/>";
  const row rows[] = {
      {"nothing", "", errc::malformed},
      {"text", "hello", errc::malformed},
      {"another root", "<html><feedback/></html>", errc::malformed},
      {"a domain nowhere", "<feedback><record/></feedback>", errc::malformed},
      {"cut", "<feedback><policy_published><domain>a</domain></policy_published>", errc::malformed},
      {"tags that do not match", "<feedback><a></b></feedback>", errc::malformed},
      {"entities that grow", "<!DOCTYPE a [<!ENTITY x \"xxxx\"><!ENTITY y \"&x;&x;\">]><feedback>&y;</feedback>",
       errc::malformed},
      {"an entity from outside",
       "<!DOCTYPE a [<!ENTITY x SYSTEM "
       "\"file:///etc/passwd\">]><feedback><policy_published><domain>&x;</domain></policy_published></feedback>",
       errc::malformed},
      {"an entity that is not declared",
       "<feedback><policy_published><domain>a&x;</domain></policy_published></feedback>", errc::malformed},
      {"too deep", deep, errc::limit_exceeded},
      {"too many rows", wide, errc::limit_exceeded},
      {"too long", std::string(5000, ' ') + wide, errc::limit_exceeded},
  };
  report_limits bounds;
  bounds.rows = 3;
  bounds.octets = 5000;
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto found = parse_report(r.xml, bounds);
    REQUIRE_FALSE(found);
    CHECK(found.error() == r.expected);
  }
}

TEST_CASE("long texts and many results are cut") {
  std::string many = "<record><auth_results>";
  for (std::size_t i = 0; i < base::limits::dmarc_report_results + 5; ++i) many += "<dkim><domain>d</domain></dkim>";
  many += "</auth_results><identifiers><header_from>" + std::string(base::limits::dmarc_report_text * 3, 'x') +
          "</header_from></identifiers></record>";
  const auto found = read(many);
  REQUIRE(found);
  CHECK(found->rows[0].dkim_results.size() == base::limits::dmarc_report_results);
  CHECK(found->rows[0].header_from.size() == base::limits::dmarc_report_text);
}

TEST_CASE("gzip and zip") {
  const auto xml = write_report(sample());
  CHECK(mailauth::gunzip(gzip(xml), small) == xml);
  CHECK(mailauth::gunzip(gzip("a") + gzip("b") + "trailing", small) == "ab");
  CHECK(mailauth::unzip(zip({"a", "", "bb"}), small) == std::vector<std::string>{"a", "bb"});
  CHECK(mailauth::unzip(zip({}).substr(0, 21), small).error() == errc::malformed);

  // What grows past its bounds is given up where it does.
  const std::string big(3u << 20, 'x'), fits(1u << 20, 'x');
  CHECK(mailauth::gunzip(gzip(big), small).error() == errc::limit_exceeded);
  CHECK(mailauth::unzip(zip({big}), small).error() == errc::limit_exceeded);
  CHECK(mailauth::gunzip(gzip(fits), small) == fits);
  CHECK(mailauth::gunzip(gzip(fits + "x"), small).error() == errc::limit_exceeded);  // its ratio
  CHECK(mailauth::unzip(zip({"1", "2", "3", "4"}), small).error() == errc::limit_exceeded);
  CHECK(mailauth::unzip(zip({fits, fits, "x"}), small).error() == errc::limit_exceeded);

  auto damaged = zip({xml});
  damaged[100] = static_cast<char>(damaged[100] ^ 1);
  CHECK_FALSE(mailauth::unzip(damaged, small));
  auto encrypted = zip({xml});
  encrypted[encrypted.rfind("PK\1\2") + 8] = 1;
  CHECK(mailauth::unzip(encrypted, small).error() == errc::unsupported);
}

TEST_CASE("archives cut at every octet") {
  const auto xml = write_report(sample());
  for (const auto& whole : {gzip(xml), zip({xml, xml})}) {
    for (std::size_t length = 0; length < whole.size(); ++length)
      test::with_exact_block(std::string_view(whole).substr(0, length),
                             [](std::string_view cut) { CHECK_FALSE(read_reports(cut)); });
    const auto found = read_reports(whole);
    REQUIRE(found);
    CHECK(found->front().published == sample().published);
  }
}

TEST_CASE("a document cut at every octet") {
  const auto xml = write_report(sample());
  for (std::size_t length = 0; length + 1 < xml.size(); ++length)
    test::with_exact_block(std::string_view(xml).substr(0, length),
                           [](std::string_view cut) { CHECK_FALSE(parse_report(cut)); });
}

TEST_CASE("the mail that carries a report") {
  const auto what = sample();
  const report_mail mail{.from = "noreply-dmarc@mx.example",
                         .from_name = "Söhne",
                         .to = {"rua@example.org", "other@example.net"},
                         .submitter = "mx.example",
                         .message_id = "x@mx.example",
                         .boundary = "part",
                         .date = at(1764115300),
                         .compressed = gzip(write_report(what)),
                         .file_name = report_file_name("mx.example", what, "<7!>")};
  CHECK(mail.file_name == "mx.example!example.org!1764028800!1764115199!7.xml.gz");
  CHECK(report_file_name("mx.example", what) == "mx.example!example.org!1764028800!1764115199.xml.gz");
  const auto text = write_report_mail(what, mail);
  const mail::header_block header(text);
  CHECK(mail::unfold(header.value("Subject")) ==
        "Report Domain: example.org Submitter: mx.example Report-ID: <20261125-example.org@mx.example>");
  CHECK(mail::unfold(header.value("To")) == "rua@example.org, other@example.net");
  CHECK(mail::decode_text(header.value("From")) == "Söhne <noreply-dmarc@mx.example>");
  CHECK(header.count("Auto-Submitted") == 1);
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] == '\n') REQUIRE(text[i - 1] == '\r');
  const mail::mime_tree tree(text);
  REQUIRE(tree.parts().size() == 3);
  CHECK(tree.is(tree.parts()[2], "application", "gzip"));
  const auto found = read_reports(text);
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().rows == what.rows);
}

TEST_CASE("where reports hide in messages") {
  const auto xml = write_report(sample());
  const auto part = [](std::string type, std::string encoding, std::string body) {
    return "Content-Type: " + type + "\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n" + body;
  };
  const auto base64 = [](const std::string& octets) { return mail::encode_base64_lines(octets); };
  struct row {
    std::string why, message;
    std::size_t expected;
  };
  const row rows[] = {
      {"the body is the archive", part("application/octet-stream", "base64", base64(gzip(xml))), 1},
      {"the type lies", part("image/png", "base64", base64(zip({xml}))), 1},
      {"text/xml", part("text/xml", "8bit", xml), 1},
      {"text/plain", part("text/plain", "quoted-printable", mail::encode_quoted_printable(xml)), 1},
      {"several in a zip", part("application/zip", "base64", base64(zip({xml, xml, "readme"}))), 2},
      {"two attachments",
       "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part("text/xml", "7bit", xml) + "\r\n--b\r\n" +
           part("application/gzip", "base64", base64(gzip(xml))) + "\r\n--b--\r\n",
       2},
      {"a forwarded report",
       "Content-Type: message/rfc822\r\n\r\n" + part("application/gzip", "base64", base64(gzip(xml))), 1},
      {"compressed twice", part("application/gzip", "base64", base64(gzip(gzip(xml)))), 1},
      {"a broken one beside a good one",
       "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + part("text/xml", "7bit", "<feedback>") +
           "\r\n--b\r\n" + part("text/xml", "7bit", xml) + "\r\n--b--\r\n",
       1},
  };
  for (const auto& r : rows) {
    CAPTURE(r.why);
    const auto found = read_reports("From: a@b.example\r\n" + r.message);
    REQUIRE(found);
    CHECK(found->size() == r.expected);
  }
  CHECK(read_reports("From: a@b.example\r\n\r\nhello").error() == errc::not_found);
  CHECK(read_reports("").error() == errc::not_found);
  CHECK(read_reports(part("text/xml", "7bit", "<feedback>")).error() == errc::malformed);
}

TEST_CASE("the summary") {
  auto first = sample(), again = sample(), second = sample();
  second.metadata.report_id = "other";
  second.metadata.org_name = "A";
  second.metadata.begin = at(5);
  second.published.domain = "EXAMPLE.org";
  auto other = sample();
  other.metadata.report_id = "third";
  other.published.domain = "a.example";
  const std::vector<report> all = {first, again, second, other};
  const auto found = summarise(all);
  REQUIRE(found.size() == 2);
  CHECK(found[0].domain == "a.example");
  const auto& one = found[1];
  CHECK(one.domain == "example.org");
  CHECK(one.reports == 2);  // the one that came twice counts once
  CHECK(one.reporters == std::vector<std::string>{"A", first.metadata.org_name});
  CHECK(one.begin == at(5));
  CHECK(one.end == first.metadata.end);
  CHECK(one.counts == summary_counts{.messages = 8, .passed = 8, .dkim = 2, .spf = 6, .quarantined = 6, .rejected = 0});
  REQUIRE(one.sources.size() == 2);
  CHECK(one.sources[0].source_ip == "2001:db8::1");
  CHECK(one.sources[0].counts.messages == 6);
  CHECK(one.sources[0].header_from == std::vector<std::string>{"news.example.org"});
  CHECK(summarise({}).empty());
}
