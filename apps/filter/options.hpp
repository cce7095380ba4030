#pragma once

// From the section "filter" of the configuration to what the stages take.

#include <string>
#include <vector>

#include "apps/config/config.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/content.hpp"
#include "briefwerk/filter/dns_lists.hpp"
#include "briefwerk/filter/greylist.hpp"
#include "briefwerk/filter/rate.hpp"

namespace briefwerk::apps {

filter::greylist_options to_greylist_options(const greylist_config& conf);
filter::dns_lists_options to_dns_lists_options(const dns_lists_config& conf);
filter::rate_options to_rate_options(const rate_config& conf);
filter::content_options to_content_options(const content_config& conf);

// How the stage of that name runs: `usual`, changed by what the configuration says about it.
filter::stage_options to_stage_options(const filter_config& conf, std::string_view name, filter::stage_options usual);

// What only the parts themselves can tell: patterns, answers of lists, addresses.
void check_filter(const config& conf, std::vector<config_error>& errors);

}  // namespace briefwerk::apps
