#pragma once

// Rules of an administrator: who may not send or get mail, how large it may be, what may be attached, what header
// fields may look like. Addresses and announced sizes are judged at mail and rcpt, the rest at message.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/filter/stage.hpp"

namespace briefwerk::filter {

struct attachment_rule {
  std::vector<std::string> extensions;  // lower case, without dot
  std::vector<std::string> types;       // of attachment_types()
  bool encrypted = false;               // entries of archives that need a password
  bool unreadable = false;              // a bound was reached before everything was seen
  bool in_archives = true;              // also what is inside of archives
  action act = action::reject;
  double score = 0;
};

struct header_rule {
  std::string name;                     // of the rule, for log and header
  std::string field;                    // header field, each of that name is looked at; empty: none
  std::string pattern;                  // RE2 syntax, found anywhere in the decoded value; "(?i)" for any case
  action act = action::tag;
  double score = 0;
};

struct content_options {
  // Whole addresses, or domains with all below them; in lower case. Senders: of MAIL and of From.
  std::vector<std::string> senders, recipients;
  std::uint64_t size = 0;               // octets of a message; 0: as the server takes
  std::vector<attachment_rule> attachments;
  std::vector<header_rule> headers;
};

class content final : public stage {
 public:
  // errc::malformed: `wrong` says which pattern or type cannot be used, and why.
  static base::result<std::shared_ptr<content>> create(content_options options, std::string& wrong);
  ~content() override;

  std::string_view name() const noexcept override { return "content"; }
  hook_set hooks() const noexcept override { return hook::mail | hook::rcpt | hook::message; }
  base::task<verdict> mail(session_facts& session, const mail::smtp_envelope& envelope) override;
  base::task<verdict> rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                           const mail::envelope_recipient& recipient) override;
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;

 private:
  struct patterns;
  content(content_options options, std::unique_ptr<patterns> compiled);
  void judge_header(verdict& sum, std::string_view message) const;
  void judge_attachments(verdict& sum, std::string_view message) const;

  content_options options_;
  std::unique_ptr<patterns> patterns_;
};

}  // namespace briefwerk::filter
