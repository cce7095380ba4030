#pragma once

// The whole room.

#include "briefwerk/delivery/dmarc_reporter.hpp"
#include "briefwerk/delivery/local_delivery.hpp"
#include "briefwerk/delivery/queue_runner.hpp"
#include "briefwerk/delivery/report.hpp"
#include "briefwerk/delivery/routing.hpp"
