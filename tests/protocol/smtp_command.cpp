#include "briefwerk/protocol/smtp/command.hpp"

#include <doctest/doctest.h>

using namespace briefwerk::protocol::smtp;
namespace mail = briefwerk::mail;

namespace {

extensions all_extensions() {
  extensions out;
  out.requiretls = true;
  return out;
}

// A command as a word or two, or the code and enhanced code of its refusal.
struct describe {
  std::string operator()(const hello_command& c) const {
    static constexpr const char* names[] = {"ehlo ", "helo ", "lhlo "};
    return names[static_cast<int>(c.kind)] + std::string(c.name);
  }
  std::string operator()(const starttls_command&) const { return "starttls"; }
  std::string operator()(const auth_command& c) const {
    return "auth " + std::string(c.mechanism) + (c.initial_response ? " " + std::string(*c.initial_response) : "");
  }
  std::string operator()(const mail_command& c) const {
    std::string out = "mail <" + std::string(c.from.mailbox) + ">";
    if (c.size) out += " size=" + std::to_string(*c.size);
    static constexpr const char* bodies[] = {"", " 8bit", " binary"};
    out += bodies[static_cast<int>(c.body)];
    if (c.smtputf8) out += " utf8";
    if (c.requiretls) out += " requiretls";
    static constexpr const char* returns[] = {"", " hdrs", " full"};
    out += returns[static_cast<int>(c.ret)];
    if (c.envid) out += " envid=" + std::string(*c.envid);
    if (c.auth) out += " auth=" + std::string(*c.auth);
    return out;
  }
  std::string operator()(const rcpt_command& c) const {
    std::string out = "rcpt <" + std::string(c.to.local_part) + "|" + std::string(c.to.domain) + ">";
    if (c.notify_on != 0) out += " notify=" + std::to_string(c.notify_on);
    if (!c.orcpt.empty()) out += " orcpt=" + std::string(c.orcpt);
    return out;
  }
  std::string operator()(const data_command&) const { return "data"; }
  std::string operator()(const bdat_command& c) const { return "bdat " + std::to_string(c.size) + (c.last ? " last" : ""); }
  std::string operator()(const rset_command&) const { return "rset"; }
  std::string operator()(const noop_command&) const { return "noop"; }
  std::string operator()(const quit_command&) const { return "quit"; }
  std::string operator()(const vrfy_command& c) const {
    return "vrfy " + std::string(c.argument) + (c.smtputf8 ? " utf8" : "");
  }
  std::string operator()(const expn_command&) const { return "expn"; }
  std::string operator()(const help_command&) const { return "help"; }
};

std::string parse(std::string_view line, const extensions& offered = all_extensions()) {
  auto block = std::make_unique<char[]>(line.size());
  line.copy(block.get(), line.size());
  const auto got = parse_command({block.get(), line.size()}, offered);
  if (!got) return std::to_string(got.error()->code) + " " + got.error()->status.to_string();
  return std::visit(describe(), *got);
}

}  // namespace

