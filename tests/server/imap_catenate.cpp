// CATENATE (RFC 4469), REPLACE (RFC 8508), COMPRESS (RFC 4978).

#include <random>

#include "imap_support.hpp"
#include "server/imap/deflate_layer.hpp"
#include "server/imap/message_url.hpp"

namespace imap = briefwerk::server::imap;
namespace t = briefwerk::server::testing;
using t::client;
using t::has_line;
using t::has_part;
using t::house;

TEST_CASE("URLs of messages, RFC 5092") {
  struct row {
    const char* why;
    std::string_view url;
    std::string_view out;  // mailbox uidvalidity uid section partial; "" is no URL
  };
  const row rows[] = {
      {"a message", "/INBOX/;UID=20", "INBOX 0 20  "},
      {"any case", "/INBOX;uidvalidity=7/;uid=20/;section=header", "INBOX 7 20 header "},
      {"a part of a part", "/INBOX/;UID=20/;SECTION=1.2.MIME/;PARTIAL=5.10", "INBOX 0 20 1.2.MIME 5.10"},
      {"encoded", "/a%2Fb%20%C3%A4/;UID=1", "a/b \xC3\xA4 0 1  "},
      {"levels", "/a/b/c/;UID=1", "a/b/c 0 1  "},
      {"of the selected mailbox", ";UID=3/;SECTION=TEXT", " 0 3 TEXT "},
      {"with a server", "imap://mail.example.org/INBOX/;UID=20", "INBOX 0 20  "},
      {"with this user", "imap://alice%40example.org;AUTH=*@mail.example.org:993/INBOX/;UID=20", "INBOX 0 20  "},
      {"another user", "imap://bob@mail.example.org/INBOX/;UID=20", ""},
      {"a mailbox alone", "/INBOX", ""},
      {"no mailbox", "//;UID=20", ""},
      {"no UID", "/INBOX/;UID=", ""},
      {"UID 0", "/INBOX/;UID=0", ""},
      {"UID too large", "/INBOX/;UID=4294967296", ""},
      {"octets behind it", "/INBOX/;UID=20/x", ""},
      {"a control character", "/IN%0DBOX/;UID=20", ""},
      {"half a character", "/INBOX%C3/;UID=20", ""},
      {"half an octet", "/INBOX%C/;UID=20", ""},
      {"another scheme", "http://mail.example.org/INBOX/;UID=20", ""},
      {"nothing", "", ""},
  };
  for (const auto& row : rows) {
    CAPTURE(row.why);
    const auto url = imap::parse_message_url(row.url, "alice@example.org");
    std::string out;
    if (url) {
      out = url->mailbox + " " + std::to_string(url->uid_validity.value_or(0)) + " " + std::to_string(url->uid) + " " +
            url->section + " " + url->partial;
    }
    CHECK(out == row.out);
    for (std::size_t cut = 0; cut < row.url.size(); ++cut)
      static_cast<void>(imap::parse_message_url(row.url.substr(0, cut), "alice@example.org"));
  }
}

TEST_CASE("CATENATE, RFC 4469") {
  house home;
  client c(home);
  c.login();
  c.append("INBOX", t::second_message);
  c.command("CREATE B&APw-cher");
  c.command("SELECT INBOX");
  // Text, part of another message, text; by names of all kinds.
  auto said = c.command(
      "APPEND INBOX (\\Draft) CATENATE (TEXT {16+}\r\nSubject: made\r\n\r URL \"/INBOX/;UID=1/;SECTION=1\" TEXT "
      "{5+}\r\n\r\nend)");
  CHECK_MESSAGE(has_part(said, "OK [APPENDUID "), t::all_of(said));
  CHECK(has_part(c.command("FETCH 2 (FLAGS BODY.PEEK[])"), "Subject: made\r\n\rneedle in text\r\nend"));
  // Without a literal, and two messages at once (RFC 3502).
  said =
      c.command("APPEND B&APw-cher CATENATE (URL \"/INBOX/;UID=1\") (\\Seen) CATENATE (URL \";UID=2\" URL \";UID=1\")");
  CHECK_MESSAGE(has_part(said, ":2] "), t::all_of(said));
  // §4.1
  said = c.command("APPEND INBOX CATENATE (URL \"/INBOX/;UID=77\" TEXT {3+}\r\nabc)");
  CHECK_MESSAGE(has_part(said, "NO [BADURL /INBOX/;UID=77]"), t::all_of(said));
  for (const char* bad : {"/INBOX;UIDVALIDITY=1/;UID=1", "/INBOX/;UID=1/;SECTION=9", "/nowhere/;UID=1", "x"}) {
    CAPTURE(bad);
    CHECK(has_part(c.command("APPEND INBOX CATENATE (URL \"" + std::string(bad) + "\")"), "NO [BADURL "));
  }
  CHECK(has_part(c.command("APPEND INBOX CATENATE (TEXT {0+}\r\n)"), " NO "));
  CHECK(has_part(c.command("APPEND Nowhere CATENATE (TEXT {3+}\r\nabc)"), "NO [TRYCREATE]"));
  CHECK(has_part(c.command("APPEND INBOX CATENATE (TEXT abc)"), " BAD "));
  CHECK(has_line(c.command("STATUS INBOX (MESSAGES)"), "* STATUS INBOX (MESSAGES 2)"));
  CHECK(has_part(c.command("STATUS B&APw-cher (MESSAGES UNSEEN)"), "(MESSAGES 2 UNSEEN 1)"));
}

