#pragma once

// The hosts that a message's texts link to.

#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::filter {

// Hosts of http and https links in the text parts (plain and HTML; transfer encodings undone), in lower case, in the
// order of appearance, each once. Numeric hosts are left out. At most limits::link_hosts of them, from the first
// limits::link_text octets of decoded text.
std::vector<std::string> link_hosts(std::string_view message);

// The same of one text; appended to `out`.
void append_link_hosts(std::vector<std::string>& out, std::string_view text);

}  // namespace briefwerk::filter
