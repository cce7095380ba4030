#include "briefwerk/delivery/dmarc_reporter.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mailauth/dmarc_destination.hpp"

namespace briefwerk::delivery {
namespace {

namespace dmarc = mailauth::dmarc;
using base::log_level;
using std::chrono::days;
using std::chrono::seconds;

std::string day_text(std::chrono::sys_days day) {
  const std::chrono::year_month_day date(day);
  auto number = std::to_string(static_cast<int>(date.year()) * 10000 + static_cast<int>(unsigned(date.month())) * 100 +
                               static_cast<int>(unsigned(date.day())));
  return number;
}

std::string domain_of(const std::string& address) { return address.substr(address.rfind('@') + 1); }

// Those whose limit the report keeps to (RFC 7489 §6.2).
std::vector<std::string> takers(const std::vector<dmarc::destination>& all, std::size_t octets) {
  std::vector<std::string> out;
  for (const auto& one : all)
    if (!one.max_size || octets <= *one.max_size) out.push_back(one.address);
  return out;
}

}  // namespace

dmarc_reporter::dmarc_reporter(std::unique_ptr<store::state_rows> rows, local_delivery& mail, base::resolver& names,
                               const base::clock& time, dmarc_reporter_options options)
    : rows_(std::move(rows)),
      mail_(mail),
      names_(names),
      time_(time),
      options_(std::move(options)),
      seen_({}, {.put = [this](std::string key, std::string value) { rows_->put(std::move(key), std::move(value)); },
                 .erase = [this](std::string key) { rows_->erase(std::move(key)); }}) {}

base::status dmarc_reporter::load() {
  return rows_->load([this](std::string_view key, std::string_view value) {
    if (!seen_.restore(key, value)) options_.log->log(log_level::error, "dmarc.row_corrupt", {{"key", key}});
  });
}

void dmarc_reporter::count(const dmarc::evaluation& found, const dmarc::message_facts& facts) {
  const auto seen = dmarc::observe(found, facts);
  if (seen) seen_.add(std::chrono::floor<seconds>(time_.now()), *seen);
}

base::task<dmarc_report_run> dmarc_reporter::run() {
  dmarc_report_run done;
  const auto today = std::chrono::floor<days>(time_.now() - options_.after_day);
  for (const auto& which : seen_.finished(today)) {
    const auto end = co_await report_on(which);
    if (end == answer::queued) ++done.queued;
    if (end == answer::dropped) ++done.dropped;
    if (end == answer::put_off) ++done.put_off;
  }
  co_return done;
}

base::task<dmarc_reporter::answer> dmarc_reporter::report_on(dmarc::collector::period which) {
  const auto seen = seen_.find(which);
  if (!seen) co_return answer::dropped;
  const auto where = co_await dmarc::report_destinations(names_, which.domain, seen->rua(), options_.discovery);
  const bool late = time_.now() > which.day + days(1) + options_.give_up;
  if (where.temperror && !late) co_return answer::put_off;

  const auto submitter = domain_of(options_.address);
  const auto what = seen->make_report({.org_name = options_.organisation,
                                       .email = options_.address,
                                       .extra_contact_info = options_.contact,
                                       .report_id = day_text(which.day) + "-" + which.domain + "@" + submitter,
                                       .begin = which.day,
                                       .end = which.day + days(1) - seconds(1),
                                       .errors = {},
                                       .generator = "Briefwerk"});
  const auto compressed = dmarc::gzip(dmarc::write_report(what));
  const auto to = takers(where.to, compressed.size());
  if (to.empty() || what.rows.empty()) {
    options_.log->log(log_level::info, "dmarc.report_dropped",
                      {{"domain", which.domain}, {"refused", where.refused.size()}});
    seen_.forget(which);
    co_return answer::dropped;
  }
  const auto message = co_await compose(what, compressed, to);
  mail::smtp_envelope envelope;
  envelope.sender = mail::parse_mailbox(options_.address).value_or(mail::mailbox_address{});
  for (const auto& one : to) {
    auto address = mail::parse_mailbox(one);
    if (!address) continue;
    mail::envelope_recipient recipient;
    recipient.address = std::move(*address);
    recipient.notify_on = 1;  // never: nobody waits for what is said about a report
    envelope.recipients.push_back(std::move(recipient));
  }
  base::status queued;
  if (message)
    queued = co_await mail_.deliver(envelope, {.octets = *message, .junk = false, .account = {}});
  else
    queued = base::fail(message.error());
  if (!queued) {
    options_.log->log(log_level::warning, "dmarc.report_put_off",
                      {{"domain", which.domain}, {"reason", queued.error().message()}});
    co_return answer::put_off;
  }
  options_.log->log(log_level::info, "dmarc.report_queued",
                    {{"domain", which.domain},
                     {"report", what.metadata.report_id},
                     {"rows", what.rows.size()},
                     {"recipients", to.size()}});
  seen_.forget(which);
  co_return answer::queued;
}

base::task<base::result<std::string>> dmarc_reporter::compose(const dmarc::report& what, const std::string& compressed,
                                                              std::vector<std::string> to) {
  const auto submitter = domain_of(options_.address);
  auto text =
      dmarc::write_report_mail(what, {.from = options_.address,
                                      .from_name = options_.organisation,
                                      .to = std::move(to),
                                      .submitter = submitter,
                                      .message_id = what.metadata.report_id,
                                      .boundary = "report" + day_text(std::chrono::floor<days>(what.metadata.begin)),
                                      .date = std::chrono::floor<seconds>(time_.now()),
                                      .compressed = compressed,
                                      .file_name = dmarc::report_file_name(submitter, what)});
  if (!options_.sign) co_return std::move(text);
  auto signed_text = co_await options_.sign(std::move(text));
  co_return std::move(signed_text);
}

base::task<void> dmarc_reporter::keep_looking() {
  for (;;) {
    co_await run();
    const auto waited = co_await net::sleep_for(options_.every);
    if (!waited) co_return;
  }
}

void dmarc_reporter::start(net::io_thread& thread) { base::spawn(thread, keep_looking()); }

}  // namespace briefwerk::delivery