TEST_CASE("APPEND of literal8, RFC 3516 §4.4 and §6: the base protocol is shown no NUL") {
  house home;
  client c(home);
  c.login();
  c.command("SELECT INBOX");
  const auto append = [&](std::string_view text) {
    return c.command("APPEND INBOX ~{" + std::to_string(text.size()) + "+}\r\n" + std::string(text));
  };
  using namespace std::string_view_literals;
  constexpr auto single = "Content-Type: image/x\r\nContent-Transfer-Encoding:\r\n BINARY\r\nSubject: s\r\n\r\na\0b\xff\r\n"sv;
  CHECK(has_part(append(single), " OK [APPENDUID "));
  auto said = c.command("FETCH 1 (BODY.PEEK[] BINARY.PEEK[1] BINARY.SIZE[1] BODYSTRUCTURE)");
  CHECK_MESSAGE(has_part(said, "Content-Transfer-Encoding: base64\r\nSubject: s\r\n\r\nYQBi/w0K\r\n"), t::all_of(said));
  CHECK(has_part(said, "BINARY[1] ~{6}\r\na\0b\xff\r\n"sv));
  CHECK(has_part(said, "BINARY.SIZE[1] 6 "));
  CHECK(has_part(said, "\"base64\" 10"));
  // Of several parts only those that cannot be shown, which are what they were to who asks for them decoded.
  constexpr auto several =
      "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\nplain\r\n--b\r\n"
      "Content-Transfer-Encoding: binary\r\n\r\n\0\0\0\r\n--b\r\n\r\n7bit\r\n--b--\r\n"sv;
  CHECK(has_part(append(several), " OK [APPENDUID "));
  said = c.command("FETCH 2 (BODY.PEEK[] BINARY.PEEK[1] BINARY.PEEK[2] BINARY.PEEK[3])");
  CHECK_MESSAGE(has_part(said, "--b\r\nContent-Transfer-Encoding: binary\r\n\r\nplain\r\n--b\r\nContent-Transfer-Encoding: "
                               "base64\r\n\r\nAAAA\r\n\r\n--b\r\n\r\n7bit\r\n--b--\r\n"), t::all_of(said));
  CHECK(has_part(said, "BINARY[2] ~{3}\r\n\0\0\0 BINARY[3]"sv));
  // "Only where it is necessary."
  constexpr auto eight = "Content-Transfer-Encoding: binary\r\n\r\n\xff\nx"sv;
  CHECK(has_part(append(eight), " OK [APPENDUID "));
  CHECK(has_part(c.command("FETCH 3 BODY.PEEK[]"), eight));
}

