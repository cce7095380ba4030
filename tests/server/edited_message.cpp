#include "server/smtp/edited_message.hpp"

#include <doctest/doctest.h>

#include "server/smtp/forged_fields.hpp"

using namespace briefwerk;
using namespace briefwerk::server;
using mail::edit_kind;
using mail::message_edit;

namespace {

constexpr std::string_view message =
    "Received: one\r\n"
    "Subject: a\r\n folded\r\n"
    "X-A: 1\r\n"
    "received: two\r\n"
    "X-A: 2\r\n"
    "\r\n"
    "body\r\n";

message_edit add(std::string name, std::string value) { return {.what = edit_kind::add_header, .name = std::move(name), .value = std::move(value)}; }
message_edit insert(std::uint32_t at, std::string name, std::string value) {
  return {.what = edit_kind::insert_header, .index = at, .name = std::move(name), .value = std::move(value)};
}
message_edit change(std::uint32_t nth, std::string name, std::string value) {
  return {.what = edit_kind::change_header, .index = nth, .name = std::move(name), .value = std::move(value)};
}
const message_edit renumber{.what = edit_kind::renumber};
message_edit of_envelope(edit_kind what, std::string address, std::string parameters = {}) {
  return {.what = what, .name = std::move(address), .value = std::move(parameters)};
}

// Header (CRLF as "|") and body.
std::string edited(std::string_view text, std::vector<message_edit> edits) {
  edited_message made(text);
  made.apply(edits);
  std::string all = made.header() + std::string(made.body());
  for (std::size_t at = 0; (at = all.find("\r\n", at)) != all.npos;) all.replace(at, 2, "|");
  return all;
}

}  // namespace

