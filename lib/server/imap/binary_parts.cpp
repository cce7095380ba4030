#include "binary_parts.hpp"

#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/transfer.hpp"

namespace briefwerk::server::imap {

std::optional<std::string> with_encoded_binary(std::string_view message) {
  if (message.find('\0') == message.npos) return std::nullopt;
  const mail::mime_tree tree(message);
  std::string out;
  std::size_t taken = 0;  // octets of the message that are in `out`, as they are or encoded
  for (const auto& part : tree.parts()) {
    if (part.kind != mail::part_kind::leaf || part.encoding != mail::transfer_encoding::binary) continue;
    const auto body = tree.view(part.body), name = tree.view(part.content_transfer_encoding);
    if (body.find('\0') == body.npos || name.empty()) continue;
    out.append(message.substr(taken, part.content_transfer_encoding.offset - taken)).append(" base64");
    const std::size_t behind = part.content_transfer_encoding.end();
    out.append(message.substr(behind, part.body.offset - behind)).append(mail::encode_base64_lines(body));
    taken = part.body.end();
  }
  if (taken == 0) return std::nullopt;
  return out.append(message.substr(taken));
}

}  // namespace briefwerk::server::imap