TEST_CASE("commands") {
  struct row {
    const char* why;
    std::string_view in;
    std::string_view out;
  };
  const std::string long_id(101, 'x');
  const std::string long_envid = "MAIL FROM:<> ENVID=" + long_id;
  const row rows[] = {
      {"RFC 5321 §4.1.1.1", "EHLO client.example", "ehlo client.example"},
      {"RFC 5321 §2.4 verbs in any case", "eHlO client.example", "ehlo client.example"},
      {"address literal", "HELO [192.0.2.1]", "helo [192.0.2.1]"},
      {"RFC 2033 §4.1", "LHLO x", "lhlo x"},
      {"a name is required", "EHLO", "501 5.5.4"},
      {"one name", "EHLO a b", "501 5.5.4"},
      {"RFC 5321 §4.1.1 space before the CRLF", "QUIT  ", "quit"},
      {"RFC 5321 §4.1.1.10 no arguments", "QUIT now", "501 5.5.4"},
      {"RFC 5321 §4.1.1.4 no arguments", "DATA x", "501 5.5.4"},
      {"RFC 5321 §4.1.1.5 no arguments", "RSET x", "501 5.5.4"},
      {"RFC 5321 §4.1.1.9 a string may follow", "NOOP x y", "noop"},
      {"RFC 5321 §4.1.1.8 a string may follow", "HELP MAIL", "help"},
      {"RFC 3207 §4 no arguments", "STARTTLS x", "501 5.5.4"},
      {"RFC 3207 §4", "starttls", "starttls"},
      {"empty line", "", "500 5.5.1"},
      {"unknown verb", "XYZZY", "500 5.5.1"},
      {"unknown verb of four letters", "TURN", "500 5.5.1"},
      {"leading space", " QUIT", "500 5.5.1"},
      {"RFC 5321 §4.1.1.6", "VRFY alice", "vrfy alice"},
      {"RFC 6531 §3.7.4.2", "VRFY alice SMTPUTF8", "vrfy alice utf8"},
      {"VRFY of nothing", "VRFY", "501 5.5.4"},
      {"EXPN parses; the session refuses it", "EXPN list", "expn"},

      {"RFC 4954 §4", "AUTH PLAIN", "auth PLAIN"},
      {"RFC 4954 §4 initial response", "AUTH plain AGEAYg==", "auth plain AGEAYg=="},
      {"RFC 4954 §4 empty initial response", "AUTH EXTERNAL =", "auth EXTERNAL ="},
      {"no mechanism", "AUTH", "501 5.5.4"},
      {"RFC 4422 §3.1 at most 20 characters", "AUTH ABCDEFGHIJKLMNOPQRSTU", "501 5.5.4"},
      {"two responses", "AUTH PLAIN a b", "501 5.5.4"},

      {"RFC 5321 §4.1.1.2", "MAIL FROM:<a@b.example>", "mail <a@b.example>"},
      {"null reverse-path", "MAIL FROM:<>", "mail <>"},
      {"tolerated space behind the colon", "MAIL FROM: <a@b.example>", "mail <a@b.example>"},
      {"lower case", "mail from:<a@b.example>", "mail <a@b.example>"},
      {"brackets required", "MAIL FROM:a@b.example", "501 5.1.7"},
      {"no FROM", "MAIL <a@b.example>", "501 5.5.4"},
      {"no closing bracket", "MAIL FROM:<a@b.example", "501 5.1.7"},
      {"text behind the bracket", "MAIL FROM:<a@b.example>x", "501 5.1.7"},
      {"no domain", "MAIL FROM:<a>", "501 5.1.7"},
      {"a domain is required in a reverse-path", "MAIL FROM:<postmaster>", "501 5.1.7"},
      {"quoted local part", "MAIL FROM:<\"a>b c\"@b.example>", "mail <\"a>b c\"@b.example>"},
      {"quoted pair", "MAIL FROM:<\"a\\\">\"@b.example>", "mail <\"a\\\">\"@b.example>"},
      {"RFC 5321 §4.1.3 literal", "MAIL FROM:<a@[192.0.2.1]>", "mail <a@[192.0.2.1]>"},
      {"bad literal", "MAIL FROM:<a@[192.0.2.256]>", "501 5.1.7"},
      {"RFC 5321 app. C source route is dropped", "MAIL FROM:<@x.example,@y.example:a@b.example>", "mail <a@b.example>"},
      {"broken source route", "MAIL FROM:<@x.example,y:a@b.example>", "501 5.1.7"},
      {"RFC 1870", "MAIL FROM:<> SIZE=1000", "mail <> size=1000"},
      {"size that does not fit", "MAIL FROM:<> SIZE=99999999999999999999", "501 5.5.4"},
      {"size without value", "MAIL FROM:<> SIZE", "501 5.5.4"},
      {"size twice", "MAIL FROM:<> SIZE=1 SIZE=1", "501 5.5.4"},
      {"RFC 6152", "MAIL FROM:<> BODY=8BITMIME", "mail <> 8bit"},
      {"RFC 6152 7BIT", "MAIL FROM:<> body=7bit", "mail <>"},
      {"RFC 3030", "MAIL FROM:<> BODY=BINARYMIME", "mail <> binary"},
      {"unknown body", "MAIL FROM:<> BODY=9BIT", "501 5.5.4"},
      {"body twice", "MAIL FROM:<> BODY=7BIT BODY=7BIT", "501 5.5.4"},
      {"RFC 6531 §3.4", "MAIL FROM:<\xc3\xa9@b.example> SMTPUTF8", "mail <\xc3\xa9@b.example> utf8"},
      {"RFC 6531 §3.5 without the parameter", "MAIL FROM:<\xc3\xa9@b.example>", "553 5.6.7"},
      {"not UTF-8", "MAIL FROM:<\xc3@b.example> SMTPUTF8", "501 5.1.7"},
      {"SMTPUTF8 takes no value", "MAIL FROM:<> SMTPUTF8=1", "501 5.5.4"},
      {"RFC 8689 §2", "MAIL FROM:<> REQUIRETLS", "mail <> requiretls"},
      {"RFC 3461 §4.3", "MAIL FROM:<> RET=HDRS ENVID=QQ+2B1", "mail <> hdrs envid=QQ+2B1"},
      {"RFC 3461 §4.3 full", "MAIL FROM:<> RET=full", "mail <> full"},
      {"RET of something else", "MAIL FROM:<> RET=BODY", "501 5.5.4"},
      {"RFC 3461 §4 broken xtext", "MAIL FROM:<> ENVID=a+2", "501 5.5.4"},
      {"RFC 3461 §4 hexadecimal in upper case", "MAIL FROM:<> ENVID=a+2b", "501 5.5.4"},
      {"RFC 3461 §4.4 at most 100 characters", long_envid, "501 5.5.4"},
      {"RFC 4954 §5", "MAIL FROM:<> AUTH=<>", "mail <> auth=<>"},
      {"RFC 4954 §5 mailbox", "MAIL FROM:<> AUTH=e+3Dmc2@example.com", "mail <> auth=e+3Dmc2@example.com"},
      {"RFC 4865 is not offered", "MAIL FROM:<> HOLDFOR=60", "555 5.5.4"},
      {"RFC 2852 is not offered", "MAIL FROM:<> BY=60;R", "555 5.5.4"},
      {"RFC 5321 §4.1.1.11 unknown parameter", "MAIL FROM:<> XFOO", "555 5.5.4"},
      {"broken parameter", "MAIL FROM:<> =x", "501 5.5.4"},

      {"RFC 5321 §4.1.1.3", "RCPT TO:<a@b.example>", "rcpt <a|b.example>"},
      {"tolerated space behind the colon", "RCPT TO: <a@b.example>", "rcpt <a|b.example>"},
      {"postmaster without a domain", "RCPT TO:<Postmaster>", "rcpt <Postmaster|>"},
      {"no null forward-path", "RCPT TO:<>", "501 5.1.3"},
      {"no address", "RCPT TO:", "501 5.1.3"},
      {"label too long for DNS", "RCPT TO:<a@" "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example>", "501 5.1.3"},
      {"RFC 3461 §4.1", "RCPT TO:<a@b.example> NOTIFY=SUCCESS,delay", "rcpt <a|b.example> notify=10"},
      {"RFC 3461 §4.1 never", "RCPT TO:<a@b.example> NOTIFY=NEVER", "rcpt <a|b.example> notify=1"},
      {"RFC 3461 §4.1 NEVER stands alone", "RCPT TO:<a@b.example> NOTIFY=NEVER,DELAY", "501 5.5.4"},
      {"empty element", "RCPT TO:<a@b.example> NOTIFY=DELAY,", "501 5.5.4"},
      {"RFC 3461 §4.2", "RCPT TO:<a@b.example> ORCPT=rfc822;x+2By@b.example",
       "rcpt <a|b.example> orcpt=rfc822;x+2By@b.example"},
      {"ORCPT without type", "RCPT TO:<a@b.example> ORCPT=x@b.example", "501 5.5.4"},
      {"RFC 6533 §3", "RCPT TO:<a@b.example> ORCPT=utf-8;\\x{E9}@b.example",
       "rcpt <a|b.example> orcpt=utf-8;\\x{E9}@b.example"},
      {"a parameter of MAIL", "RCPT TO:<a@b.example> SIZE=1", "555 5.5.4"},

      {"RFC 3030 §2", "BDAT 86 LAST", "bdat 86 last"},
      {"RFC 3030 §2 no end marker", "BDAT 1000", "bdat 1000"},
      {"BDAT 0 LAST", "bdat 0 last", "bdat 0 last"},
      {"no size", "BDAT", "501 5.5.4"},
      {"negative", "BDAT -1", "501 5.5.4"},
      {"too large to count", "BDAT 18446744073709551616", "501 5.5.4"},
      {"another marker", "BDAT 1 FIRST", "501 5.5.4"},
  };
  for (const auto& row : rows) {
    INFO(std::string(row.why));
    CHECK(parse(row.in) == row.out);
    for (std::size_t cut = 0; cut < row.in.size(); ++cut) CHECK(!parse(row.in.substr(0, cut)).empty());
  }
}

