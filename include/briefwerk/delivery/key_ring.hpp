#pragma once

// The life of the installation's DKIM keys: made, published by the administrator, used once DNS shows them, replaced by
// newer ones with an overlap in which both are published, and at last forgotten.
//
//   pending ──(DNS shows it)──► active ──(a newer one of its kind is active)──► retiring ──(overlap)──► retired

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/clock.hpp"
#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/log.hpp"
#include "briefwerk/base/resolver.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/signing_keys.hpp"

namespace briefwerk::delivery {

enum class published : std::uint8_t {
  yes,
  missing,    // no such record
  different,  // another key, or one that nobody can use
  unknown,    // DNS did not answer
};
std::string_view to_string(published what) noexcept;

struct key_check {
  store::signing_key key;  // as it is after what was done
  published in_dns = published::unknown;
  std::vector<std::string> found;  // texts of the records at its name
};

// Where a key is published (RFC 6376 §3.6.2.1) and what stands there (§3.6.1); both without quotes.
std::string key_record_name(const store::signing_key& key);
std::string key_record_text(const store::signing_key& key);

struct key_ring_options {
  std::chrono::seconds overlap{std::chrono::days(7)};  // longer than mail is under way: queues give up after five days
  unsigned rsa_bits = 2048;  // more does not fit into one string of a TXT record, nor into some servers
  base::log_sink* log = &base::null_log();
};

// Thread-safe; keeps nothing. Domains in any spelling; errc::malformed for what is none.
class key_ring {
 public:
  // All must outlive it, and so must the options' log.
  key_ring(store::signing_key_store& keys, base::resolver& names, const base::crypto& crypto, const base::clock& time,
           key_ring_options options = {});

  base::task<base::result<std::vector<store::signing_key>>> list(std::string domain);  // empty: of all domains
  // New pending keys, one of each kind. Without a selector: the day and the kind, as "20260301e". With one, that, and
  // for several kinds "-rsa" and "-ed25519" behind it. errc::already_exists: the domain had it before.
  base::task<base::result<std::vector<store::signing_key>>> generate(std::string domain,
                                                                     std::vector<base::key_kind> kinds,
                                                                     std::string selector = {});
  // What DNS shows of each key that is not retired, and of retired ones that it still shows.
  base::task<base::result<std::vector<key_check>>> check(std::string domain);
  // Uses pending keys (one, or with an empty selector all) that DNS shows, or with `force` whatever it shows. An active
  // key of the same kind retires. errc::not_found: there is no such pending key.
  base::task<base::result<std::vector<key_check>>> activate(std::string domain, std::string selector, bool force);
  // The next step of a change of keys: activate what is pending, and where nothing is, make successors of the active
  // ones (of both kinds for a domain that has none).
  base::task<base::result<std::vector<key_check>>> rotate(std::string domain);
  // No longer signs: retiring, or with `at_once` (and for a pending one) retired. errc::not_found.
  base::task<base::result<store::signing_key>> retire(std::string domain, std::string selector, bool at_once);
  // For a timer: activates pending keys that DNS shows, retires those whose time has come.
  base::task<void> look_after();

 private:
  std::int64_t now() const;
  base::task<key_check> look_up(store::signing_key key);
  base::task<base::result<std::vector<store::signing_key>>> make_keys(std::vector<base::key_kind> kinds);
  base::task<base::status> set_active(std::string domain, const std::vector<std::string>& selectors);
  base::task<base::status> end_overlaps();

  store::signing_key_store& keys_;
  base::resolver& names_;
  const base::crypto& crypto_;
  const base::clock& time_;
  key_ring_options options_;
};

}  // namespace briefwerk::delivery
