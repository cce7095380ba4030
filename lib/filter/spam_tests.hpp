#pragma once

// What the spam stage's rules can test of a message besides patterns.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"

namespace briefwerk::filter {

// A message as the rules look at it. Views and references point into the message and the session.
struct looked_at {
  mail::header_block header;
  mail::mime_tree tree;
  const session_facts& session;
  const auth_facts& auth;
  bool checked = false;            // its origin was
  std::vector<std::string> hosts;  // of links; only where a rule asks for them
  std::chrono::sys_seconds now;
};

using spam_test_function = bool (*)(const looked_at&);
spam_test_function find_spam_test(std::string_view name) noexcept;  // null: there is none
bool needs_links(std::string_view test) noexcept;

}  // namespace briefwerk::filter
