#include "briefwerk/filter/content.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/filter/attachments.hpp"
#include "briefwerk/filter/chain.hpp"
#include "filter/support.hpp"
#include "filter/zip_writer.hpp"

using namespace briefwerk;
using namespace briefwerk::testing;
using filter::action;
using filter::verdict;

namespace {

std::shared_ptr<filter::content> content_of(filter::content_options options) {
  std::string wrong;
  auto made = filter::content::create(std::move(options), wrong);
  REQUIRE_MESSAGE(made.has_value(), wrong);
  return *made;
}

verdict judge(const std::shared_ptr<filter::content>& stage, std::string_view message, const mail::smtp_envelope& envelope = {}) {
  filter::chain chain;
  chain.add(stage);
  filter::session_facts session;
  return base::sync_wait(chain.message(session, envelope, {message}));
}

// A message with one attachment.
std::string with_attachment(std::string_view name, std::string_view octets) {
  return "From: a@x.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n"
         "--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
         "Content-Disposition: attachment; filename=\"" + std::string(name) + "\"\r\n\r\n" + base::base64_encode(octets) + "\r\n--b--\r\n";
}

}  // namespace

TEST_CASE("content: banned senders and recipients, announced sizes") {
  const auto stage = content_of({.senders = {"bad@x.test", "evil.test"}, .recipients = {"closed@here.test"}, .size = 1000});
  struct row {
    const char* why;
    const char *from, *to;
    std::uint64_t size;
    action at_mail, at_rcpt;
  };
  const row rows[] = {
      {"nothing wrong", "a@x.test", "b@here.test", 1000, action::accept, action::accept},
      {"an address", "Bad@X.test", "b@here.test", 0, action::reject, action::accept},
      {"a domain and what is below it", "a@mail.evil.test", "b@here.test", 0, action::reject, action::accept},
      {"another domain that ends alike", "a@notevil.test", "b@here.test", 0, action::accept, action::accept},
      {"the null sender", "", "b@here.test", 0, action::accept, action::accept},
      {"a recipient", "a@x.test", "CLOSED@here.test", 0, action::accept, action::reject},
      {"announced too large", "a@x.test", "b@here.test", 1001, action::reject, action::accept},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    filter::chain chain;
    chain.add(stage);
    filter::session_facts session;
    auto envelope = envelope_of(r.from, {r.to});
    envelope.announced_size = r.size;
    CHECK(base::sync_wait(chain.mail(session, envelope)).what == r.at_mail);
    CHECK(base::sync_wait(chain.rcpt(session, envelope, envelope.recipients.front())).what == r.at_rcpt);
  }
  CHECK(judge(stage, std::string(1001, 'x')).code == 552);
  CHECK(judge(stage, "From: \"a\" <x@y.test>, <who@sub.evil.test>\r\n\r\n").what == action::reject);
  CHECK(judge(stage, "From: evil.test <x@y.test>\r\n\r\n").what == action::accept);
}

TEST_CASE("content: header rules") {
  const auto stage = content_of({.headers = {{"offer", "Subject", "(?i)great offer", action::tag, 2},
                                             {"x", "X-Mailer", "^Bulk", action::junk, 0},
                                             {"any", "Received", "by evil\\.test", action::reject, 0}}});
  struct row {
    const char* why;
    std::string_view header;
    action act;
    double score;
    std::string_view reason;
  };
  const row rows[] = {
      {"none", "Subject: Hello\r\n\r\nGREAT OFFER\r\n", action::accept, 0, ""},
      {"found anywhere", "Subject: A GREAT offer!\r\n\r\n", action::tag, 2, "header rule offer"},
      {"encoded", "Subject: =?utf-8?B?Z3JlYXQgb2ZmZXI=?=\r\n\r\n", action::tag, 2, "header rule offer"},
      {"folded", "Subject: great\r\n offer\r\n\r\n", action::tag, 2, "header rule offer"},
      {"anchored", "X-Mailer: not Bulk\r\n\r\n", action::accept, 0, ""},
      {"each field of the name", "Received: from a by b\r\nreceived: from b by evil.test\r\n\r\n", action::reject, 0, "header rule any"},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const verdict v = judge(stage, r.header);
    CHECK(v.what == r.act);
    CHECK(v.score == r.score);
    CHECK(v.reason == r.reason);
  }
  std::string wrong;
  CHECK(!filter::content::create({.headers = {{"broken", "Subject", "(", action::tag, 0}}}, wrong).has_value());
  CHECK(wrong.starts_with("the pattern of \"broken\": "));
  CHECK(!filter::content::create({.attachments = {{.types = {"virus"}}}}, wrong).has_value());
}

