// The stage that checks incoming mail: what it finds, what it adds, what it makes of it.

#include "briefwerk/filter/mailauth_stage.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/dns_lists.hpp"
#include "briefwerk/mail/address.hpp"

namespace {

using namespace briefwerk;
using namespace briefwerk::filter;
using base::sync_wait;
using mailauth::outcome;

const base::crypto& the_crypto() {
  static const auto instance = crypto::make_boringssl();
  return *instance;
}

const auto the_key = the_crypto().generate_key(base::key_kind::ed25519).value();
const std::string key_record = "v=DKIM1; k=ed25519; p=" + base::base64_encode(the_key->public_part()->encode());

std::string hello_from(std::string_view author, std::string_view more = {}) {
  return "From: " + std::string(author) +
         "\r\nTo: alice@example.net\r\nSubject: x\r\nDate: Sun, 1 Mar 2026 12:00:00 +0000\r\n" +
         "Message-ID: <1@x.test>\r\n" + std::string(more) + "\r\nHello\r\n";
}

struct post {
  base::manual_clock time{std::chrono::sys_days{std::chrono::year(2026) / 3 / 1}};
  base::scripted_resolver names;
  mailauth_options options{.authserv_id = "mx.example.net"};
  std::string client = "192.0.2.1";
  scope where = scope::inbound;
  std::string account;
  bool in_pieces = true;
  std::shared_ptr<stage> also;  // in the chain, where it is set
  session_facts session;

  post() {
    names.add_ptr("192.0.2.1", "mx.good.test").add_address("mx.good.test", "192.0.2.1");
    names.add_txt("good.test", "v=spf1 ip4:192.0.2.1 -all").add_txt("mx.good.test", "v=spf1 a -all");
    names.add_txt("bad.test", "v=spf1 -all").add_txt("strict.test", "v=spf1 -all");
    names.add_txt("_dmarc.strict.test", "v=DMARC1; p=reject").add_txt("_dmarc.careful.test", "v=DMARC1; p=quarantine");
    names.add_txt("s._domainkey.good.test", key_record).add_txt("s._domainkey.strict.test", key_record);
  }

  std::string sign(const std::string& domain, const std::string& message) const {
    mailauth::dkim_sign_options how;
    how.domain = domain;
    how.keys = {{"s", the_key}};
    const auto signer = mailauth::dkim_signer::make(how);
    REQUIRE(signer);
    mailauth::message_hasher hashed(the_crypto(), {signer->body_hash()});
    hashed.feed(message);
    hashed.finish();
    const auto fields = signer->sign(hashed, std::chrono::floor<std::chrono::seconds>(time.now()));
    REQUIRE(fields);
    return *fields + message;
  }

  verdict judge(std::string_view sender, const std::string& message, std::string hello = "mx.good.test") {
    chain all;
    all.add(std::make_shared<mailauth_stage>(names, the_crypto(), time, options), {.limit = std::chrono::milliseconds(0)});
    if (also) all.add(also);
    session = {};
    session.where = where;
    session.account = account;
    session.session_id = "id";
    session.remote.address = base::ip_address::parse(client).value();
    REQUIRE(sync_wait(all.connect(session)).what == action::accept);
    session.hello = std::move(hello);
    REQUIRE(sync_wait(all.hello(session)).what == action::accept);
    mail::smtp_envelope envelope;
    if (!sender.empty()) envelope.sender = mail::parse_mailbox(sender).value();
    REQUIRE(sync_wait(all.mail(session, envelope)).what == action::accept);
    envelope.recipients.push_back({mail::parse_mailbox("alice@example.net").value(), {}, 0});
    if (const auto watch = in_pieces ? all.observe(session, envelope) : nullptr) {
      for (std::size_t at = 0; at < message.size(); at += 7) watch->octets(std::string_view(message).substr(at, 7));
    }
    return sync_wait(all.message(session, envelope, {message}));
  }
  std::string field(const verdict& said, std::string_view name = "Authentication-Results") const {
    for (const auto& one : said.add_fields)
      if (one.name == name) return one.value;
    return {};
  }
};

}  // namespace

