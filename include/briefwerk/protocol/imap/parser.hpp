#pragma once

// From a complete command, CRLF of its end taken off and literals in place ("{5}\r\nalice"), to its value.

#include <cstdint>
#include <optional>
#include <string_view>

#include "briefwerk/base/result.hpp"
#include "briefwerk/protocol/imap/arena.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/protocol/imap/errc.hpp"

namespace briefwerk::protocol::imap {

enum class command_kind : std::uint8_t {
  append, authenticate, cancel_update, capability, check, close, compress, copy, create, delete_, delete_acl, enable, examine, expunge, fetch,
  get_acl, get_metadata, get_quota, get_quota_root, id, idle, list, list_rights, login, logout, lsub, move, multisearch, my_rights, namespace_, noop, notify, rename, replace, search, select, set_acl, set_metadata, set_quota,
  sort, starttls, status, store, subscribe, thread, unauthenticate, unselect, unsubscribe,
};

// States in which a command is legal, as a mask.
enum state_bit : std::uint8_t { in_not_authenticated = 1, in_authenticated = 2, in_selected = 4, in_any = 7 };

struct command_rule {
  std::string_view name;  // in capitals
  command_kind kind;
  std::uint8_t states;
  bool takes_uid;         // may stand after "UID" (RFC 9051 §6.4.9)
};
// By name in any case; null for an unknown command.
const command_rule* find_rule(std::string_view name) noexcept;

// The beginning of every command.
struct command_head {
  std::string_view tag;
  std::string_view name;              // "FETCH" of "UID FETCH", as written
  bool uid = false;
  const command_rule* rule = nullptr; // null: unknown
  std::size_t arguments = 0;          // offset of what follows the name (the SP, if any)
};
// errc::bad_tag, errc::unknown_command (then `tag` of the out parameter is set nevertheless).
base::status parse_head(std::string_view line, command_head& head) noexcept;

struct parse_options {
  bool utf8_names = false;  // after ENABLE IMAP4rev2 or UTF8=ACCEPT: "&" in mailbox names is an ampersand
  bool utf8_accepted = false;  // after ENABLE UTF8=ACCEPT: SEARCH names no charset (RFC 6855 §3)
};

// `head` is of the same line. The result's views point into `line` and `memory`. Not for APPEND and
// REPLACE.
base::result<command> parse_command(std::string_view line, const command_head& head, const parse_options& options,
                                    arena& memory);

// The arguments of APPEND and REPLACE, between two literals that are streamed.
enum class append_place : std::uint8_t {
  mailbox,       // after the name of APPEND: SP mailbox …
  replaced,      // after the name of REPLACE: SP seq-number SP mailbox …
  message,       // after a message: nothing, or SP and a further one
  part,          // inside CATENATE's list, after a part: SP and a further one, or ")"
  utf8,          // after the literal of UTF8 (…: ")"
};
// What the arguments say to do, in order.
struct append_action {
  enum class kind : std::uint8_t { begin, url } what = kind::begin;
  append_piece piece;    // of begin
  std::string_view url;  // of url
};
struct append_arguments {
  std::span<const append_action> actions;
  enum class stop : std::uint8_t {
    collect,  // the literal is an argument: to be read again with it in place
    literal,  // the literal is a message, or a part of one
    end,      // of the command
  } ends = stop::end;
  append_place next = append_place::message;  // after the literal
};
// `text` begins at the place, and ends where "{" of a literal is (`at_literal`; it holds the SP before that, and "~" of
// literal8), or at the end of the command.
base::result<append_arguments> parse_append(std::string_view text, append_place place, bool by_uid, bool at_literal,
                                            const parse_options& options, arena& memory);

// The announcement at the end of a line: "{123}" or "{123+}", with "~" before it for literal8.
struct literal_mark {
  std::uint64_t size = 0;
  bool synchronising = true;
  bool binary = false;
  std::size_t start = 0;  // offset of "{" in the line
};
// Nothing when the line does not end in one. Numbers past 63 bits count as 2^63 - 1.
std::optional<literal_mark> find_literal(std::string_view line) noexcept;

}  // namespace briefwerk::protocol::imap
