#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "apps/briefwerkctl/session.hpp"

namespace briefwerk::apps::ctl {

void add_mailbox(CLI::App& app, session& with);
// The sub-command `export` of `account`.
void add_account_export(CLI::App& group, session& with);

// Calls `use` with each message of a mailbox that can be read, and its answer; the number of those that cannot.
std::uint64_t each_message(const session& with, const std::string& account, const std::string& mailbox,
                           const std::function<void(const json& answer, std::string octets)>& use);

}  // namespace briefwerk::apps::ctl
