#pragma once

// IMAP ENVELOPE (RFC 9051 §7.5.2, RFC 3501 §7.4.2) as text, from a header block.

#include <string>
#include <string_view>

namespace briefwerk::mail {

// Appends "(date subject from sender reply-to to cc bcc in-reply-to message-id)". Strings are quoted, or literals
// when they hold CR, LF or 8-bit octets, so the text serves IMAP4rev1 and rev2 alike. NUL cannot be sent and is left
// out. sender and reply-to default to from. Address fields that occur twice are joined, so that no client shows
// another sender than the one that was checked.
void append_envelope(std::string& out, std::string_view header_block);

// An IMAP string: quoted where possible, else a literal; append_nstring writes NIL for absent strings.
void append_imap_string(std::string& out, std::string_view value);

}  // namespace briefwerk::mail
