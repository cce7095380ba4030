#pragma once

// What is proven of a message's origin, for the stages that trust by it: the stage that checks writes it into the
// session's notes, others read it. SPF is known from the hook `mail` on, the rest from `message` on; until then, and
// where nobody checks, a result is `none`.

#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/filter/stage.hpp"
#include "briefwerk/mailauth/outcome.hpp"

namespace briefwerk::filter {

struct auth_facts {
  mailauth::outcome spf = mailauth::outcome::none;
  std::string spf_domain;                       // that it was checked for, lower case: of MAIL FROM, else of HELO
  std::vector<std::string> dkim_domains;        // of signatures that passed, lower case
  mailauth::outcome dmarc = mailauth::outcome::none;
  std::string client_name;                      // of the client, verified in both directions (iprev), lower case; else empty
  std::string author_domain;                    // of the From field, lower case; empty: none, or several

  static constexpr std::string_view note = "auth";
};

// The session's, made where there is none. A new transaction begins with a new one (the stage that checks sees to it).
inline auth_facts& auth_facts_of(session_facts& session) {
  std::any& kept = session.notes[std::string(auth_facts::note)];
  if (!kept.has_value()) kept = auth_facts();
  return *std::any_cast<auth_facts>(&kept);
}

}  // namespace briefwerk::filter
