#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/protocol/imap/response_code.hpp"
#include "briefwerk/protocol/imap/response_writer.hpp"

namespace imap = briefwerk::protocol::imap;
namespace mail = briefwerk::mail;

namespace {

std::string text_of(imap::output_chain& out) {
  std::string all;
  for (const auto piece : out.pieces()) all += piece;
  return all;
}

template <class F>
std::string written(F&& f, bool utf8 = false) {
  imap::response_writer out;
  out.set_utf8(utf8);
  f(out);
  auto all = text_of(out);
  CHECK(all.size() == out.size());
  return all;
}

const std::vector<std::string> keywords = {"$Forwarded", "", "$Junk"};

}  // namespace

TEST_CASE("imap writer: numbers") {
  const std::uint64_t values[] = {0, 1, 9, 10, 99, 100, 101, 999, 1000, 12345, 99999999, 100000000, 4294967295u, 18446744073709551615u};
  for (const auto value : values) CHECK(written([&](auto& out) { out.number(value); }) == std::to_string(value));
  for (std::uint64_t value = 0; value < 20000; ++value) {
    char at[20];
    const std::string_view text(at, static_cast<std::size_t>(imap::response_writer::put_number(at, value) - at));
    if (text != std::to_string(value)) CHECK(text == std::to_string(value));
  }
}

