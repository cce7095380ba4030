#pragma once

// The whole room.

#include "briefwerk/filter/attachments.hpp"
#include "briefwerk/filter/auth_facts.hpp"
#include "briefwerk/filter/chain.hpp"
#include "briefwerk/filter/clamav_names.hpp"
#include "briefwerk/filter/client_network.hpp"
#include "briefwerk/filter/content.hpp"
#include "briefwerk/filter/dns_lists.hpp"
#include "briefwerk/filter/greylist.hpp"
#include "briefwerk/filter/links.hpp"
#include "briefwerk/filter/mail_authentication.hpp"
#include "briefwerk/filter/mailauth_stage.hpp"
#include "briefwerk/filter/rate.hpp"
#include "briefwerk/filter/scan_wire.hpp"
#include "briefwerk/filter/scanner.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/filter/state_store.hpp"
#include "briefwerk/filter/state_table.hpp"
#include "briefwerk/filter/verdict.hpp"
#include "briefwerk/filter/virus_stage.hpp"