TEST_CASE("changes of a message") {
  struct row {
    const char* why;
    std::vector<message_edit> edits;
    std::string_view made;
  };
  const row rows[] = {
      {"nothing is asked for", {}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2||body|"},
      {"added behind the last", {add("X-B", " b")}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2|X-B: b||body|"},
      {"inserted in front", {insert(0, "X-B", " b")}, "X-B: b|Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2||body|"},
      {"inserted behind the first", {insert(1, "X-B", " b")}, "Received: one|X-B: b|Subject: a| folded|X-A: 1|received: two|X-A: 2||body|"},
      {"inserted past the end", {insert(99, "X-B", " b")}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2|X-B: b||body|"},
      {"the second of that name, any case", {change(2, "RECEIVED", " x")}, "Received: one|Subject: a| folded|X-A: 1|RECEIVED: x|X-A: 2||body|"},
      {"Sendmail takes 0 for 1", {change(0, "X-A", " x")}, "Received: one|Subject: a| folded|X-A: x|received: two|X-A: 2||body|"},
      {"a folded one is changed whole", {change(1, "Subject", " x")}, "Received: one|Subject: x|X-A: 1|received: two|X-A: 2||body|"},
      {"removed", {change(1, "Subject", "")}, "Received: one|X-A: 1|received: two|X-A: 2||body|"},
      {"a change of what is not there adds it", {change(3, "X-A", " x")}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2|X-A: x||body|"},
      {"the removal of what is not there", {change(3, "X-A", "")}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2||body|"},
      {"removed ones count, as Sendmail has it", {change(1, "X-A", ""), change(2, "X-A", "")}, "Received: one|Subject: a| folded|received: two||body|"},
      {"but not for the next stage", {change(1, "X-A", ""), renumber, change(1, "X-A", " x")}, "Received: one|Subject: a| folded|received: two|X-A: x||body|"},
      {"what was added can be changed", {add("X-B", " b"), change(1, "x-b", " c")}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2|x-b: c||body|"},
      {"a new body", {{.what = edit_kind::replace_body, .value = "new\r\n"}}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2||new|"},
      {"an empty body", {{.what = edit_kind::replace_body}}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2||"},
      {"folding in LF becomes CRLF", {change(1, "Subject", " x\n\ty")}, "Received: one|Subject: x|\ty|X-A: 1|received: two|X-A: 2||body|"},
      {"no field is smuggled in", {change(1, "Subject", " x\r\nEvil: y\r\n\r\nbody")}, "Received: one|Subject: x|\tEvil: y|\tbody|X-A: 1|received: two|X-A: 2||body|"},
      {"changes of the envelope are not for here", {of_envelope(edit_kind::add_recipient, "a@b.example")}, "Received: one|Subject: a| folded|X-A: 1|received: two|X-A: 2||body|"},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    CHECK(edited(message, one.edits) == one.made);
  }
}

TEST_CASE("odd messages keep what they have") {
  CHECK(edited("From here on\r\nA: b\r\nno field\r\nC: d\r\n\r\nbody", {insert(0, "X", " y")}) == "From here on|X: y|A: b|no field|C: d||body");
  CHECK(edited("A: b\r\n", {add("X", " y")}) == "A: b|X: y||");
  CHECK(edited("A: b", {add("X", " y")}) == "A: b|X: y||");
  CHECK(edited("", {add("X", " y")}) == "X: y||");
  CHECK(edited("\r\nbody", {add("X", " y")}) == "X: y||body");
}

TEST_CASE("what a milter is shown of the fields") {
  edited_message made(message);
  made.apply(change(1, "X-A", ""));
  made.apply(insert(0, "X-B", " b\n c"));
  std::string seen;
  made.for_each([&](std::string_view name, std::string_view value) { seen.append(name).append("=").append(value).append(";"); });
  CHECK(seen == "X-B= b\r\n c;Received= one;Subject= a\r\n folded;received= two;X-A= 2;");
}

TEST_CASE("forged fields go, those of our own stages stay") {
  edited_message made("Authentication-Results: us.example; spf=pass\r\nX-Spam-Flag: NO\r\nSubject: x\r\n\r\n");
  made.apply(insert(0, "Authentication-Results", " us.example; dkim=pass"));
  made.apply(add("X-Spam-Flag", " YES"));
  (void)remove_forged_fields(made, {.from_outside = true, .authserv_id = "us.example", .own_arc_sets = {}});
  CHECK(made.header() == "Authentication-Results: us.example; dkim=pass\r\nSubject: x\r\nX-Spam-Flag: YES\r\n\r\n");
}

TEST_CASE("changes of an envelope") {
  mail::smtp_envelope envelope;
  envelope.sender = mail::mailbox_address{"a", "b.example"};
  envelope.recipients = {{.address = {"c", "d.example"}}, {.address = {"e", "D.example"}}};
  const auto recipients = [&] {
    std::string all;
    for (const auto& one : envelope.recipients) all += mail::format_mailbox(one.address) + " ";
    return all;
  };
  CHECK(apply(envelope, of_envelope(edit_kind::add_recipient, "f@g.example", "NOTIFY=NEVER ORCPT=rfc822;x@y.example")));
  CHECK(recipients() == "c@d.example e@D.example f@g.example ");
  CHECK(envelope.recipients[2].notify_on == mail::notify::never);
  CHECK(envelope.recipients[2].original_recipient == "rfc822;x@y.example");
  CHECK_MESSAGE(apply(envelope, of_envelope(edit_kind::add_recipient, "f@G.example")), "nobody gets it twice");
  CHECK(envelope.recipients.size() == 3);
  CHECK(apply(envelope, of_envelope(edit_kind::remove_recipient, "e@d.EXAMPLE")));
  CHECK(apply(envelope, of_envelope(edit_kind::remove_recipient, "nobody@d.example")));
  CHECK(recipients() == "c@d.example f@g.example ");
  CHECK(!apply(envelope, of_envelope(edit_kind::add_recipient, "no address")));
  CHECK(!apply(envelope, of_envelope(edit_kind::add_recipient, "f@g.example", "NONSENSE=1")));
  CHECK(!apply(envelope, of_envelope(edit_kind::add_recipient, "")));
  CHECK(!apply(envelope, of_envelope(edit_kind::remove_recipient, "x")));
  CHECK(apply(envelope, of_envelope(edit_kind::change_sender, "new@b.example", "RET=HDRS ENVID=x")));
  CHECK(envelope.sender == mail::mailbox_address{"new", "b.example"});
  CHECK(envelope.envelope_id == "x");
  CHECK(envelope.ret == mail::return_content::headers);
  CHECK(!apply(envelope, of_envelope(edit_kind::change_sender, "a b")));
  CHECK(envelope.sender->local == "new");
  CHECK(apply(envelope, of_envelope(edit_kind::change_sender, "ü@b.example")));
  CHECK(envelope.smtputf8);
  CHECK(apply(envelope, of_envelope(edit_kind::change_sender, "")));
  CHECK(!envelope.sender);
}
