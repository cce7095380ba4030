#include "apps/briefwerkd/notice.hpp"

#include <chrono>

#include "briefwerk/base/random_id.hpp"
#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/header.hpp"

namespace briefwerk::apps {

std::string make_notice(std::string_view hostname, std::string_view to, std::string_view subject, std::string_view text,
                        base::wall_time now, const base::crypto& crypto) {
  const std::string host(hostname);
  std::string out = "Return-Path: <>\r\n";
  mail::write_header_field(out, "From", "Briefwerk <postmaster@" + host + ">");
  mail::write_header_field(out, "To", to);
  mail::write_header_field(out, "Subject", subject);
  mail::write_header_field(out, "Date", mail::format_date({std::chrono::floor<std::chrono::seconds>(now), 0}));
  mail::write_header_field(out, "Message-ID", "<" + base::random_id(crypto) + "@" + host + ">");
  mail::write_header_field(out, "Auto-Submitted", "auto-generated");  // RFC 3834 §5: nobody's vacation answers it
  mail::write_header_field(out, "MIME-Version", "1.0");
  mail::write_header_field(out, "Content-Type", "text/plain; charset=us-ascii");
  return out.append("\r\n").append(text);
}

}  // namespace briefwerk::apps
