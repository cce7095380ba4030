#pragma once

// What a classifier of mail counts: words and neighbouring words of the decoded texts, features of the header, the
// structure, and the hosts of links. A token is a keyed hash; nothing of the text can be read back from it, and nobody
// without the key can find out whether a word is among those that were counted.

#include <cstdint>
#include <string_view>
#include <vector>

#include "briefwerk/base/siphash.hpp"

namespace briefwerk::filter {

using token = std::uint64_t;

// Each token once, ascending. Fields that a server adds on arrival (trace, verdicts) count for nothing, so that a
// message gives the same tokens before its delivery and from a mailbox. Bounds: limits::spam_text, spam_words,
// spam_tokens.
std::vector<token> tokens_of(std::string_view message, const base::siphash_key& key);

// Tells a message from others by what no delivery changes: its Message-ID, Date, From, Subject and body.
base::hash128 identity_of(std::string_view message, const base::siphash_key& key);

}  // namespace briefwerk::filter
