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
  append, authenticate, capability, check, close, copy, create, delete_, enable, examine, expunge, fetch, id, idle, list,
  login, logout, lsub, move, namespace_, noop, rename, search, select, starttls, status, store, subscribe, unselect,
  unsubscribe,
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
};

// `head` is of the same line. The result's views point into `line` and `memory`. Not for APPEND.
base::result<command> parse_command(std::string_view line, const command_head& head, const parse_options& options,
                                    arena& memory);

// APPEND's arguments before a message literal. `text` begins after the name ("" + SP …) for the first piece, after the
// message before for later ones, and ends where "{" of the literal is; it holds the SP before that (and "~" of literal8).
// Nothing when the literal is the mailbox name and no message.
base::result<std::optional<append_piece>> parse_append_piece(std::string_view text, bool first,
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
