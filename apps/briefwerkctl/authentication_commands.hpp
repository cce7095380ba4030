#pragma once

// Sub-commands round the authentication of mail: keys, what is to be published, and why a message passes or does not.

#include <CLI/CLI.hpp>

#include "apps/briefwerkctl/session.hpp"

namespace briefwerk::apps::ctl {

void add_dkim(CLI::App& app, session& with);
void add_dns(CLI::App& app, session& with);
void add_verify(CLI::App& app, session& with);

}  // namespace briefwerk::apps::ctl
