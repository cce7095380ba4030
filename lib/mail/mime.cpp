#include "briefwerk/mail/mime.hpp"

#include <algorithm>
#include <forward_list>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"
#include "mail/line_scan.hpp"

namespace briefwerk::mail {
namespace {

namespace limits = base::limits;

transfer_encoding read_encoding(std::string_view value) noexcept {
  std::string_view token;
  if (!read_token(value, token)) return transfer_encoding::seven_bit;
  std::string_view more;
  if (read_token(value, more)) return transfer_encoding::seven_bit;  // "8 bit": not well formed, as if absent
  if (ascii::equals(token, "base64")) return transfer_encoding::base64;
  if (ascii::equals(token, "quoted-printable")) return transfer_encoding::quoted_printable;
  if (ascii::equals(token, "8bit")) return transfer_encoding::eight_bit;
  if (ascii::equals(token, "7bit")) return transfer_encoding::seven_bit;
  if (ascii::equals(token, "binary")) return transfer_encoding::binary;
  return transfer_encoding::unknown;
}

class parser {
 public:
  parser(std::string_view raw, std::vector<mime_part>& parts)
      : begin_(raw.data()), at_(begin_), end_(begin_ + raw.size()), parts_(parts) {}

  void run() {
    open_parts(no_part, false);
    delimiter found;
    while (find_delimiter(found)) {
      close_down_to(open_[found.level].part);
      skip_line();
      const auto multipart = open_[found.level].part;
      open_.resize(found.level + (found.final ? 0u : 1u));
      if (!found.final) open_parts(multipart, open_.back().digest);
    }
    while (current_ != no_part) close_current(end_, lines_);
  }

 private:
  struct open_multipart {
    std::string_view boundary;
    std::uint32_t part;
    std::uint32_t last_child;
    bool digest;
  };
  struct delimiter {
    std::size_t level;  // in open_
    bool final;
  };

  std::uint32_t offset(const char* p) const noexcept { return static_cast<std::uint32_t>(p - begin_); }
  std::string_view view(byte_range range) const noexcept { return range.of({begin_, 0}); }

  void skip_line() noexcept {
    const void* found = std::memchr(at_, '\n', static_cast<std::size_t>(end_ - at_));
    at_ = found == nullptr ? end_ : static_cast<const char*>(found) + 1;
    lines_ += found == nullptr ? 0 : 1;
  }

  // RFC 2046 §5.1.1: a boundary line is recognised by its beginning, whatever follows. Where the boundary of one
  // multipart begins like that of another, the longer one is meant.
  bool is_delimiter(const char* line, delimiter& found) const noexcept {
    std::size_t best = 0;
    for (auto level = open_.size(); level-- != 0;) {
      const auto& boundary = open_[level].boundary;
      if (boundary.size() <= best || static_cast<std::size_t>(end_ - line) < boundary.size() + 2) continue;
      if (std::memcmp(line + 2, boundary.data(), boundary.size()) != 0) continue;
      best = boundary.size();
      found.level = level;
    }
    if (best == 0) return false;
    const char* const rest = line + 2 + best;
    found.final = end_ - rest >= 2 && rest[0] == '-' && rest[1] == '-';
    return true;
  }

  // Moves to the next boundary line of an open multipart. False at the end of the message.
  bool find_delimiter(delimiter& found) noexcept {
    const auto dashes_here = [&] { return end_ - at_ >= 2 && at_[0] == '-' && at_[1] == '-'; };
    if (!full_ && dashes_here() && is_delimiter(at_, found)) return true;
    while (at_ != end_) {
      at_ = find_dashes(at_, end_, lines_);
      if (at_ != end_ && !full_ && is_delimiter(at_, found)) return true;
    }
    return false;
  }

  // Opens the part that begins here, and the messages inside it.
  void open_parts(std::uint32_t parent, bool in_digest) {
    for (bool again = true; again;) {
      const auto index = static_cast<std::uint32_t>(parts_.size());
      auto& part = parts_.emplace_back();
      part.parent = parent;
      part.in_digest = in_digest;
      if (parent != no_part) link(part, index);
      full_ = parts_.size() == limits::mime_parts;
      current_ = index;
      read_header(part);
      part.body.offset = offset(at_);
      part.body_lines = lines_;  // until the part is closed: line ends before its body
      again = open_container(part, index);
      parent = index;
      in_digest = false;
    }
  }

