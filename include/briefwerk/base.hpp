#pragma once

// The whole room.

#include "briefwerk/base/checksum.hpp"
#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/dns_type_name.hpp"
#include "briefwerk/base/encoding.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/log_files.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/base/random_id.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/scripted_resolver.hpp"
#include "briefwerk/base/siphash.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/base/varint.hpp"
#include "briefwerk/base/when_all.hpp"
#include "briefwerk/base/within.hpp"
