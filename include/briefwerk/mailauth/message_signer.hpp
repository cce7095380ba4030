#pragma once

// Who signs mail of this server: asked by Submission, by the makers of reports and by the forwarder. The delivery room
// has the one of a complete server (delivery/signing.hpp), which knows the installation's keys.

#include <string>
#include <string_view>

#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/arc.hpp"
#include "briefwerk/mailauth/message_hasher.hpp"

namespace briefwerk::mailauth {

// Thread-safe. Both answers are header fields, each with its CRLF, to stand above everything that the message has;
// empty where nothing is added, whatever the reason: mail goes out unsigned rather than not at all.
class message_signer {
 public:
  virtual ~message_signer() = default;
  // DKIM-Signature fields of the author's domain (From). `message` lives until the answer.
  virtual base::task<std::string> sign(std::string_view message) = 0;
  // To be wanted of the message_hasher of a message that may be sealed.
  virtual body_hash_kind sealed_body() const noexcept = 0;
  // An ARC set (RFC 8617 §5.1) in the name of `domain`. `results`: an Authentication-Results value.
  virtual base::task<std::string> seal(const message_hasher& message, const arc_result& chain, std::string_view results,
                                       std::string domain) = 0;
};

}  // namespace briefwerk::mailauth
