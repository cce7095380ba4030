#pragma once

// What follows from the results of the methods: the field that tells them, and whether a chain of forwarders excuses
// a failure.

#include <span>
#include <string>
#include <vector>

#include "briefwerk/base/ip.hpp"
#include "briefwerk/filter/allow_listing.hpp"
#include "briefwerk/filter/mail_authentication.hpp"

namespace briefwerk::filter {

mailauth::authentication_results results_of(const mail_authentication& found, const std::string& authserv_id,
                                            const base::ip_address& client, std::span<const allow_listing> listings);

// The chain passes, and a set in the run of trusted sealers that ends it says dmarc=pass, or, where its sealer looked
// at no policy, that SPF or DKIM passed.
bool is_vouched_for(const mailauth::arc_result& chain, const std::vector<std::string>& trusted_sealers);

}  // namespace briefwerk::filter
