#pragma once

// Delivery status notifications (RFC 3461, RFC 3464, RFC 6522; RFC 6533 for addresses in UTF-8).

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/store/queue_item.hpp"

namespace briefwerk::delivery {

enum class report_action : std::uint8_t { failed, delayed, delivered, relayed };

struct reported_recipient {
  const store::queue_recipient* recipient = nullptr;
  report_action action = report_action::failed;
};

// Which reports a recipient asked for (NOTIFY, RFC 3461 §4.1). Nothing given means failure and delay.
bool wants_report(const store::queue_recipient& recipient, report_action action) noexcept;

// The whole message, CRLF lines, Return-Path <> in front. `original` is the message reported on; what is returned of it
// follows RET and the action (only headers where nothing failed, RFC 3461 §6.2), and never more than 64 KiB of body.
std::string make_report(const store::queue_item& item, std::span<const reported_recipient> recipients,
                        std::string_view original, std::string_view hostname, base::wall_time now,
                        const base::crypto& crypto);

}  // namespace briefwerk::delivery
