#pragma once

#include <string>

#include "briefwerk/mail/mime.hpp"

namespace briefwerk::mail {

// RFC 8970: the beginning of the text of a message, at most 200 characters of UTF-8 on one line.
std::string preview(const mime_tree& tree);

// The text of HTML: tags, styles, scripts and comments left out, common entities resolved. Not for showing as HTML.
std::string strip_html(std::string_view html);

}  // namespace briefwerk::mail
