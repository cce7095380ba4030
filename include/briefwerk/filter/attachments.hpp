#pragma once

// What is attached to a message, by name and by its first octets, inside ZIP archives as well (bounded by
// limits::archive_*, limits::attachment_octets).

#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::filter {

struct attachment {
  std::string extension;       // of its name, lower case: "exe"; empty: no name, or none with a dot
  std::string_view type;       // by its octets, one of attachment_types(); empty: none of them
  bool encrypted = false;      // an entry of an archive that needs a password
  bool in_archive = false;
};

struct attachment_list {
  std::vector<attachment> found;
  bool complete = true;        // false: a bound was reached, there may be more
};

// All leaves of the message that have a file name, or are no text, and the entries of archives among them.
attachment_list find_attachments(std::string_view message);

// "windows_program", "elf_program", "mac_program", "java_class", "windows_shortcut", "script", "cabinet", "rar",
// "seven_zip", "zip", "ole_document", "pdf".
std::vector<std::string_view> attachment_types();
// Which of them the octets begin like; empty: none.
std::string_view attachment_type(std::string_view octets) noexcept;

// Behind the last dot of a file name, lower case, as a system that runs it reads the name: without trailing dots and
// spaces, and what stands behind a NUL or a colon is no part of it.
std::string attachment_extension(std::string_view name);

}  // namespace briefwerk::filter
