#pragma once

// What of a message a search for text looks at (RFC 9051 §6.4.4: HEADER, BODY, TEXT). The scan of one message and the
// full-text index walk it by these functions, so that they cannot disagree.

#include <functional>
#include <string_view>

#include "briefwerk/mail/mime.hpp"

namespace briefwerk::mail {

// One piece of text; what is looked for is never found across two. UTF-8 (pieces of unknown charset are guessed), good
// until the call returns. True: seen enough, the walk ends.
using text_visitor = std::function<bool(std::string_view text)>;

// Each answers whether the visitor ended the walk.

// The fields of a header block, each as `Name: value`, unfolded and decoded.
bool visit_header_text(std::string_view block, const text_visitor& visit);
// The values of the fields of that name.
bool visit_field_text(std::string_view block, std::string_view field, const text_visitor& visit);
// Text parts, decoded, reports (message/delivery-status and the like), and the headers of messages inside. Of a part
// larger than 16 MiB the first 16 MiB. This is BODY.
bool visit_body_text(const mime_tree& tree, const text_visitor& visit);
// The headers of the parts, and file names that RFC 2231 encodes, also those of the message itself. TEXT is
// visit_header_text of the message, this, and visit_body_text.
bool visit_part_headers(const mime_tree& tree, const text_visitor& visit);

}  // namespace briefwerk::mail
