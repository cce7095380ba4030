#pragma once

// The guard's rows in store::state_rows: keys by kind, values of numbers and one text, separated by spaces.
//   a<network>   1 <banned until> <touched> <failures * 1000> <bans> <service> <login>
//   m<network>   1 <since> <until, 0: without end> <reason>
//   k<key, hex>  1 <last login>
//   u<key, hex>  1 <touched> <failures * 1000> <login>

#include <optional>
#include <string>
#include <string_view>

#include "briefwerk/server/login_guard.hpp"
#include "server/guard/guard_entries.hpp"

namespace briefwerk::server::guard {

std::string row_key(const address_entry& entry);
std::string row_key(const account_entry& entry);
std::string row_key(const moment_entry& entry);
std::string manual_row_key(const base::ip_network& network);

std::string to_row(const address_entry& entry);
std::string to_row(const account_entry& entry);
std::string to_row(const moment_entry& entry);
std::string to_row(const ban_info& manual);

// Nothing where the row cannot be read. The entries' keys are left to the caller where they are not in the row.
std::optional<address_entry> read_address(std::string_view key, std::string_view value);
std::optional<account_entry> read_account(std::string_view key, std::string_view value);
std::optional<moment_entry> read_moment(std::string_view key, std::string_view value);
std::optional<ban_info> read_manual(std::string_view key, std::string_view value);

}  // namespace briefwerk::server::guard
