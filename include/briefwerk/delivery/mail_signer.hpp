#pragma once

// Signs with the installation's keys: DKIM by every active key of the author's domain, ARC for what is passed on.

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/metrics.hpp"
#include "briefwerk/mailauth/message_signer.hpp"
#include "briefwerk/store/signing_keys.hpp"

namespace briefwerk::delivery {

struct mail_signer_options {
  std::string hostname;  // whose keys seal for a domain that has none
  base::log_sink* log = &base::null_log();
  base::metrics* metrics = nullptr;  // dkim.signed, dkim.not_signed, arc.sealed
};

// Keys are kept parsed until the store's version of them grows, so a change of them, by whomever, counts from the next
// message on. A domain without keys of its own is signed for by the nearest domain above it that has some (an author at
// sub.example.org by example.org: aligned by DMARC's relaxed mode).
class mail_signer final : public mailauth::message_signer {
 public:
  // All must outlive it, and so must the options' pointers.
  mail_signer(store::signing_key_store& keys, const base::crypto& crypto, const base::clock& time,
              mail_signer_options options = {});
  ~mail_signer() override;

  base::task<std::string> sign(std::string_view message) override;
  mailauth::body_hash_kind sealed_body() const noexcept override;
  base::task<std::string> seal(const mailauth::message_hasher& message, const mailauth::arc_result& chain,
                               std::string_view results, std::string domain) override;

 private:
  struct table;
  base::task<std::shared_ptr<const table>> current();
  void count(std::string_view what) const;
  void tell(std::string_view event, std::string_view domain, std::error_code why) const;

  store::signing_key_store& keys_;
  const base::crypto& crypto_;
  const base::clock& time_;
  mail_signer_options options_;
  std::mutex mutex_;
  std::shared_ptr<const table> table_;
};

}  // namespace briefwerk::delivery
