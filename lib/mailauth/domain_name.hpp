#pragma once

// Names of domains in the one form that the room compares and asks for.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace briefwerk::mailauth {

// A-labels in lower case without the final dot. Nothing for an address literal, an empty label, one of more than 63
// octets, more than 253 octets (RFC 1035 §2.3.4), and octets that no host or service name has: letters, digits,
// hyphens and underscores only.
std::optional<std::string> domain_name(std::string_view text);

// The labels of a name, and the name without its first ones.
std::size_t label_count(std::string_view name) noexcept;
std::string_view last_labels(std::string_view name, std::size_t count) noexcept;

// Is `name` below `parent` in the tree, or the same?
bool is_within(std::string_view name, std::string_view parent) noexcept;

}  // namespace briefwerk::mailauth
