#pragma once

// From the section "filter.virus" of the configuration to the stage and to the program that scans.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/config/config.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/virus_stage.hpp"

namespace briefwerk::apps {

// Folder of a scanner that the server starts: its socket, and what its scans need. Root's, where the scanner has a user
// of its own.
std::string scan_folder(const config& conf);
// The command that starts it. Its first word may be empty: nobody knows where the program is.
std::vector<std::string> scan_command(const config& conf);

std::shared_ptr<filter::virus_stage> make_virus_stage(const config& conf, base::log_sink& log, base::metrics* metrics,
                                                      std::function<void(const filter::virus_notice&)> notify);
filter::stage_options usual_virus_options(const virus_config& conf);

void check_virus(const virus_config& conf, std::vector<config_error>& errors);

}  // namespace briefwerk::apps