  // A message has one child; the children of the innermost open multipart are chained.
  void link(mime_part& part, std::uint32_t index) {
    auto& parent = parts_[part.parent];
    part.depth = static_cast<std::uint16_t>(parent.depth + 1);
    if (parent.first_child == no_part) {
      parent.first_child = index;
    } else {
      parts_[open_.back().last_child].next = index;
    }
    if (parent.kind == part_kind::multipart) open_.back().last_child = index;
  }

  // Decides what the part is. True when a message inside it begins here.
  bool open_container(mime_part& part, std::uint32_t index) {
    part.opaque = full_;
    if (full_) return false;
    std::string_view type = view(part.type);
    std::string_view subtype = view(part.subtype);
    if (part.type.empty()) {
      if (!part.in_digest) return false;
      type = "message";
      subtype = "rfc822";
    }
    const bool multipart = ascii::equals(type, "multipart");
    const bool message =
        ascii::equals(type, "message") && (ascii::equals(subtype, "rfc822") || ascii::equals(subtype, "global"));
    if ((multipart || message) && part.depth >= limits::mime_depth) {
      part.opaque = true;
      return false;
    }
    if (multipart) {
      const auto boundary = find_boundary(view(part.content_type));
      // RFC 2045 §5.2: without the boundary the field is not valid, and text/plain is assumed.
      if (boundary.empty()) {
        part.type = part.subtype = {};
        return false;
      }
      part.kind = part_kind::multipart;
      open_.push_back({boundary, index, no_part, ascii::equals(subtype, "digest")});
      return false;
    }
    if (!message) return false;
    // RFC 2046 §5.2.1 forbids these encodings of a message; there is no header to read in them.
    if (part.encoding == transfer_encoding::base64 || part.encoding == transfer_encoding::quoted_printable) {
      part.opaque = true;
      return false;
    }
    part.kind = part_kind::message;
    return true;
  }

  std::string_view find_boundary(std::string_view content_type) {
    std::string_view type, subtype, name, value;
    auto rest = content_type;
    if (!read_media_type(rest, type, subtype)) return {};
    parameter_reader reader(rest);
    bool escaped = false;
    bool extended = false;
    while (reader.next(name, value, escaped)) {
      if (ascii::equals(name, "boundary")) {
        // White space at the end cannot be part of a boundary line (RFC 2046 §5.1.1).
        if (!escaped) return value.substr(0, value.find_last_not_of(" \t") + 1);
        return unescaped_.emplace_front(unquote(value));
      }
      extended = extended || ascii::starts_with(name, "boundary*");
    }
    if (!extended) return {};
    const auto parsed = parse_content_type(content_type);
    const auto* boundary = parsed.find("boundary");
    return boundary == nullptr ? std::string_view{} : unescaped_.emplace_front(*boundary);
  }

  // Reads up to the empty line, or to a boundary line of an open multipart where the empty line is missing.
  void read_header(mime_part& part) {
    const char* const start = at_;
    const auto lines_before = lines_;
    std::size_t fields = 0;
    delimiter ignored;
    while (at_ != end_) {
      const char* const line = at_;
      const char c = *line;
      if (c == '-' && end_ - line > 1 && line[1] == '-' && !full_ && is_delimiter(line, ignored)) break;
      if (c != ' ' && c != '\t' && fields++ == limits::header_fields) break;
      if (static_cast<std::size_t>(line - start) > limits::header_block_size) break;
      skip_line();
      if (c == '\n' || (c == '\r' && at_ - line == 2 && at_[-1] == '\n')) break;
      if ((c == 'c' || c == 'C') && end_ - line > 8 && ascii::equals({line, 8}, "content-")) read_field(part, line);
    }
    part.header = {offset(start), offset(at_) - offset(start)};
    part.header_lines = lines_ - lines_before;
  }

