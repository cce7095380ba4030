#pragma once

#include <string>

#include "briefwerk/base/task.hpp"
#include "briefwerk/mailauth/message_signer.hpp"

namespace briefwerk::delivery {

// A message that this server wrote, beginning with Return-Path, signed by the domain of its From. `signer` null: as it
// is.
base::task<std::string> signed_report(mailauth::message_signer* signer, std::string report);

}  // namespace briefwerk::delivery