TEST_CASE("mailauth stage: what passes, what is marked, what is refused") {
  struct row {
    const char* why;
    std::string_view sender;
    std::string message;
    action mark, obey;
    std::string_view results;  // a part of the field
  };
  post office;
  const std::string forged = hello_from("ceo@strict.test");
  const row rows[] = {
      {"SPF alone", "bob@good.test", hello_from("bob@good.test"), action::accept, action::accept, "spf=pass"},
      {"DKIM alone", "bob@bad.test", office.sign("good.test", hello_from("bob@good.test")), action::accept,
       action::accept, "dkim=pass"},
      {"neither", "bob@bad.test", hello_from("bob@bad.test"), action::junk, action::junk, "spf=fail"},
      {"no records at all", "bob@nothing.test", hello_from("bob@nothing.test"), action::junk, action::junk,
       "dkim=none"},
      {"a policy of reject, nothing aligned", "bob@good.test", forged, action::junk, action::reject, "dmarc=fail"},
      {"a policy of quarantine", "bob@good.test", hello_from("ceo@careful.test"), action::junk, action::junk,
       "dmarc=fail"},
      {"a policy, and an aligned signature", "bob@bad.test", office.sign("strict.test", forged), action::accept,
       action::accept, "dmarc=pass"},
      {"the signature of another does not help", "bob@bad.test", office.sign("good.test", forged), action::junk,
       action::reject, "dmarc=fail"},
      {"a broken signature", "bob@bad.test", office.sign("good.test", hello_from("bob@good.test")) + "more\r\n",
       action::junk, action::junk, "dkim=fail"},
      {"two From fields", "bob@good.test", "From: bob@good.test\r\n" + forged, action::junk, action::reject,
       "spf=pass"},
      {"no From", "bob@good.test", "Subject: x\r\n\r\nHello\r\n", action::junk, action::junk, "spf=pass"},
      {"the null sender, by its HELO", "", hello_from("postmaster@mx.good.test"), action::accept, action::accept,
       "smtp.helo=mx.good.test"},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    for (const bool pieces : {true, false}) {
      office.in_pieces = pieces;
      office.options.on_dmarc_fail = dmarc_failure::mark;
      verdict said = office.judge(one.sender, one.message);
      CAPTURE(office.field(said));
      CHECK(said.what == one.mark);
      CHECK(office.field(said).starts_with("mx.example.net;"));
      CHECK(office.field(said).find(one.results) != std::string::npos);
      office.options.on_dmarc_fail = dmarc_failure::obey;
      said = office.judge(one.sender, one.message);
      CHECK(said.what == one.obey);
      if (said.what == action::reject) CHECK(said.text.find("strict.test") != std::string::npos);
    }
  }
  office.options.mark_unauthenticated = false;
  CHECK(office.judge("bob@bad.test", hello_from("bob@bad.test")).what == action::accept);
}

TEST_CASE("mailauth stage: allow lists that know the client stand in the field (RFC 8904)") {
  post office;
  office.names.add_address("1.2.0.192.allow.test", "127.0.10.1").add_address("1.2.0.192.block.test", "127.0.0.2");
  office.also = std::make_shared<dns_lists>(
      dns_lists_options{.lists = {{.zone = "allow.test", .allow = true}, {.zone = "block.test"}, {.zone = "other.test", .allow = true}}},
      office.names, nullptr);
  const auto told = mailauth::parse_authentication_results(office.field(office.judge("bob@good.test", hello_from("bob@good.test"))));
  REQUIRE(told);
  CHECK(std::ranges::count(told->results, "dnswl", &mailauth::method_result::method) == 1);
  const mailauth::method_result* found = told->find("dnswl");
  REQUIRE(found != nullptr);
  CHECK(found->result == "pass");
  CHECK(*found->find("dns", "zone") == "allow.test");
  CHECK(*found->find("policy", "ip") == "127.0.10.1");
}