TEST_CASE("content: extensions as a system reads them") {
  struct row {
    const char *name, *extension;
  };
  const row rows[] = {{"a.exe", "exe"},         {"a.EXE", "exe"},      {"invoice.pdf.exe", "exe"}, {"a.exe. . ", "exe"},
                      {"a.exe:stream", "exe"},  {"no dot", ""},        {"dir.d/file", ""},         {"c:\\x.y\\z.js", "js"},
                      {".bashrc", "bashrc"},    {"", ""},              {"a.", ""}};
  for (const row& r : rows) {
    CAPTURE(r.name);
    CHECK(filter::attachment_extension(r.name) == r.extension);
  }
  CHECK(filter::attachment_extension(std::string_view("a.exe\0.txt", 10)) == "exe");
}

TEST_CASE("content: attachments by name and by octets, in archives as well") {
  const std::string program = "MZ" + std::string(300, '\x90');
  filter::attachment_rule rule{.extensions = {"exe", "js"}, .types = {"windows_program"}, .encrypted = true, .unreadable = true};
  const auto stage = content_of({.attachments = {rule}});
  rule.in_archives = false;
  const auto outside = content_of({.attachments = {rule}});
  const std::string bomb = zip({{"big.zip", std::string(40u << 20, '\0')}});
  std::string nested = zip({{"a.exe", "x"}});
  for (int i = 0; i < 2; ++i) nested = zip({{"inner.zip", nested}});
  const std::string renamed = zip({{"picture.jpg", zip({{"a.js", "x"}})}});
  const std::string deep = zip({{"inner.zip", nested}});
  struct row {
    const char* why;
    std::string name, octets;
    std::string_view reason;
    bool also_outside;
  };
  const row rows[] = {
      {"harmless", "a.txt", "Hello", "", false},
      {"by name", "a.exe", "Hello", "attachment .exe", true},
      {"by octets", "a.txt", program, "attachment type windows_program", true},
      {"in an archive, by name", "a.zip", zip({{"readme.txt", "x"}, {"dir/run.js", "x"}}), "attachment .js", false},
      {"in an archive, by octets", "a.zip", zip({{"readme.txt", program}}), "attachment type windows_program", false},
      {"in an archive, stored", "a.zip", zip({{"readme.txt", program}}, {.stored = true}), "attachment type windows_program", false},
      {"an archive with another name", "a.dat", zip({{"run.js", "x"}}), "attachment .js", false},
      {"an archive behind a program's stub", "a.dat", "stub" + zip({{"run.js", "x"}}), "attachment .js", false},
      {"the directory hides it", "a.zip", zip({{"run.js", "x"}}, {.directory_name = "harmless.txt"}), "attachment .js", false},
      {"no directory", "a.zip", zip({{"run.js", "x"}}, {.no_directory = true}), "attachment .js", false},
      {"a password", "a.zip", zip({{"readme.txt", "x"}}, {.encrypted = true}), "encrypted archive", false},
      {"an archive in an archive in an archive", "a.zip", nested, "attachment .exe", false},
      {"an archive under another name inside", "a.zip", renamed, "attachment .js", false},
      {"deeper than anybody looks", "a.zip", deep, "attachments beyond the bounds of a look", true},
      {"larger than anybody looks", "a.zip", bomb, "attachments beyond the bounds of a look", true},
  };
  for (const row& r : rows) {
    CAPTURE(r.why);
    const std::string message = with_attachment(r.name, r.octets);
    CHECK(judge(stage, message).reason == r.reason);
    CHECK((judge(outside, message).what == action::reject) == r.also_outside);
  }
  const std::string_view rfc2231 =
      "Content-Disposition: attachment; filename*=utf-8''%61%2eexe\r\nContent-Type: application/x\r\n\r\nx";
  CHECK(judge(stage, rfc2231).reason == "attachment .exe");
  CHECK(judge(stage, "Content-Type: text/plain; name=a.exe\r\n\r\nx").reason == "attachment .exe");
}

TEST_CASE("content: archives cut and damaged at every octet") {
  const std::string whole = zip({{"dir/readme.txt", std::string(100, 'x')}, {"inner.zip", zip({{"run.js", "x"}})}});
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const auto exact = std::make_unique<char[]>(size);
    std::copy_n(whole.data(), size, exact.get());
    std::size_t names = 0;
    filter::for_each_zip_entry({exact.get(), size}, [&](const filter::zip_entry& one) {
      names += one.name.size();
      (void)filter::unpack(one, 1000);
    });
    if (size == whole.size()) CHECK(names == 14 + 9);
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const int change : {1, 0x80, 0xff}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ change);
      filter::for_each_zip_entry(damaged, [&](const filter::zip_entry& one) { (void)filter::unpack(one, 1000); });
    }
  }
}

TEST_CASE("content: an archive with more names than anybody reads") {
  std::vector<std::pair<std::string, std::string>> many;
  for (int i = 0; i < 3000; ++i) many.emplace_back(std::to_string(i), "");
  std::size_t seen = 0;
  CHECK(!filter::for_each_zip_entry(zip(many), [&](const auto&) { ++seen; }));
  CHECK(seen == 2000);
}
