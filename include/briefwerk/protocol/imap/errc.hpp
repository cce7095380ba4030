#pragma once

// Why a command was refused by its grammar. The message of each is the text of the tagged BAD.

#include <system_error>

#include "briefwerk/base/result.hpp"

namespace briefwerk::protocol::imap {

enum class errc {
  bad_tag = 1,
  unknown_command,
  missing_argument,
  too_many_arguments,  // octets after the end of the command
  bad_argument,
  bad_string,          // quoted string, atom or literal
  bad_mailbox_name,    // neither modified UTF-7 nor UTF-8, or too long
  bad_set,
  bad_flag,            // an unknown one with a backslash, or \Recent
  bad_date,
  bad_number,
  bad_section,
  bad_search_key,
  bad_charset,         // answered with NO [BADCHARSET] (RFC 9051 §6.4.4)
  bad_event,           // answered with NO [BADEVENT …] (RFC 5465 §3.1)
  bad_right,           // a letter that is none (RFC 4314 §3.1)
  bad_option,          // of LIST, SELECT, SEARCH, STORE, CREATE
  too_deep,            // limits::imap_search_depth
  too_many,            // limits::imap_search_keys, imap_set_ranges and others
};

const std::error_category& imap_category() noexcept;
inline std::error_code make_error_code(errc e) noexcept { return {static_cast<int>(e), imap_category()}; }

}  // namespace briefwerk::protocol::imap

template <>
struct std::is_error_code_enum<briefwerk::protocol::imap::errc> : std::true_type {};
