#pragma once

// What FETCH shares with NOTIFY.

#include <span>

#include "briefwerk/protocol/imap/fetch.hpp"
#include "protocol/imap/scanner.hpp"

namespace briefwerk::protocol::imap {

// fetch-att *(SP fetch-att) ")": "(" is read.
bool read_fetch_list(scanner& in, std::span<const fetch_item>& items, fetch_kinds& kinds);

}  // namespace briefwerk::protocol::imap
