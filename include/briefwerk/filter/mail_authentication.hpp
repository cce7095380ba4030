#pragma once

// All that mailauth_stage found out about a session and its message, for stages, handlers and reports that need more
// than auth_facts says.

#include <any>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/filter/stage.hpp"
#include "briefwerk/mailauth/arc.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "briefwerk/mailauth/dmarc.hpp"
#include "briefwerk/mailauth/iprev.hpp"
#include "briefwerk/mailauth/message_hasher.hpp"
#include "briefwerk/mailauth/spf.hpp"

namespace briefwerk::filter {

// Of one message; whole from the stage's hook `message` on.
struct mail_authentication {
  mailauth::iprev_verdict iprev;
  mailauth::spf::verdict helo;       // SPF of HELO
  mailauth::spf::verdict mail_from;  // SPF of MAIL FROM; of HELO where that is null
  std::vector<mailauth::dkim_result> dkim;
  mailauth::arc_result arc;
  mailauth::dmarc::evaluation dmarc;
  bool vouched_for = false;                           // a trusted sealer found it good before it was changed on its way
  mailauth::authentication_results results;           // as the header field says it
  std::shared_ptr<mailauth::message_hasher> message;  // finished; for who seals it

  static constexpr std::string_view note = "mail_authentication";
};

// Null where nothing was checked: a trusted network, submitted mail, no such stage.
inline const mail_authentication* mail_authentication_of(const session_facts& session) {
  const auto found = session.notes.find(mail_authentication::note);
  if (found == session.notes.end()) return nullptr;
  const auto* kept = std::any_cast<std::shared_ptr<mail_authentication>>(&found->second);
  return kept == nullptr ? nullptr : kept->get();
}

}  // namespace briefwerk::filter
