#pragma once

// Asks a scanner about each message. What was not scanned does not pass unless the options say so.

#include <functional>
#include <memory>
#include <string>

#include "briefwerk/filter/scanner.hpp"
#include "briefwerk/filter/stage.hpp"

namespace briefwerk::filter {

// An account that sends malware.
struct virus_notice {
  std::string login;
  std::string name;  // of what was found
};

struct virus_options {
  action infected = action::reject;   // or quarantine, which is for mail from other servers: users' is always rejected
  action encrypted = action::tag;     // accept, tag, defer, reject
  action too_large = action::reject;  // likewise
  action failed = action::defer;      // or accept: pass unscanned
  // Called once for each infected message of a user, from any thread; must not block or throw. Not in a trial.
  std::function<void(const virus_notice&)> notify{};
};

class virus_stage final : public stage {
 public:
  virus_stage(std::shared_ptr<scanner> by, virus_options options);

  std::string_view name() const noexcept override { return "virus"; }
  hook_set hooks() const noexcept override { return only(hook::message); }
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;

 private:
  std::shared_ptr<scanner> scanner_;
  virus_options options_;
};

}  // namespace briefwerk::filter
