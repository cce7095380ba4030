#pragma once

// The whole room.

#include "briefwerk/delivery/bounce_directory.hpp"
#include "briefwerk/delivery/dmarc_reporter.hpp"
#include "briefwerk/delivery/key_ring.hpp"
#include "briefwerk/delivery/local_delivery.hpp"
#include "briefwerk/delivery/mail_signer.hpp"
#include "briefwerk/delivery/queue_runner.hpp"
#include "briefwerk/delivery/report.hpp"
#include "briefwerk/delivery/routing.hpp"
