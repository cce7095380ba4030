#pragma once

// The signing keys over an engine: partition "k".

#include "briefwerk/store/signing_keys.hpp"
#include "store/mailbox/core.hpp"

namespace briefwerk::store {

class engine_signing_keys final : public signing_key_store {
 public:
  explicit engine_signing_keys(store_core& core) : core_(core) {}

  base::task<base::result<std::vector<signing_key>>> list(std::string domain) override;
  base::result<version_number> version() const override;
  base::task<base::status> change(std::string domain, edit how) override;

 private:
  base::result<std::vector<signing_key>> read(const view& now, const key_range& range) const;

  store_core& core_;
};

}  // namespace briefwerk::store
