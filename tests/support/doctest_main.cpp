#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

// ThreadSanitizer asks for this. Debian's RocksDB is not instrumented: what its lock-free lists hand from thread to
// thread looks like races inside of it.
extern "C" const char* __tsan_default_suppressions() { return "race:librocksdb\n"; }
