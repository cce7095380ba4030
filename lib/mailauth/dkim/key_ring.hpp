#pragma once

// The keys of one message's signatures: each is asked for once, all side by side.

#include <map>
#include <string>
#include <utility>

#include "briefwerk/mailauth/dkim.hpp"

namespace briefwerk::mailauth {

class key_ring {
 public:
  explicit key_ring(dkim_keys& keys) noexcept : keys_(keys) {}

  void want(const dkim_signature& signature) { found_.try_emplace({signature.selector, signature.domain}); }
  // Asks for those that are wanted and not there yet. The ring outlives the task.
  base::task<void> fetch(tracer trace);
  // After fetch().
  const dkim_keys::answer& answer(const dkim_signature& signature) const {
    return *found_.at({signature.selector, signature.domain});
  }

 private:
  dkim_keys& keys_;
  std::map<std::pair<std::string, std::string>, std::optional<dkim_keys::answer>> found_;  // by selector and domain
};

}  // namespace briefwerk::mailauth
