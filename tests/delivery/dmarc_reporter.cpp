// Aggregate reports on their way out: what was counted is there after a restart, and goes out once.

#include "briefwerk/delivery/dmarc_reporter.hpp"

#include <doctest/doctest.h>

#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/crypto/boringssl.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/store/local_store.hpp"

using namespace briefwerk;
using namespace std::chrono_literals;
namespace dmarc = mailauth::dmarc;
using base::dns_type;

namespace {

constexpr std::chrono::sys_days first_day = std::chrono::year(2026) / 11 / 25;

struct host {
  host() {
    dns.add_txt("_dmarc.example.org", "v=DMARC1; p=reject; rua=mailto:r@example.org,mailto:r@reports.example");
    dns.add_txt("example.org._report._dmarc.reports.example", "v=DMARC1");
    dns.add_txt("_dmarc.other.example", "v=DMARC1; p=none; rua=mailto:x@victim.example");
    dns.add_txt("_dmarc.quiet.example", "v=DMARC1; p=none");
    options.address = "noreply-dmarc@mx.example";
    options.organisation = "Example";
    start();
  }
  void start() {
    reporter.reset();  // its rows are written, and free for the next
    reporter = std::make_unique<delivery::dmarc_reporter>(store->state("dmarc"), local, dns, time, options);
    REQUIRE(reporter->load());
  }
  void see(std::string domain, std::string_view source = "192.0.2.1") {
    const auto found =
        base::sync_wait(dmarc::evaluate(dns, mailauth::read_author("From: x@" + domain + "\r\n\r\n"), {}));
    dmarc::message_facts facts;
    facts.source = base::ip_address::parse(source).value();
    reporter->count(found, facts);
  }
  delivery::dmarc_report_run run() { return base::sync_wait(reporter->run()); }
  std::vector<store::queue_item> queued() { return base::sync_wait(store->queue().list("", 1000)).value(); }
  std::string text(const store::queue_item& item) {
    return base::sync_wait(store->queue().read(item.message)).value().str();
  }

  std::unique_ptr<base::crypto> crypto = crypto::make_boringssl();
  base::manual_clock time{std::chrono::sys_time<std::chrono::milliseconds>(first_day) + 12h};
  base::scripted_resolver dns;
  std::unique_ptr<store::local_store> store = store::make_memory_store(*crypto, time);
  delivery::local_delivery local{store->directory(), store->mailboxes(), time};
  delivery::dmarc_reporter_options options;
  std::unique_ptr<delivery::dmarc_reporter> reporter;
};

}  // namespace

TEST_CASE("dmarc reports: once the day is over, to those who may have them") {
  host all;
  all.see("example.org");
  all.see("news.example.org");
  all.see("example.org");
  all.see("other.example");  // its rua names somebody who did not agree
  all.see("quiet.example");  // wants none
  CHECK(all.run().queued == 0);
  all.time.advance(12h);
  CHECK(all.run().queued == 0);  // midnight, but messages may still be under way
  all.time.advance(1h);
  const auto done = all.run();
  CHECK(done.queued == 1);
  CHECK(done.dropped == 1);
  CHECK(done.put_off == 0);

  REQUIRE(all.queued().size() == 1);
  const auto item = all.queued().front();
  CHECK(item.sender == "noreply-dmarc@mx.example");
  REQUIRE(item.recipients.size() == 2);
  CHECK(item.recipients[0].address == "r@example.org");
  CHECK(item.recipients[1].address == "r@reports.example");
  CHECK(item.recipients[0].notify == 1);
  const auto text = all.text(item);
  const mail::header_block header(text);
  CHECK(mail::unfold(header.value("Subject")) ==
        "Report Domain: example.org Submitter: mx.example Report-ID: <20261125-example.org@mx.example>");
  CHECK(text.find("mx.example!example.org!1795564800!1795651199.xml.gz") != text.npos);
  const auto reports = dmarc::read_reports(text);
  REQUIRE(reports);
  const auto& one = reports->front();
  CHECK(one.metadata.org_name == "Example");
  CHECK(one.metadata.begin == first_day);
  CHECK(one.metadata.end == first_day + 24h - 1s);
  REQUIRE(one.rows.size() == 2);
  CHECK(one.rows[0].count + one.rows[1].count == 3);

  CHECK(all.run().queued == 0);  // it is forgotten
  CHECK(all.queued().size() == 1);
}

TEST_CASE("dmarc reports: a restart in the middle of the day and before the report loses and doubles nothing") {
  host all;
  all.see("example.org");
  all.start();
  all.see("example.org");
  all.time.advance(13h);
  all.start();
  CHECK(all.run().queued == 1);
  const auto reports = dmarc::read_reports(all.text(all.queued().front()));
  REQUIRE(reports);
  CHECK(reports->front().rows.front().count == 2);
  all.start();
  CHECK(all.run().queued == 0);
  CHECK(all.queued().size() == 1);
}

TEST_CASE("dmarc reports: where DNS does not answer they wait a day") {
  host all;
  all.see("example.org");
  all.dns.add_failure("example.org._report._dmarc.reports.example", dns_type::txt);
  all.time.advance(13h);
  CHECK(all.run().put_off == 1);
  CHECK(all.queued().empty());
  all.time.advance(24h);
  CHECK(all.run().queued == 1);  // to the one that is sure
  CHECK(all.queued().front().recipients.size() == 1);
}

TEST_CASE("dmarc reports: they are signed, or wait until they can be") {
  host all;
  bool ready = false;
  all.options.sign = [&](std::string message) -> base::task<base::result<std::string>> {
    if (!ready) co_return base::fail(base::errc::unavailable);
    co_return "DKIM-Signature: x\r\n" + message;
  };
  all.start();
  all.see("example.org");
  all.time.advance(13h);
  CHECK(all.run().put_off == 1);
  CHECK(all.queued().empty());
  ready = true;
  CHECK(all.run().queued == 1);
  CHECK(all.text(all.queued().front()).find("DKIM-Signature: x\r\n") != std::string::npos);
}

TEST_CASE("dmarc reports: a report larger than its receiver takes is not sent there") {
  host all;
  all.dns.add_txt("_dmarc.small.example", "v=DMARC1; p=none; rua=mailto:a@small.example!10,mailto:b@small.example!1m");
  all.see("small.example");
  all.time.advance(13h);
  CHECK(all.run().queued == 1);
  REQUIRE(all.queued().front().recipients.size() == 1);
  CHECK(all.queued().front().recipients[0].address == "b@small.example");
}
