// Stands in where the library is built without Xapian.

#include "briefwerk/search/index.hpp"

namespace briefwerk::search {

base::result<std::unique_ptr<index>> open_xapian_index(const std::string&) { return base::fail(base::errc::unsupported); }

}  // namespace briefwerk::search
