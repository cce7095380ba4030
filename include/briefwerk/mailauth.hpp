#pragma once

// The whole room.

#include "briefwerk/mailauth/arc.hpp"
#include "briefwerk/mailauth/authentication_results.hpp"
#include "briefwerk/mailauth/author.hpp"
#include "briefwerk/mailauth/dkim.hpp"
#include "briefwerk/mailauth/dmarc.hpp"
#include "briefwerk/mailauth/dmarc_collector.hpp"
#include "briefwerk/mailauth/dmarc_destination.hpp"
#include "briefwerk/mailauth/dmarc_record.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"
#include "briefwerk/mailauth/iprev.hpp"
#include "briefwerk/mailauth/message_hasher.hpp"
#include "briefwerk/mailauth/message_signer.hpp"
#include "briefwerk/mailauth/outcome.hpp"
#include "briefwerk/mailauth/public_suffix.hpp"
#include "briefwerk/mailauth/spf.hpp"
#include "briefwerk/mailauth/srs.hpp"
#include "briefwerk/mailauth/trace.hpp"
