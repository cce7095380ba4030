#pragma once

// The whole room.

#include "briefwerk/server/account_authenticator.hpp"
#include "briefwerk/server/authenticator.hpp"
#include "briefwerk/server/ban_export.hpp"
#include "briefwerk/server/guarded_authenticator.hpp"
#include "briefwerk/server/imap_server.hpp"
#include "briefwerk/server/login_guard.hpp"
#include "briefwerk/server/mail_handler.hpp"
#include "briefwerk/server/message_buffer.hpp"
#include "briefwerk/server/milter_stage.hpp"
#include "briefwerk/server/passwords.hpp"
#include "briefwerk/server/scanners.hpp"
#include "briefwerk/server/smtp_handler.hpp"
#include "briefwerk/server/smtp_server.hpp"