TEST_CASE("what is not offered is unknown") {
  extensions none{};
  none.size = none.eightbitmime = none.smtputf8 = none.dsn = none.chunking = none.binarymime = false;
  for (const char* line : {"MAIL FROM:<> SIZE=1", "MAIL FROM:<> BODY=8BITMIME", "MAIL FROM:<> SMTPUTF8", "MAIL FROM:<> RET=FULL",
                           "MAIL FROM:<> ENVID=x", "MAIL FROM:<> REQUIRETLS", "RCPT TO:<a@b.example> NOTIFY=NEVER",
                           "RCPT TO:<a@b.example> ORCPT=rfc822;a@b.example"})
    CHECK(parse(line, none) == "555 5.5.4");
}

TEST_CASE("RFC 3461 §4: xtext") {
  CHECK(decode_xtext("a+2Bb+3Dc+0A") == "a+b=c\n");
  for (const char* bad : {"+", "+2", "+2b", "a=b", "a b", "caf\xc3\xa9", "+G0"}) CHECK(!decode_xtext(bad));
  std::string octets;
  for (int i = 0; i < 256; ++i) octets.push_back(static_cast<char>(i));
  std::string encoded;
  append_xtext(encoded, octets);
  CHECK(is_xtext(encoded));
  CHECK(decode_xtext(encoded) == octets);
}

TEST_CASE("commands become an envelope") {
  const extensions offered = all_extensions();
  mail::smtp_envelope envelope;
  const auto from = parse_command("MAIL FROM:<\"a b\"@b.example> RET=HDRS ENVID=x BODY=8BITMIME", offered);
  CHECK(add_sender(envelope, std::get<mail_command>(*from)));
  CHECK(envelope.sender->local == "a b");
  CHECK(envelope.ret == mail::return_content::headers);
  CHECK(envelope.body == mail::body_kind::eight_bit_mime);
  const auto to = parse_command("RCPT TO:<Postmaster> NOTIFY=NEVER", offered);
  CHECK(add_recipient(envelope, std::get<rcpt_command>(*to)));
  CHECK(envelope.recipients[0].address == mail::mailbox_address{"Postmaster", ""});
  CHECK(envelope.recipients[0].notify_on == mail::notify::never);
  const auto null = parse_command("MAIL FROM:<>", offered);
  CHECK(add_sender(envelope, std::get<mail_command>(*null)));
  CHECK(!envelope.sender);
}
