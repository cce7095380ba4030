#pragma once

// Rate limits as token buckets: so many of a kind in so much time, all at once if need be, refilled steadily. Who is
// over a limit is deferred with the seconds to wait.
//
// For accounts there are bounds by the day (UTC) besides: recipients, and recipients that the account never wrote to
// before. Past one of them the account looks hijacked: its mail of that day is taken and held in quarantine, and
// `notify` is called once a day, for a notice to the administrator.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/ip.hpp"
#include "briefwerk/filter/stage.hpp"
#include "briefwerk/filter/state_table.hpp"

namespace briefwerk::filter {

enum class rate_key : std::uint8_t { address, network, account, sender_domain, recipient };
enum class rate_unit : std::uint8_t { connections, messages, recipients };

// Connections are counted by address or network; by recipient, a message counts once for each of its recipients; by
// account nothing counts for who did not log in. A rule that cannot apply never refuses.
struct rate_rule {
  rate_key by = rate_key::address;
  rate_unit of = rate_unit::messages;
  std::uint32_t count = 100;                // at least 1
  std::chrono::seconds in{3600};            // at least 1
  std::optional<scope> only;                // nothing: everywhere
};

struct rate_notice {
  std::string account, login;               // id and name
  std::string reason;                       // "501 recipients today"
};

struct rate_options {
  std::vector<rate_rule> rules;
  std::vector<base::ip_network> networks;   // whose clients no rule counts
  std::uint32_t recipients_a_day = 0;       // of one account; 0: any number
  std::uint32_t new_recipients_a_day = 0;
  std::chrono::seconds remember_recipients{std::chrono::days(180)};
  std::function<void(const rate_notice&)> notify;  // from any thread; must not block or throw
  std::size_t entries = 500000;             // in memory, about 64 octets each
};

class rate final : public stage {
 public:
  // The clock outlives the stage. `hash_key`: of the installation, the same at each start.
  rate(rate_options options, const base::clock& time, base::siphash_key hash_key);

  std::string_view name() const noexcept override { return "rate"; }
  hook_set hooks() const noexcept override { return hook::connect | hook::mail | hook::rcpt | hook::message; }
  base::task<verdict> connect(session_facts& session) override;
  base::task<verdict> mail(session_facts& session, const mail::smtp_envelope& envelope) override;
  base::task<verdict> rcpt(session_facts& session, const mail::smtp_envelope& envelope,
                           const mail::envelope_recipient& recipient) override;
  base::task<verdict> message(session_facts& session, const mail::smtp_envelope& envelope,
                              const message_facts& message) override;

  kept_table& state() noexcept { return table_; }

 private:
  // A bucket: `when` is the moment, in microseconds, at which it will be full again. An account's day: counts.
  struct record {
    std::int64_t expires, when;
    std::uint32_t recipients, fresh;
  };
  struct facts;

  verdict take(const facts& of, rate_unit unit, bool for_recipient);
  std::optional<std::chrono::seconds> take_one(std::size_t rule, std::string_view who, bool trial);
  void count_day(const session_facts& session, std::string_view recipient);
  std::optional<std::string> over_the_day(const session_facts& session) const;
  state_key day_of(const session_facts& session) const;
  std::int64_t now() const noexcept;

  rate_options options_;
  const base::clock& time_;
  state_table<record> table_;
};

}  // namespace briefwerk::filter
