#pragma once

// The whole room.

#include "briefwerk/mail/address.hpp"
#include "briefwerk/mail/body_structure.hpp"
#include "briefwerk/mail/charset.hpp"
#include "briefwerk/mail/date.hpp"
#include "briefwerk/mail/envelope.hpp"
#include "briefwerk/mail/envelope_text.hpp"
#include "briefwerk/mail/flags.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/message_edit.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/rights.hpp"
#include "briefwerk/mail/searched_text.hpp"
#include "briefwerk/mail/smtp_envelope.hpp"
#include "briefwerk/mail/special_use.hpp"
#include "briefwerk/mail/summary.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "briefwerk/mail/uid_set.hpp"
