#pragma once

// Changes of an account's names, counters and quota, as one step of a transaction: read through the step's view,
// written to its batch. What was put into the batch is not seen by later reads of the same step.

#include <cstdint>
#include <optional>
#include <string_view>

#include "store/mailbox/account_reader.hpp"

namespace briefwerk::store {

class account_writer {
 public:
  account_writer(const view& now, std::string_view partition, const faults& report, batch& out, std::int64_t seconds)
      : read_(now, partition, report), out_(out), seconds_(seconds) {}

  const account_reader& read() const noexcept { return read_; }
  batch& out() noexcept { return out_; }
  std::int64_t seconds() const noexcept { return seconds_; }

  base::result<account_record*> account();  // errc::no_such_account
  base::status make_account();              // as account(), but makes it where it is missing
  void list_changed();                      // after account()

  struct made {
    name_record name;
    head_record head;
  };
  // Makes the mailbox and its missing parents; the name is normalised. errc::mailbox_exists.
  base::result<made> create(std::string_view name, mail::special_use use);

  // The quota: errc::over_quota when the room is not there (never when `always`).
  base::status take_room(std::uint64_t octets, std::uint64_t messages, bool always);
  base::status give_room(std::uint64_t octets, std::uint64_t messages);
  base::status set_limits(quota_limits limits);

  void finish();  // writes the counters that changed

 private:
  base::status load_usage();
  // `access`: the row of rights it begins with; empty: none.
  base::result<made> create_one(std::string_view name, mail::special_use use, const std::string& access);
  base::result<std::string> inherited_access(std::string_view name) const;

  account_reader read_;
  batch& out_;
  std::int64_t seconds_;
  std::optional<account_record> account_;
  std::optional<quota_usage> usage_;
  bool account_changed_ = false, usage_changed_ = false;
};

}  // namespace briefwerk::store
