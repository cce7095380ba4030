#pragma once

// Reads the terminals and common rules of RFC 9051 §9 from one command. Members that read answer false on failure and
// keep the first reason; the position is meaningless then.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/protocol/imap/arena.hpp"
#include "briefwerk/protocol/imap/command.hpp"
#include "briefwerk/protocol/imap/errc.hpp"
#include "briefwerk/protocol/imap/parser.hpp"
#include "protocol/imap/characters.hpp"

namespace briefwerk::protocol::imap {

class scanner {
 public:
  scanner(std::string_view text, std::size_t at, const parse_options& options, arena& memory) noexcept
      : text_(text), at_(at), options_(options), memory_(memory) {}

  bool refuse(errc why) noexcept {
    if (error_ == errc{}) error_ = why;
    return false;
  }
  // In place of a reason given already that says less.
  bool refuse_as(errc why) noexcept {
    error_ = why;
    return false;
  }
  errc error() const noexcept { return error_ == errc{} ? errc::bad_argument : error_; }
  std::unexpected<std::error_code> failure() const { return base::fail(error()); }
  std::unexpected<std::error_code> failure(errc why) noexcept {
    refuse(why);
    return failure();
  }
  imap::arena& memory() noexcept { return memory_; }

  const parse_options& options() const noexcept { return options_; }

  bool done() const noexcept { return at_ == text_.size(); }
  std::size_t position() const noexcept { return at_; }
  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool accept(char c) noexcept {
    if (peek() != c || done()) return false;
    ++at_;
    return true;
  }
  bool expect(char c, errc why = errc::bad_argument) noexcept {
    return accept(c) || refuse(done() ? errc::missing_argument : why);
  }
  // RFC 9051 §9 note 2: SP is exactly one space. Programs that send more, or some behind the last argument, are understood
  // by other servers, and so they are here.
  bool space() noexcept {
    if (!expect(' ')) return false;
    skip_spaces();
    return true;
  }
  // SP, and another member of the list behind it.
  bool more() noexcept {
    if (!accept(' ')) return false;
    skip_spaces();
    return !done() && peek() != ')';
  }
  // "(", before the first member.
  bool open() noexcept {
    if (!accept('(')) return false;
    skip_spaces();
    return true;
  }
  // Nothing but spaces follows.
  bool at_end() const noexcept { return text_.find_first_not_of(' ', at_) == std::string_view::npos; }
  // Nothing may follow.
  bool end() noexcept { return at_end() || refuse(errc::too_many_arguments); }
  // The word (capitals) in any case, followed by what cannot continue an atom.
  bool accept_word(std::string_view capitals) noexcept;

  // Exactly these octets (capitals) in any case, whatever follows.
  bool accept_text(std::string_view capitals) noexcept {
    if (!is_word(text_.substr(at_, capitals.size()), capitals)) return false;
    at_ += capitals.size();
    return true;
  }

  // A run of characters of `classes`, at least one.
  bool run(std::string_view& out, std::uint8_t classes, errc why = errc::bad_argument) noexcept;
  bool atom(std::string_view& out) noexcept { return run(out, in_atom); }
  bool item_name(std::string_view& out) noexcept;       // of FETCH: up to "[", which an atom may hold
  bool string(std::string_view& out);                   // quoted or literal
  bool astring(std::string_view& out);
  bool nstring(std::optional<std::string_view>& out);
  bool nstring8(std::optional<std::string_view>& out);  // nstring / literal8, which may hold NUL
  bool mailbox(std::string_view& out);
  bool list_mailbox(std::string_view& out);             // list-mailbox: decoded, wildcards kept
  bool number(std::uint32_t& out, bool may_be_zero = true) noexcept;
  bool number64(std::uint64_t& out, bool may_be_zero = true) noexcept;  // 63 bits
  bool set(number_set& out, bool may_be_saved = true);
  bool flags(flag_list& out);                           // flag-list in parentheses
  bool flags_bare(flag_list& out);                      // flag *(SP flag)
  bool date(std::int64_t& days) noexcept;               // days since 1970
  bool date_time(std::int64_t& seconds) noexcept;       // with its quotes
  bool status_items_list(status_items& out) noexcept;   // "(" status-att *(SP status-att) ")"

 private:
  void skip_spaces() noexcept {
    while (peek() == ' ') ++at_;
  }
  bool quoted(std::string_view& out);
  bool literal(std::string_view& out, bool may_hold_nul = false) noexcept;
  bool flag(flag_list& into, arena_list<std::string_view>& keywords);
  bool decode_name(std::string_view raw, std::string_view& out);
  bool two_digits(unsigned& out) noexcept;
  bool month(unsigned& out) noexcept;
  bool range_end(std::uint32_t& out) noexcept;

  std::string_view text_;
  std::size_t at_;
  const parse_options& options_;
  imap::arena& memory_;
  errc error_{};
};

}  // namespace briefwerk::protocol::imap