TEST_CASE("mailauth stage: trouble with DNS marks nothing and loses nothing") {
  struct row {
    const char* why;
    std::string_view name, sender;
    bool is_signed;
    action expected;
  };
  const row rows[] = {
      {"SPF", "unsure.test", "bob@unsure.test", false, action::accept},
      {"the key of the only signature", "s._domainkey.good.test", "bob@bad.test", true, action::accept},
      {"SPF, though the message is not signed and nothing else is known", "unsure.test", "bob@unsure.test", false,
       action::accept},
      {"only iprev", "1.2.0.192.in-addr.arpa", "bob@good.test", false, action::accept},
      {"only iprev; the rest fails for good", "1.2.0.192.in-addr.arpa", "bob@bad.test", false, action::junk},
  };
  for (const row& one : rows) {
    CAPTURE(one.why);
    post office;
    office.options.on_dmarc_fail = dmarc_failure::obey;
    const auto type = one.name.ends_with("arpa") ? base::dns_type::ptr : base::dns_type::txt;
    office.names.add_failure(one.name, type);
    const std::string text = hello_from("bob@good.test");
    const verdict said = office.judge(one.sender, one.is_signed ? office.sign("good.test", text) : text);
    CAPTURE(office.field(said));
    CHECK(said.what == one.expected);
    CHECK(office.field(said).find("=temperror") != std::string::npos);
  }
  post office;  // the policy of the author's domain cannot be had
  office.names.add_failure("_dmarc.strict.test", base::dns_type::txt);
  office.options.on_dmarc_fail = dmarc_failure::obey;
  CHECK(office.judge("bob@good.test", hello_from("ceo@strict.test")).what == action::accept);
}

TEST_CASE("mailauth stage: who is not checked") {
  post office;
  office.options.exempt = {base::ip_network::parse("192.0.2.0/24").value()};
  verdict said = office.judge("bob@bad.test", hello_from("bob@bad.test"));
  CHECK(said.what == action::accept);
  CHECK(said.add_fields.empty());
  CHECK(mail_authentication_of(office.session) == nullptr);
  office.options.exempt.clear();
  office.where = scope::submission;
  office.account = "a1";
  said = office.judge("alice@bad.test", hello_from("alice@bad.test"));
  CHECK(said.what == action::accept);
  CHECK(said.add_fields.empty());
  CHECK(office.names.asked().empty());
}

TEST_CASE("mailauth stage: the facts that others read") {
  post office;
  std::vector<std::string> reported;
  base::metrics figures;
  office.options.evaluated = [&](const auto& found, const auto& about) {
    reported.push_back(found.author_domain + " " + about.source.to_string() + " " + about.envelope_from + " " + about.envelope_to);
  };
  office.options.metrics = &figures;
  office.options.add_received_spf = true;
  office.names.add_txt("_dmarc.good.test", "v=DMARC1; p=none; rua=mailto:r@good.test");
  const verdict said = office.judge("bob@good.test", office.sign("good.test", hello_from("Bob <bob@Good.Test>")));
  const auth_facts facts = auth_facts_of(office.session);
  CHECK(facts.spf == outcome::pass);
  CHECK(facts.spf_domain == "good.test");
  CHECK(facts.dkim_domains == std::vector<std::string>{"good.test"});
  CHECK(facts.dmarc == outcome::pass);
  CHECK(facts.client_name == "mx.good.test");
  CHECK(facts.author_domain == "good.test");
  const mail_authentication* found = mail_authentication_of(office.session);
  REQUIRE(found != nullptr);
  CHECK(found->helo.result == outcome::pass);
  CHECK(found->dkim.size() == 1);
  CHECK(found->arc.what == outcome::none);
  CHECK(office.field(said, "Received-SPF").starts_with("pass"));
  CHECK(reported == std::vector<std::string>{"good.test 192.0.2.1 good.test example.net"});
  CHECK(figures.get_counter("mailauth.spf.pass").value() == 1);
  CHECK(figures.get_counter("mailauth.dmarc.pass").value() == 1);
  // The next transaction begins with nothing.
  mail::smtp_envelope next;
  next.sender = mail::parse_mailbox("x@bad.test").value();
  mailauth_stage stage(office.names, the_crypto(), office.time, office.options);
  (void)sync_wait(stage.mail(office.session, next));
  CHECK(mail_authentication_of(office.session) == nullptr);
  CHECK(auth_facts_of(office.session).dkim_domains.empty());
  CHECK(auth_facts_of(office.session).spf == outcome::fail);
}

