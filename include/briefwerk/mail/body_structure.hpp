#pragma once

// IMAP BODY and BODYSTRUCTURE (RFC 9051 §7.5.2, RFC 3501 §7.4.2) as text, from a MIME tree.

#include <string>

#include "briefwerk/mail/mime.hpp"

namespace briefwerk::mail {

// Appends the parenthesised body of the whole message: BODY.
void append_body(std::string& out, const mime_tree& tree);
// The same with extension data: BODYSTRUCTURE.
void append_body_structure(std::string& out, const mime_tree& tree);

}  // namespace briefwerk::mail
