#pragma once

// From the list "filter.milters" of the configuration to stages.

#include <memory>
#include <string>
#include <vector>

#include "apps/config/config.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/filter/chain.hpp"

namespace briefwerk::apps {

std::shared_ptr<filter::stage> make_milter_stage(const config& conf, const milter_config& from, base::log_sink& log,
                                                 base::metrics* metrics);
// `before`: names of the stages that it waits for.
filter::stage_options usual_milter_options(const milter_config& conf, std::vector<std::string> before);

// Stages that are named and are none.
void check_stages(const filter_config& conf, std::vector<config_error>& errors);
void check_milters(const std::vector<milter_config>& all, std::vector<config_error>& errors);

}  // namespace briefwerk::apps
