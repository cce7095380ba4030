#pragma once

// The keys that outgoing mail is signed with, by domain and selector. They stand in the store and not in files: a
// change is atomic and durable, every process that opened the store sees it at once (by the version), and a back-up of
// the store has them. The store's folder is the server's own (mode 0700), as the mail in it is.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/base/result.hpp"
#include "briefwerk/base/task.hpp"
#include "briefwerk/store/engine.hpp"

namespace briefwerk::store {

enum class signing_key_state : std::uint8_t {
  pending,   // made, not used: DNS does not show it yet
  active,    // signs
  retiring,  // signs no more; still published, for mail that is on its way
  retired,   // to be taken out of DNS; its secret is gone
};
std::string_view to_string(signing_key_state state) noexcept;

struct signing_key {
  std::string domain;    // lower case, A-labels
  std::string selector;  // lower case; never used again in its domain
  base::key_kind kind = base::key_kind::rsa;
  signing_key_state state = signing_key_state::pending;
  std::int64_t created = 0;  // seconds since 1970, UTC
  std::int64_t changed = 0;  // when it came into its state
  std::int64_t ends = 0;     // retiring: when it is retired
  std::string public_key;    // base::public_key::encode()
  std::string private_key;   // PEM; empty once retired; never logged nor shown
  bool operator==(const signing_key&) const = default;
};

// Thread-safe.
class signing_key_store {
 public:
  virtual ~signing_key_store() = default;
  // Of one domain, or with an empty name of all; by domain and selector.
  virtual base::task<base::result<std::vector<signing_key>>> list(std::string domain) = 0;
  // Grows with every change (see version_number): what was read under it is still right while it stays.
  virtual base::result<version_number> version() const = 0;
  // Reads the domain's keys, lets `edit` change them, writes the difference in one commit. `edit` may run again, and
  // runs on the commit thread: it must be quick and not throw. Its error is the answer, and nothing is written.
  using edit = std::function<base::status(std::vector<signing_key>& keys)>;
  virtual base::task<base::status> change(std::string domain, edit how) = 0;
};

}  // namespace briefwerk::store
