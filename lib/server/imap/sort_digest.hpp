#pragma once

// What SORT needs of messages, as octets for the store (store::digest): a first SORT reads these and not the summaries.
//
// Version (1), then for each message, ascending by uid: uid, 0 or 1 + the Date field (zigzag-coded seconds since 1970),
// and the texts SUBJECT, FROM, TO, CC, DISPLAYFROM and DISPLAYTO, each with its length in front. Numbers are LEB128.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sort_table.hpp"

namespace briefwerk::server::imap {

// Of the messages of `table` with first ≤ uid ≤ last that `is_kept` says yes to.
std::string write_digest(const sort_table& table, std::uint32_t first, std::uint32_t last,
                         const std::function<bool(std::uint32_t uid)>& is_kept);

// Calls `f` for each message. False: the octets are no digest, and `f` was not called for all.
bool read_digest(std::string_view octets,
                 const std::function<void(std::uint32_t uid, const mail::message_summary_view& summary)>& f);

}  // namespace briefwerk::server::imap
