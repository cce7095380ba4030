#include "briefwerk/mail/body_structure.hpp"

#include "briefwerk/mail/envelope.hpp"
#include "briefwerk/mail/header.hpp"
#include "mail/ascii.hpp"
#include "mail/joined_parameters.hpp"

namespace briefwerk::mail {
namespace {

class writer {
 public:
  writer(std::string& out, const mime_tree& tree, bool extended) : out_(out), tree_(tree), extended_(extended) {}

  // RFC 9051 §9: body = "(" (body-type-1part / body-type-mpart) ")". The depth is bounded by limits::mime_depth.
  void body(const mime_part& part) {
    out_ += '(';
    if (part.kind == part_kind::multipart) {
      for (const auto* child = tree_.first_child(part); child != nullptr; child = tree_.next(*child)) body(*child);
      out_ += ' ';
      append_imap_string(out_, tree_.subtype(part));
      if (extended_) {
        out_ += ' ';
        content_parameters(part);
        extension(part);
      }
    } else {
      single(part);
    }
    out_ += ')';
  }

 private:
  void single(const mime_part& part) {
    append_imap_string(out_, tree_.type(part));
    out_ += ' ';
    append_imap_string(out_, tree_.subtype(part));
    out_ += ' ';
    content_parameters(part);
    out_ += ' ';
    field(part.content_id);
    out_ += ' ';
    field(part.content_description);
    out_ += ' ';
    encoding(part);
    out_ += ' ';
    ascii::append_number(out_, part.body.length);
    if (part.kind == part_kind::message) {
      const auto& inside = *tree_.first_child(part);
      out_ += ' ';
      append_envelope(out_, tree_.view(inside.header));
      out_ += ' ';
      body(inside);
    }
    if (part.kind == part_kind::message || tree_.is(part, "text")) {
      out_ += ' ';
      ascii::append_number(out_, part.body_lines);
    }
    if (!extended_) return;
    out_ += ' ';
    field(part.content_md5);
    extension(part);
  }

  // body-ext: disposition, language, location
  void extension(const mime_part& part) {
    out_ += ' ';
    disposition(tree_.view(part.content_disposition));
    out_ += ' ';
    language(tree_.view(part.content_language));
    out_ += ' ';
    field(part.content_location);
  }

  void field(byte_range range) {
    const auto value = unfold(tree_.view(range));
    if (value.empty()) out_ += "NIL";
    else append_imap_string(out_, value);
  }

  void content_parameters(const mime_part& part) {
    // RFC 2045 §5.2: without a valid field the type is text/plain; charset=us-ascii.
    if (part.type.empty()) {
      out_ += part.kind == part_kind::leaf && !part.opaque ? R"(("charset" "us-ascii"))" : "NIL";
      return;
    }
    auto rest = tree_.view(part.content_type);
    std::string_view type, subtype;
    read_media_type(rest, type, subtype);
    parameters(rest);
  }

  void parameters(std::string_view rest) {
    bool first = true;
    const auto write = [&](std::string_view name, std::string_view value) {
      out_ += first ? '(' : ' ';
      append_imap_string(out_, name);
      out_ += ' ';
      append_imap_string(out_, value);
      first = false;
    };
    if (rest.find('*') != rest.npos) {
      for (const auto& [name, value] : read_joined_parameters(rest)) write(name, value);
    } else {
      std::string_view name, value;
      bool escaped = false;
      for (parameter_reader reader(rest); reader.next(name, value, escaped);) {
        if (escaped) write(name, unquote(value));
        else write(name, value);
      }
    }
    out_ += first ? "NIL" : ")";
  }

  void encoding(const mime_part& part) {
    auto value = tree_.view(part.content_transfer_encoding);
    std::string_view token, more;
    const bool well_formed = read_token(value, token) && !read_token(value, more);
    append_imap_string(out_, well_formed ? token : std::string_view("7bit"));
  }

  void disposition(std::string_view value) {
    std::string_view token;
    if (!read_token(value, token)) {
      out_ += "NIL";
      return;
    }
    out_ += '(';
    append_imap_string(out_, token);
    out_ += ' ';
    parameters(value);
    out_ += ')';
  }

  // RFC 3282: language tags with commas between them.
  void language(std::string_view value) {
    std::vector<std::string_view> tags;
    std::string_view tag;
    while (read_token(value, tag)) {
      tags.push_back(tag);
      ascii::skip_cfws(value);
      if (!value.starts_with(',')) break;
      value.remove_prefix(1);
    }
    if (tags.empty()) {
      out_ += "NIL";
      return;
    }
    out_ += '(';
    for (std::size_t i = 0; i < tags.size(); ++i) {
      if (i != 0) out_ += ' ';
      append_imap_string(out_, tags[i]);
    }
    out_ += ')';
  }

  std::string& out_;
  const mime_tree& tree_;
  bool extended_;
};

}  // namespace

void append_body(std::string& out, const mime_tree& tree) { writer(out, tree, false).body(tree.root()); }
void append_body_structure(std::string& out, const mime_tree& tree) { writer(out, tree, true).body(tree.root()); }

}  // namespace briefwerk::mail
