#pragma once

// What SEARCH shares with SORT and THREAD.

#include "briefwerk/protocol/imap/command.hpp"
#include "protocol/imap/scanner.hpp"

namespace briefwerk::protocol::imap {

// partial-range (RFC 9394 §4).
bool read_result_range(scanner& in, result_range& out);
// search-return-opts and the SP behind them; "RETURN" SP is read.
bool read_search_returns(scanner& in, search_command& search);
// search-key *(SP search-key); `charset` "" is US-ASCII or UTF-8. errc::bad_charset for one that is not known.
bool read_search_program(scanner& in, std::string_view charset, search_program& program);
// What SEARCH and ESEARCH share, to the end: [search-return-opts] ["CHARSET" SP charset SP] search-program.
bool read_search_arguments(scanner& in, search_command& search);
// Makes a command of one that was refused, where the session has to know of it.
inline bool keep_refused(const scanner& in, search_command& search) noexcept {
  search.unknown_charset = in.error() == errc::bad_charset && (search.returns & return_save) != 0;
  if (search.unknown_charset) search.program = {};
  return search.unknown_charset;
}
// RFC 6203 §4: scores are of fuzzy searches.
inline bool may_return_relevancy(const search_command& search) noexcept {
  return (search.returns & return_relevancy) == 0 || search.program.is_fuzzy();
}

}  // namespace briefwerk::protocol::imap
