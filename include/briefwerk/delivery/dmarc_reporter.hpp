#pragma once

// The durable side of DMARC's aggregate reports: what was seen is kept in the store as it is counted, and once a UTC
// day is over each domain that asked for a report gets one, as ordinary mail through the queue.
//
// How often a report is sent. It is forgotten after the commit that puts it into the queue; where the program dies
// between the two it is made again, with the same Report-ID and file name, by which its receivers know it
// (RFC 9990 §3.5.4).

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/delivery/local_delivery.hpp"
#include "briefwerk/mailauth/dmarc_collector.hpp"
#include "briefwerk/net/io_threads.hpp"
#include "briefwerk/store/state_rows.hpp"

namespace briefwerk::delivery {

struct dmarc_reporter_options {
  std::string address;  // From and reverse-path of reports: noreply-dmarc@example.org; its domain is the submitter's
  std::string organisation;  // org_name
  std::string contact;       // extra_contact_info; may be empty
  // The whole message, signed for the domain of `address`: receivers take reports only with an aligned pass
  // (RFC 9990 §3.5.2). An error puts the report off. Without a function it leaves as it is.
  std::function<base::task<base::result<std::string>>(std::string message)> sign;
  mailauth::dmarc::options discovery;       // whether a destination belongs to the policy's organization
  std::chrono::seconds after_day{3600};     // messages of the day may still be on their way in
  std::chrono::seconds give_up{24 * 3600};  // after the day's end, where DNS does not answer about a destination
  std::chrono::seconds every{600};          // between two looks
  base::log_sink* log = &base::null_log();
};

// What one look did.
struct dmarc_report_run {
  std::size_t queued = 0;   // reports in the queue
  std::size_t dropped = 0;  // nobody may have them
  std::size_t put_off = 0;  // another look will try again
};

class dmarc_reporter {
 public:
  // References outlive this, and so does the log. `rows` are its own: store.state("dmarc").
  dmarc_reporter(std::unique_ptr<store::state_rows> rows, local_delivery& mail, base::resolver& names,
                 const base::clock& time, dmarc_reporter_options options);

  // Takes back what was counted before the last stop; before the first count(). Blocks on the disk. Damaged rows are
  // logged as dmarc.row_corrupt and left out.
  base::status load();

  // Counts a message that was evaluated, if there is anything to report about it. From any thread; does not block.
  void count(const mailauth::dmarc::evaluation& found, const mailauth::dmarc::message_facts& facts);

  // Makes the reports of days that are over. One run at a time.
  base::task<dmarc_report_run> run();

  // Looks now and every options.every on that thread, until it is told to stop. The reporter outlives the thread's work.
  void start(net::io_thread& thread);

  // Until everything counted so far is durable; blocks.
  base::status flush() { return rows_->flush(); }

 private:
  enum class answer : unsigned char { queued, dropped, put_off };
  base::task<answer> report_on(mailauth::dmarc::collector::period which);
  base::task<void> keep_looking();
  base::task<base::result<std::string>> compose(const mailauth::dmarc::report& what, const std::string& compressed,
                                                std::vector<std::string> to);

  std::unique_ptr<store::state_rows> rows_;
  local_delivery& mail_;
  base::resolver& names_;
  const base::clock& time_;
  dmarc_reporter_options options_;
  mailauth::dmarc::collector seen_;
};

}  // namespace briefwerk::delivery