TEST_CASE("imap writer: strings") {
  struct row {
    const char* why;
    std::string_view text, as_string, as_astring, as_string_utf8;
  };
  const row rows[] = {
      {"an atom", "abc", "\"abc\"", "abc", "\"abc\""},
      {"empty", "", "\"\"", "\"\"", "\"\""},
      {"space", "a b", "\"a b\"", "\"a b\"", "\"a b\""},
      {"quoted-specials", "a\"\\", R"("a\"\\")", R"("a\"\\")", R"("a\"\\")"},
      {"line ends need a literal", "a\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb", "{4}\r\na\r\nb"},
      {"RFC 9051 §4.3 UTF-8", "\xC3\xBC", "{2}\r\n\xC3\xBC", "{2}\r\n\xC3\xBC", "\"\xC3\xBC\""},
      {"octets that are no UTF-8", "\xFC", "{1}\r\n\xFC", "{1}\r\n\xFC", "{1}\r\n\xFC"},
      {"NIL as a name is no atom", "nil", "\"nil\"", "\"nil\"", "\"nil\""},
      {"NUL cannot be sent", std::string_view("a\0", 2), "{4}\r\na\xEF\xBF\xBD", "{4}\r\na\xEF\xBF\xBD", "\"a\xEF\xBF\xBD\""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(written([&](auto& out) { out.string(row.text); }) == row.as_string);
    CHECK(written([&](auto& out) { out.astring(row.text); }) == row.as_astring);
    CHECK(written([&](auto& out) { out.string(row.text); }, true) == row.as_string_utf8);
  }
  CHECK(written([](auto& out) { out.nstring({}); }) == "NIL");
}

TEST_CASE("imap writer: mailbox names") {
  struct row {
    const char* why;
    std::string_view name, rev1, utf8;
  };
  const row rows[] = {
      {"ASCII", "INBOX", "INBOX", "INBOX"},
      {"RFC 3501 §5.1.3", "Entw\xC3\xBCrfe", "Entw&APw-rfe", "\"Entw\xC3\xBCrfe\""},
      {"ampersand", "Q&A", "Q&-A", "Q&A"},
      {"space", "Sent Items", "\"Sent Items\"", "\"Sent Items\""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(written([&](auto& out) { out.mailbox(row.name); }) == row.rev1);
    CHECK(written([&](auto& out) { out.mailbox(row.name); }, true) == row.utf8);
  }
}

TEST_CASE("imap writer: flags and dates") {
  using namespace mail::flags;
  struct row {
    const char* why;
    mail::flag_set set;
    std::string_view out;
  };
  const row rows[] = {
      {"none", 0, "()"},
      {"one", seen, "(\\Seen)"},
      {"all", system_mask | recent, "(\\Seen \\Answered \\Flagged \\Deleted \\Draft \\Recent)"},
      {"keywords", deleted | mail::keyword_bit(0) | mail::keyword_bit(2), "(\\Deleted $Forwarded $Junk)"},
      {"keyword alone", mail::keyword_bit(2), "($Junk)"},
      {"slots without a name", mail::keyword_bit(1) | mail::keyword_bit(47), "()"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(written([&](auto& out) { out.flag_names(row.set, keywords); }) == row.out);
  }
  const auto date = [](std::int64_t seconds, int offset) {
    return written([&](auto& out) { out.date_time(seconds, offset); });
  };
  CHECK(date(0, 0) == "\" 1-Jan-1970 00:00:00 +0000\"");
  CHECK(date(837596665, -420) == "\"17-Jul-1996 02:44:25 -0700\"");
  CHECK(date(-1, 90) == "\" 1-Jan-1970 01:29:59 +0130\"");
  CHECK(date(std::numeric_limits<std::int64_t>::max() / 2, 0) == "\"31-Dec-9999 23:59:59 +0000\"");
  CHECK(date(std::numeric_limits<std::int64_t>::min() / 2, 0) == "\" 1-Jan-0000 00:00:00 +0000\"");
}

TEST_CASE("imap writer: untagged responses") {
  CHECK(written([](auto& out) { out.exists(23); }) == "* 23 EXISTS\r\n");
  CHECK(written([](auto& out) { out.recent(0); }) == "* 0 RECENT\r\n");
  CHECK(written([](auto& out) { out.expunge(4294967295u); }) == "* 4294967295 EXPUNGE\r\n");
  CHECK(written([](auto& out) { out.vanished({{1, 3}, {7, 7}}, true); }) == "* VANISHED (EARLIER) 1:3,7\r\n");
  CHECK(written([](auto& out) { out.vanished({}, false); }).empty());
  CHECK(written([](auto& out) { out.flags(keywords); }) ==
        "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded $Junk)\r\n");
  CHECK(written([](auto& out) { out.permanent_flags(mail::flags::system_mask | mail::flags::keyword_mask, keywords); }) ==
        "* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft $Forwarded $Junk \\*)] Flags permitted\r\n");
  CHECK(written([](auto& out) { out.permanent_flags(0, keywords); }) == "* OK [PERMANENTFLAGS ()] No flag can be changed\r\n");
  CHECK(written([](auto& out) { out.permanent_flags(mail::flags::seen, keywords); }) == "* OK [PERMANENTFLAGS (\\Seen)] Flags permitted\r\n");
  // Nothing quoted in a text can begin a line of its own.
  CHECK(written([](auto& out) { out.no("", "a\r\n* BYE \xC3\xBC"); }) == "* NO a  * BYE ??\r\n");
  CHECK(written([](auto& out) { out.name_space('/'); }) == "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n");
  CHECK(written([](auto& out) { out.name_space('/', "Other Users/"); }) ==
        "* NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) NIL\r\n");
  const imap::acl_entry entries[] = {{"fred", mail::rights::all}, {"-a b", mail::rights::read}};
  CHECK(written([&](auto& out) { out.acl("team", entries); }) == "* ACL team fred lrswipkxtecda \"-a b\" r\r\n");
  CHECK(written([](auto& out) { out.list_rights("team", "x", mail::rights::all); }) ==
        "* LISTRIGHTS team x lrswipkxtecda\r\n");
  CHECK(written([](auto& out) { out.list_rights("team", "x", 0); }) ==
        "* LISTRIGHTS team x \"\" l r s w i p k x t e c d a\r\n");
  CHECK(written([](auto& out) { out.my_rights("team", mail::rights::read); }) == "* MYRIGHTS team r\r\n");
  const std::pair<std::string_view, std::string_view> fields[] = {{"name", "Briefwerk"}, {"version", "1"}};
  CHECK(written([&](auto& out) { out.id(fields); }) == "* ID (\"name\" \"Briefwerk\" \"version\" \"1\")\r\n");
  CHECK(written([](auto& out) { out.id({}); }) == "* ID NIL\r\n");
}

TEST_CASE("imap writer: METADATA (RFC 5464 §4.4.1)") {
  const imap::metadata_value values[] = {{"/shared/comment", "a b"}, {"/private/a", std::nullopt}, {"/private/b", std::string_view("x\0y", 3)}};
  CHECK(written([&](auto& out) { out.metadata("", values); }) ==
        std::string("* METADATA \"\" (/shared/comment \"a b\" /private/a NIL /private/b ~{3}\r\nx\0y)\r\n", 75));
  CHECK(written([&](auto& out) { out.metadata("x", {}); }).empty());
}

TEST_CASE("imap writer: LIST and STATUS") {
  const mail::special_use uses[] = {mail::special_use::sent};
  imap::list_entry entry{.name = "a b", .subscribed = true, .has_children = false, .use = uses};
  CHECK(written([&](auto& out) { out.list(entry); }) == "* LIST (\\HasNoChildren \\Subscribed \\Sent) \"/\" \"a b\"\r\n");
  CHECK(written([&](auto& out) { out.list(entry, true); }) == "* LSUB () \"/\" \"a b\"\r\n");
  imap::list_entry gone{.name = "x", .delimiter = 0, .no_select = true, .non_existent = true, .child_info_subscribed = true, .old_name = "y"};
  CHECK(written([&](auto& out) { out.list(gone); }) ==
        "* LIST (\\NonExistent) NIL x (\"CHILDINFO\" (\"SUBSCRIBED\") \"OLDNAME\" (y))\r\n");
  imap::list_entry root{.name = "", .no_select = true};
  CHECK(written([&](auto& out) { out.list(root); }) == "* LIST (\\NoSelect) \"/\" \"\"\r\n");
  const imap::status_values values{.messages = 231, .uid_next = 44292, .size = 9000000000};
  CHECK(written([&](auto& out) {
          out.status("blurdybloop", imap::status_messages | imap::status_uid_next | imap::status_size, values);
        }) == "* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292 SIZE 9000000000)\r\n");
}

TEST_CASE("imap writer: SEARCH and ESEARCH") {
  const mail::uid_set found{{2, 2}, {5, 7}};
  CHECK(written([&](auto& out) { out.search(found); }) == "* SEARCH 2 5 6 7\r\n");
  CHECK(written([&](auto& out) { out.search(found, 917162500); }) == "* SEARCH 2 5 6 7 (MODSEQ 917162500)\r\n");
  CHECK(written([&](auto& out) { out.search({}); }) == "* SEARCH\r\n");
  imap::esearch_result result{.tag = "A\"1", .by_uid = true, .returns = 15, .min = 2, .max = 7, .count = 4, .all = &found};
  CHECK(written([&](auto& out) { out.esearch(result); }) == "* ESEARCH (TAG \"A\\\"1\") UID MIN 2 MAX 7 ALL 2,5:7 COUNT 4\r\n");
  // RFC 4731 §3.1: nothing found, COUNT only.
  const mail::uid_set none;
  const std::uint8_t scores[] = {4, 100, 42, 1};
  result.returns = imap::return_all | imap::return_relevancy;
  result.relevancy = scores;
  CHECK(written([&](auto& out) { out.esearch(result); }) ==
        "* ESEARCH (TAG \"A\\\"1\") UID ALL 2,5:7 RELEVANCY (4 100 42 1)\r\n");  // RFC 6203 §4
  imap::esearch_result empty{.tag = "a", .returns = 15, .all = &none};
  CHECK(written([&](auto& out) { out.esearch(empty); }) == "* ESEARCH (TAG \"a\") COUNT 0\r\n");
}

TEST_CASE("imap writer: FETCH rows") {
  CHECK(written([](auto& out) {
          out.fetch(12).flags(mail::flags::seen, {}).uid(7).size(2048).internal_date(0).modseq(65402);
        }) == "* 12 FETCH (FLAGS (\\Seen) UID 7 RFC822.SIZE 2048 INTERNALDATE \" 1-Jan-1970 00:00:00 +0000\" MODSEQ (65402))\r\n");
  CHECK(written([](auto& out) { out.fetch(1).envelope("(NIL)").body("(1)").body_structure("(2)"); }) ==
        "* 1 FETCH (ENVELOPE (NIL) BODY (1) BODYSTRUCTURE (2))\r\n");

  const std::uint32_t part[] = {1, 2};
  const std::string_view fields[] = {"DATE", "X Y"};
  imap::fetch_item item{.kind = imap::fetch_kind::section, .text = imap::section_text::header_fields, .part = part, .fields = fields};
  CHECK(written([&](auto& out) { out.fetch(1).section(item, "x\r\n"); }) ==
        "* 1 FETCH (BODY[1.2.HEADER.FIELDS (DATE \"X Y\")] {3}\r\nx\r\n)\r\n");
  item.partial = {.offset = 2, .length = 3};
  CHECK(imap::fetch_row::cut(item, "abcdefg") == "cde");
  CHECK(imap::fetch_row::cut(item, "abc") == "c");
  CHECK(imap::fetch_row::cut(item, "a").empty());
  CHECK(written([&](auto& out) { out.fetch(1).section_nil(item); }) == "* 1 FETCH (BODY[1.2.HEADER.FIELDS (DATE \"X Y\")]<2> NIL)\r\n");

  struct row {
    const char* why;
    imap::fetch_item item;
    std::string_view out;
  };
  const row rows[] = {
      {"whole", {.kind = imap::fetch_kind::section}, "* 1 FETCH (BODY[] {1}\r\nx)\r\n"},
      {"RFC 3501 names", {.kind = imap::fetch_kind::rfc822}, "* 1 FETCH (RFC822 {1}\r\nx)\r\n"},
      {"RFC 3501 names", {.kind = imap::fetch_kind::rfc822_header, .text = imap::section_text::header}, "* 1 FETCH (RFC822.HEADER {1}\r\nx)\r\n"},
      {"RFC 3516", {.kind = imap::fetch_kind::binary, .part = part}, "* 1 FETCH (BINARY[1.2] {1}\r\nx)\r\n"},
      {"MIME", {.kind = imap::fetch_kind::section, .text = imap::section_text::mime, .part = part}, "* 1 FETCH (BODY[1.2.MIME] {1}\r\nx)\r\n"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    CHECK(written([&](auto& out) { out.fetch(1).section(row.item, "x"); }) == row.out);
  }
  // RFC 3516 §4.2: literal8 for octets with NUL.
  const imap::fetch_item binary{.kind = imap::fetch_kind::binary};
  CHECK(written([&](auto& out) { out.fetch(1).section(binary, std::string_view("\0", 1)); }) ==
        std::string("* 1 FETCH (BINARY[] ~{1}\r\n\0)\r\n", 30));
}

TEST_CASE("imap writer: large octets are referred to, kept alive and let go") {
  auto blob = std::make_shared<const std::string>(100000, 'b');
  const std::weak_ptr<const std::string> watch = blob;
  const char* const octets = blob->data();
  imap::response_writer out;
  const imap::fetch_item item{.kind = imap::fetch_kind::section};
  out.fetch(1).section(item, *blob, blob).uid(9);
  blob.reset();
  const auto pieces = out.pieces();
  REQUIRE(pieces.size() == 3);
  CHECK(pieces[0] == "* 1 FETCH (BODY[] {100000}\r\n");
  CHECK(pieces[1].data() == octets);
  CHECK(pieces[2] == " UID 9)\r\n");
  CHECK(!watch.expired());
  out.clear();
  CHECK(watch.expired());
  CHECK(out.empty());
}

TEST_CASE("imap codes") {
  namespace codes = imap::codes;
  CHECK(codes::append_uid(38505, {{3955, 3956}}) == "APPENDUID 38505 3955:3956");
  CHECK(codes::copy_uid(38505, {{304, 304}, {319, 320}}, {{3956, 3958}}) == "COPYUID 38505 304,319:320 3956:3958");
  CHECK(codes::uid_validity(1) == "UIDVALIDITY 1");
  CHECK(codes::modified({{7, 7}, {9, 9}}) == "MODIFIED 7,9");
}
