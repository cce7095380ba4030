// Aggregate reports out of what they were sent in.

#include <algorithm>
#include <optional>
#include <utility>

#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "briefwerk/mailauth/dmarc_report.hpp"
#include "mailauth/inflate.hpp"

namespace briefwerk::mailauth::dmarc {
namespace {

using base::errc;
using base::fail;

// A document in UTF-8 or alike, or in UTF-16, with or without byte order mark.
bool is_document(std::string_view octets) noexcept {
  if (octets.starts_with("\xef\xbb\xbf")) octets.remove_prefix(3);
  if (octets.starts_with("\xff\xfe") || octets.starts_with("\xfe\xff")) return true;
  octets.remove_prefix(std::min(octets.find_first_not_of(std::string_view(" \t\r\n\0", 5)), octets.size()));
  return octets.starts_with('<');
}

class unpacker {
 public:
  explicit unpacker(const report_limits& bounds) noexcept : bounds_(bounds), room_(bounds.octets) {}

  // True when it was something that can hold reports.
  bool take(std::string_view octets) {
    if (is_gzip(octets)) return take_gzip(octets);
    if (is_zip(octets)) return take_zip(octets);
    if (!is_document(octets)) return false;
    note(parse_report(octets, bounds_));
    return true;
  }

  void take_message(std::string_view octets) {
    const mail::mime_tree tree(octets);
    std::size_t opened = 0;
    for (const auto& part : tree.parts()) {
      if (part.kind != mail::part_kind::leaf) continue;
      // Text is for people, but some send the document as plain text.
      const bool is_text = tree.is(part, "text", "plain") || tree.is(part, "text", "html");
      if (is_text && !looks_like_feedback(tree, part)) continue;
      if (opened++ == bounds_.entries) return note(fail(errc::limit_exceeded));
      take(mail::decode_body(part.encoding, tree.view(part.body), bounds_.octets));
    }
  }

  base::result<std::vector<report>> finish() {
    if (!found_.empty()) return std::move(found_);
    return fail(first_error_.value_or(make_error_code(errc::not_found)));
  }

 private:
  inflate_bounds left() const noexcept { return {room_, bounds_.ratio, bounds_.entries}; }

  bool looks_like_feedback(const mail::mime_tree& tree, const mail::mime_part& part) const {
    constexpr std::size_t looked_at = 4096;
    const auto start = mail::decode_body(part.encoding, tree.view(part.body), looked_at);
    return is_document(start) && start.find("<feedback") != start.npos;
  }

  bool take_gzip(std::string_view octets) {
    auto inside = gunzip(octets, left());
    if (!inside) {
      note(fail(inside.error()));
      return true;
    }
    room_ -= inside->size();
    // Some compress twice; once more is enough.
    if (is_gzip(*inside) && !twice_) {
      twice_ = true;
      return take_gzip(*inside);
    }
    note(parse_report(*inside, bounds_));
    return true;
  }

  bool take_zip(std::string_view octets) {
    auto files = unzip(octets, left());
    if (!files) {
      note(fail(files.error()));
      return true;
    }
    for (const auto& file : *files) {
      room_ -= file.size();
      if (is_document(file)) note(parse_report(file, bounds_));
    }
    return true;
  }

  void note(base::result<report> one) {
    if (one)
      found_.push_back(std::move(*one));
    else if (!first_error_)
      first_error_ = one.error();
  }

  report_limits bounds_;
  std::size_t room_;
  bool twice_ = false;
  std::vector<report> found_;
  std::optional<std::error_code> first_error_;
};

}  // namespace

base::result<std::vector<report>> read_reports(std::string_view octets, const report_limits& bounds) {
  unpacker work(bounds);
  if (!work.take(octets)) work.take_message(octets);
  return work.finish();
}

}  // namespace briefwerk::mailauth::dmarc
