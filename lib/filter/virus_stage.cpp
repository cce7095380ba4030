#include "briefwerk/filter/virus_stage.hpp"

#include <utility>

namespace briefwerk::filter {
namespace {

// The field that a tagged message carries.
constexpr std::string_view field_name = "X-Virus-Status";

// RFC 3463 §3.8: X.7.0, other or undefined security status.
verdict made_of(action what, std::string text, std::string why) {
  verdict made{.what = what, .reason = std::move(why)};
  if (what == action::reject) {
    made.code = 554;
    made.enhanced = "5.7.0";
  } else if (what == action::defer) {
    made.code = 451;
    made.enhanced = "4.7.1";
  } else if (what == action::tag) {
    made.add_fields.push_back({std::string(field_name), made.reason});
  }
  if (what >= action::defer) made.text = std::move(text);
  return made;
}

}  // namespace

virus_stage::virus_stage(std::shared_ptr<scanner> by, virus_options options)
    : scanner_(std::move(by)), options_(std::move(options)) {}

base::task<verdict> virus_stage::message(session_facts& session, const mail::smtp_envelope&,
                                         const message_facts& message) {
  const bool outgoing = session.where == scope::submission;
  const scan_answer said = co_await scanner_->scan(message.octets);
  switch (said.outcome) {
    case scan_outcome::clean:
      co_return verdict::accepted();
    case scan_outcome::infected:
      if (outgoing && options_.notify && !session.trial) options_.notify({session.login, said.text});
      co_return made_of(outgoing ? action::reject : options_.infected, "The message contains malware: " + said.text,
                        "infected: " + said.text);
    case scan_outcome::encrypted:
      co_return made_of(options_.encrypted, "Encrypted attachments cannot be scanned and are not taken here",
                        "encrypted: " + said.text);
    case scan_outcome::too_large:
      co_return made_of(options_.too_large, "The message is too large to be scanned for malware",
                        "too large to scan: " + said.text);
    case scan_outcome::failed:
      break;
  }
  co_return made_of(options_.failed, "The message cannot be scanned at the moment, please try again later",
                    "not scanned: " + said.text);
}

}  // namespace briefwerk::filter