  void read_field(mime_part& part, const char* line) {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\t')) skip_line();
    const char* const name = line + 8;
    const void* found = std::memchr(name, ':', static_cast<std::size_t>(at_ - name));
    if (found == nullptr) return;
    const char* const colon = static_cast<const char*>(found);
    const auto rest = ascii::trim({name, static_cast<std::size_t>(colon - name)});
    const char* stop = at_;
    if (stop[-1] == '\n') --stop;
    if (stop != colon + 1 && stop[-1] == '\r') --stop;
    const auto length = std::min(static_cast<std::size_t>(stop - colon - 1), limits::header_field_size);
    auto* place = field_place(part, rest);
    if (place == nullptr || place->length != 0 || length == 0) return;
    *place = {offset(colon + 1), static_cast<std::uint32_t>(length)};
    if (place == &part.content_transfer_encoding) part.encoding = read_encoding(view(*place));
    if (place != &part.content_type) return;
    auto value = view(*place);
    std::string_view type, subtype;
    if (read_media_type(value, type, subtype)) {
      part.type = {offset(type.data()), static_cast<std::uint32_t>(type.size())};
      part.subtype = {offset(subtype.data()), static_cast<std::uint32_t>(subtype.size())};
    }
  }

  static byte_range* field_place(mime_part& part, std::string_view name) noexcept {
    if (ascii::equals(name, "type")) return &part.content_type;
    if (ascii::equals(name, "transfer-encoding")) return &part.content_transfer_encoding;
    if (ascii::equals(name, "disposition")) return &part.content_disposition;
    if (ascii::equals(name, "id")) return &part.content_id;
    if (ascii::equals(name, "description")) return &part.content_description;
    if (ascii::equals(name, "md5")) return &part.content_md5;
    if (ascii::equals(name, "language")) return &part.content_language;
    if (ascii::equals(name, "location")) return &part.content_location;
    return nullptr;
  }

  // Ends all parts inside the multipart at the boundary line that begins here. RFC 2046 §5.1.1: the line end before it
  // belongs to the boundary, unless it is the empty line that ends a header.
  void close_down_to(std::uint32_t multipart) noexcept {
    if (current_ == multipart) return;
    const auto body_at = parts_[current_].body.offset;
    const char* stop = at_;
    auto lines = lines_;
    if (offset(stop) > body_at) {
      --stop;
      --lines;
      if (offset(stop) > body_at && stop[-1] == '\r') --stop;
    }
    while (current_ != multipart) close_current(stop, lines);
  }

  void close_current(const char* stop, std::uint32_t lines) noexcept {
    auto& part = parts_[current_];
    part.body.length = offset(stop) - part.body.offset;
    part.body_lines = lines - part.body_lines;
    if (part.kind == part_kind::multipart && part.first_child == no_part) {
      // No boundary line at all: not the multipart that it claims to be.
      part.kind = part_kind::leaf;
      part.type = part.subtype = {};
    }
    current_ = part.parent;
  }

  const char* begin_;
  const char* at_;
  const char* end_;
  std::vector<mime_part>& parts_;
  std::vector<open_multipart> open_;
  std::forward_list<std::string> unescaped_;  // boundaries that do not stand in the message as they are meant
  std::uint32_t current_ = no_part;           // innermost open part
  std::uint32_t lines_ = 0;                   // line ends before at_
  bool full_ = false;                         // limits::mime_parts reached: the rest is the body of the last part
};

}  // namespace

void mime_tree::parse(std::string_view raw) {
  raw_ = raw.substr(0, 0xfffffff0u);
  parts_.clear();
  parts_.reserve(8);
  parser(raw_, parts_).run();
}

std::string_view mime_tree::type(const mime_part& part) const noexcept {
  if (part.opaque) return "application";
  if (!part.type.empty()) return view(part.type);
  return part.kind == part_kind::message ? "message" : "text";
}

std::string_view mime_tree::subtype(const mime_part& part) const noexcept {
  if (part.opaque) return "octet-stream";
  if (!part.type.empty()) return view(part.subtype);
  return part.kind == part_kind::message ? "rfc822" : "plain";
}

bool mime_tree::is(const mime_part& part, std::string_view wanted, std::string_view wanted_subtype) const noexcept {
  return ascii::equals(type(part), wanted) && (wanted_subtype.empty() || ascii::equals(subtype(part), wanted_subtype));
}

}  // namespace briefwerk::mail