namespace {

// One chain from the connection to the message, as a session is one.
base::task<verdict> with_late_iprev(post& office, mailauth_stage& stage, session_facts& session, std::string text) {
  (void)co_await stage.connect(session);
  (void)co_await stage.hello(session);
  mail::smtp_envelope envelope;
  envelope.sender = mail::parse_mailbox("bob@good.test").value();
  (void)co_await stage.mail(session, envelope);
  CHECK(auth_facts_of(session).spf == outcome::pass);
  CHECK(auth_facts_of(session).client_name.empty());
  CHECK(office.names.held() == 1);
  office.names.release();
  const message_facts message{text};
  co_return co_await stage.message(session, envelope, message);
}

}  // namespace

TEST_CASE("mailauth stage: iprev holds nobody up before the message is there") {
  post office;
  office.names.hold("1.2.0.192.in-addr.arpa");
  mailauth_stage stage(office.names, the_crypto(), office.time, office.options);
  session_facts session;
  session.remote.address = base::ip_address::parse("192.0.2.1").value();
  session.hello = "mx.good.test";
  const verdict said = sync_wait(with_late_iprev(office, stage, session, hello_from("bob@good.test")));
  CHECK(office.field(said).find("iprev=pass") != std::string::npos);
  CHECK(auth_facts_of(session).client_name == "mx.good.test");
}

TEST_CASE("mailauth stage: a trusted sealer excuses what was changed on its way") {
  post office;
  office.options.on_dmarc_fail = dmarc_failure::obey;
  office.names.add_txt("a._domainkey.list.test", key_record);
  const std::string original = hello_from("ceo@strict.test", "Subject: [list] x\r\n");
  mailauth::arc_seal_options how;
  how.domain = "list.test";
  how.key = {"a", the_key};
  const auto sealer = mailauth::arc_sealer::make(how);
  REQUIRE(sealer);
  const auto sealed = [&](std::string_view results) {
    mailauth::message_hasher hashed(the_crypto(), {sealer->body_hash()});
    hashed.feed(original);
    hashed.finish();
    const auto set = sealer->seal(hashed, {}, results, std::chrono::floor<std::chrono::seconds>(office.time.now()));
    REQUIRE(set);
    return *set + original;
  };
  const std::string good = sealed("list.test; dkim=pass header.d=strict.test; dmarc=pass header.from=strict.test");
  CHECK(office.judge("list@good.test", good).what == action::reject);  // nobody trusts it
  office.options.trusted_sealers = {"list.test"};
  const verdict said = office.judge("list@good.test", good);
  CAPTURE(office.field(said));
  CHECK(said.what == action::accept);
  CHECK(office.field(said).find("arc=pass") != std::string::npos);
  CHECK(mail_authentication_of(office.session)->vouched_for);
  CHECK(office.judge("list@good.test", good + "more\r\n").what == action::reject);  // changed behind the seal
  CHECK(office.judge("list@good.test", sealed("list.test; dkim=pass header.d=other.test; dmarc=fail")).what ==
        action::reject);
  CHECK(office.judge("list@good.test", sealed("list.test; none")).what == action::reject);
}
