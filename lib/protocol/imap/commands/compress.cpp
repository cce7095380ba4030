#include "protocol/imap/commands/commands.hpp"

namespace briefwerk::protocol::imap {

// compress = "COMPRESS" SP algorithm (RFC 4978 §5)
base::result<command> parse_compress(scanner& in) {
  compress_command parsed;
  if (!in.space() || !in.atom(parsed.algorithm) || !in.end()) return in.failure();
  return parsed;
}

}  // namespace briefwerk::protocol::imap
