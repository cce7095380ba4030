#pragma once

// DMARC aggregate reports that others sent: from files, archives and mail.

#include <string>
#include <string_view>
#include <vector>

#include "apps/briefwerkctl/connection.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"

namespace briefwerk::apps::ctl {

// Reports as they were found, and what could not be read.
class report_reader {
 public:
  // A document, gzip, zip or message; an mbox file or Maildir of messages, of which those without a report are passed
  // over. What cannot be read is noted. Throws failure when there is no such file.
  void read_path(const std::string& path);
  // One message of a mailbox; passed over when there is no report in it.
  void read_message(std::string_view octets, const std::string& name);

  // {"domains": […], "unreadable": […]}: one element a policy domain, with its sources.
  json summary() const;
  // {"reports": […], "unreadable": […]}: one element a report.
  json list() const;
  std::size_t unreadable() const noexcept { return unreadable_.size(); }

 private:
  void take(const base::result<std::vector<mailauth::dmarc::report>>& found, const std::string& name, bool must_hold);

  std::vector<mailauth::dmarc::report> reports_;
  std::vector<std::pair<std::string, std::string>> unreadable_;  // name and reason
};

// For people. Text of strangers is shown without control characters.
void print_report_summary(const json& summary);
void print_report_list(const json& list);

}  // namespace briefwerk::apps::ctl
