#include "briefwerk/filter/attachments.hpp"

#include <algorithm>

#include "briefwerk/base/limits/filter.hpp"
#include "briefwerk/mail/header.hpp"
#include "briefwerk/mail/mime.hpp"
#include "briefwerk/mail/transfer.hpp"
#include "filter/names.hpp"
#include "filter/zip.hpp"

namespace briefwerk::filter {
namespace {

using namespace std::string_view_literals;
namespace limits = base::limits;

constexpr std::size_t look = 512;  // octets of an entry that its type needs

struct signature {
  std::string_view type, begins;
};
constexpr signature signatures[] = {
    {"windows_program", "MZ"sv},
    {"elf_program", "\x7f" "ELF"sv},
    {"mac_program", "\xfe\xed\xfa\xce"sv},
    {"mac_program", "\xfe\xed\xfa\xcf"sv},
    {"mac_program", "\xce\xfa\xed\xfe"sv},
    {"mac_program", "\xcf\xfa\xed\xfe"sv},
    {"java_class", "\xca\xfe\xba\xbe"sv},
    {"windows_shortcut", "\x4c\0\0\0\x01\x14\x02\0"sv},
    {"script", "#!"sv},
    {"cabinet", "MSCF"sv},
    {"rar", "Rar!\x1a\x07"sv},
    {"seven_zip", "7z\xbc\xaf\x27\x1c"sv},
    {"zip", "PK\x03\x04"sv},
    {"ole_document", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"sv},
    {"pdf", "%PDF-"sv},
};

class finder {
 public:
  attachment_list take() { return std::move(out_); }

  void add_part(std::string_view name, std::string_view octets) {
    attachment one;
    one.extension = attachment_extension(name);
    one.type = attachment_type(octets);
    out_.found.push_back(std::move(one));
    if (is_zip(octets)) open(octets, 1);
  }
  void cut() { out_.complete = false; }

 private:
  void open(std::string_view archive, std::size_t depth) {
    const bool all = for_each_zip_entry(archive, [&](const zip_entry& entry) { add_entry(entry, depth); });
    if (!all) cut();
  }

  void add_entry(const zip_entry& entry, std::size_t depth) {
    if (out_.found.size() >= limits::archive_entries) return cut();
    const std::string begin = unpack(entry, std::min(look, room_));
    room_ -= begin.size();
    attachment one;
    one.extension = attachment_extension(entry.name);
    one.type = attachment_type(begin);
    one.encrypted = entry.encrypted;
    one.in_archive = true;
    const bool nested = one.type == "zip" || one.extension == "zip";
    out_.found.push_back(std::move(one));
    if (!nested || entry.encrypted) return;
    if (depth == limits::archive_depth) return cut();
    const std::string inner = unpack(entry, room_);
    if (inner.size() == room_) cut();
    room_ -= inner.size();
    open(inner, depth + 1);
  }

  attachment_list out_;
  std::size_t room_ = limits::archive_octets;
};

// The name that a mail program shows: of Content-Disposition, else of Content-Type.
std::string file_name(const mail::mime_tree& tree, const mail::mime_part& part) {
  const auto disposition = mail::parse_content_disposition(tree.view(part.content_disposition));
  if (const std::string* name = disposition.find("filename")) return *name;
  const auto type = mail::parse_content_type(tree.view(part.content_type));
  const std::string* name = type.find("name");
  return name ? *name : std::string();
}

}  // namespace

std::vector<std::string_view> attachment_types() {
  std::vector<std::string_view> out;
  for (const signature& one : signatures) {
    if (out.empty() || out.back() != one.type) out.push_back(one.type);
  }
  return out;
}

std::string_view attachment_type(std::string_view octets) noexcept {
  for (const signature& one : signatures) {
    if (octets.starts_with(one.begins)) return one.type;
  }
  return {};
}

std::string attachment_extension(std::string_view name) {
  name = name.substr(0, name.find('\0'));
  if (const std::size_t slash = name.find_last_of("/\\"); slash != name.npos) name.remove_prefix(slash + 1);
  name = name.substr(0, name.find(':'));  // a stream of NTFS
  while (!name.empty() && (name.back() == '.' || name.back() == ' ')) name.remove_suffix(1);
  const std::size_t dot = name.rfind('.');
  return dot == name.npos ? std::string() : lower(name.substr(dot + 1));
}

attachment_list find_attachments(std::string_view message) {
  finder out;
  const mail::mime_tree tree(message);
  std::size_t room = limits::attachment_octets;
  for (const mail::mime_part& part : tree.parts()) {
    if (part.kind != mail::part_kind::leaf) continue;
    const std::string name = file_name(tree, part);
    if (name.empty() && tree.is(part, "text")) continue;
    const std::string octets = mail::decode_body(part.encoding, tree.view(part.body), room);
    room -= octets.size();
    out.add_part(name, octets);
    if (room == 0) {
      out.cut();
      break;
    }
  }
  return out.take();
}

}  // namespace briefwerk::filter