TEST_CASE("REPLACE, RFC 8508") {
  house home;
  client c(home), other(home);
  c.login();
  other.login();
  for (int i = 0; i < 3; ++i) c.append("INBOX", t::first_message);
  c.command("SELECT INBOX");
  other.command("SELECT INBOX");
  auto said = c.command("REPLACE 2 INBOX (\\Draft) {14+}\r\nSubject: n\r\n\r\n");
  CHECK_MESSAGE(has_part(said, "* OK [APPENDUID "), t::all_of(said));
  CHECK(has_line(said, "* 2 EXPUNGE"));
  CHECK(has_line(said, "* 3 EXISTS"));
  // §4.3: the new UID is told before the old number goes.
  CHECK(said.front().starts_with("* OK [APPENDUID "));
  said = c.command("UID REPLACE 1 Drafts CATENATE (URL \";UID=4\" TEXT {1+}\r\n!)");
  CHECK_MESSAGE(has_line(said, "* 1 EXPUNGE"), t::all_of(said));
  CHECK(has_line(c.command("STATUS Drafts (MESSAGES)"), "* STATUS Drafts (MESSAGES 1)"));
  CHECK(has_part(c.command("UID REPLACE 1 INBOX {1+}\r\nx"), " NO "));
  CHECK(has_part(c.command("REPLACE 9 INBOX {1+}\r\nx"), " BAD "));
  CHECK(has_part(c.command("REPLACE 1 Nowhere {1+}\r\nx"), "NO [TRYCREATE]"));
  // Somebody was faster: nothing is stored.
  other.command("UID STORE 3 +FLAGS.SILENT (\\Deleted)");
  other.command("EXPUNGE");
  CHECK(has_part(c.command("UID REPLACE 3 INBOX {1+}\r\nx"), " NO "));
  CHECK(has_line(c.command("STATUS INBOX (MESSAGES)"), "* STATUS INBOX (MESSAGES 1)"));
  // §3.4: the quota counts what is left.
  REQUIRE(briefwerk::base::sync_wait(home.mail().set_quota(home.alice(), {.octets = 0, .messages = 2})).has_value());
  CHECK(has_part(c.command("APPEND INBOX {1+}\r\nx"), "NO [OVERQUOTA]"));
  CHECK(has_part(c.command("UID REPLACE 4 INBOX {1+}\r\nx"), " OK "));
  c.command("EXAMINE INBOX");
  CHECK(has_part(c.command("REPLACE 1 INBOX {1+}\r\nx"), "NO [NOPERM]"));
}

namespace {

std::string through(imap::deflate_layer& layer, std::string_view compressed, std::size_t portion) {
  std::string out;
  while (!compressed.empty()) {
    layer.give(compressed.substr(0, portion));
    compressed.remove_prefix(std::min(portion, compressed.size()));
    do {
      char plain[100];
      const auto got = layer.read(plain);
      REQUIRE(got.has_value());
      out.append(plain, *got);
    } while (layer.has_input());
    layer.rest();
  }
  return out;
}

}  // namespace

TEST_CASE("DEFLATE goes on after a rest, RFC 4978") {
  for (const std::size_t portion : {std::size_t{1}, std::size_t{7}, std::size_t{10000}}) {
    CAPTURE(portion);
    imap::deflate_layer sender, receiver;
    std::mt19937 random(3);
    std::string all, got;
    for (int i = 0; i < 50; ++i) {
      std::string line = "a" + std::to_string(i) + " FETCH 1:* (FLAGS UID ENVELOPE)\r\n";
      for (unsigned n = random() % 300; n > 0; --n) line.push_back(static_cast<char>(random() % 4 + 'a'));
      std::string compressed;
      REQUIRE(sender.write(line, true, compressed).has_value());
      if (i % 3 == 0) sender.rest();
      all += line;
      got += through(receiver, compressed, portion);
      CHECK(got == all);
    }
  }
}

TEST_CASE("what is no DEFLATE, and what means very much") {
  imap::deflate_layer broken;
  broken.give("\xff\xff\xff\xff plain text");
  char plain[1000];
  CHECK_FALSE(broken.read(plain).has_value());
  // A megabyte in a few octets comes in portions.
  imap::deflate_layer sender, receiver;
  std::string bomb;
  REQUIRE(sender.write(std::string(1u << 20, 'x'), true, bomb).has_value());
  CHECK(bomb.size() < 8192);
  receiver.give(bomb);
  std::size_t octets = 0;
  do {
    const auto got = receiver.read(plain);
    REQUIRE(got.has_value());
    CHECK(*got <= sizeof plain);
    octets += *got;
  } while (receiver.has_input());
  CHECK(octets == 1u << 20);
}
