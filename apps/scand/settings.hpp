#pragma once

// What briefwerk-scand is told on its command line.

#include <cstdint>
#include <string>

namespace briefwerk::scand {

struct settings {
  std::string socket;     // path that it listens on
  std::string database;   // folder of signatures
  std::string temporary;  // private folder, emptied at start and at the end
  std::string user;       // that it becomes; empty: it stays who it is
  std::string group;      // whose members may ask; empty: only its own user
  unsigned workers = 2;
  std::uint64_t size = 64u << 20;       // octets of a message
  std::uint64_t unpacked = 256u << 20;  // octets looked at of one message, all that it unpacks to
  unsigned depth = 16;                  // archives in archives
  unsigned files = 10000;               // of one message
  unsigned seconds = 30;                // of one scan
  std::uint64_t memory = 1u << 30;      // octets of a worker beyond what it has at its start
  unsigned check_seconds = 60;          // how often the folder is looked at
  bool end_with_input = false;          // ends when its standard input does
};

}  // namespace briefwerk::scand
