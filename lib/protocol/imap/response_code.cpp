#include "briefwerk/protocol/imap/response_code.hpp"

namespace briefwerk::protocol::imap::codes {
namespace {

std::string with_number(std::string_view name, std::uint64_t value) {
  std::string code(name);
  code += ' ';
  code += std::to_string(value);
  return code;
}

std::string with_set(std::string_view name, const mail::uid_set& set) {
  std::string code(name);
  code += ' ';
  set.append_to(code);
  return code;
}

}  // namespace

std::string uid_validity(std::uint32_t value) { return with_number("UIDVALIDITY", value); }
std::string uid_next(std::uint32_t value) { return with_number("UIDNEXT", value); }
std::string unseen(std::uint32_t sequence) { return with_number("UNSEEN", sequence); }
std::string highest_modseq(std::uint64_t value) { return with_number("HIGHESTMODSEQ", value); }
std::string modified(const mail::uid_set& numbers) { return with_set("MODIFIED", numbers); }

std::string append_uid(std::uint32_t uid_validity, const mail::uid_set& uids) {
  return with_set(with_number("APPENDUID", uid_validity), uids);
}

std::string copy_uid(std::uint32_t uid_validity, const mail::uid_set& from, const mail::uid_set& to) {
  return with_set(with_set(with_number("COPYUID", uid_validity), from), to);
}

std::string message_limit(std::uint32_t most, std::uint32_t lowest) {
  auto code = with_number("MESSAGELIMIT", most);
  return lowest == 0 ? code : with_number(code, lowest);
}

std::string bad_url(std::string_view url) {
  std::string code("BADURL ");
  for (const char c : url.substr(0, 512))
    if (static_cast<unsigned char>(c) >= 0x20 && c != ']' && c != '\\') code += c;
  return code;
}

std::string metadata_max_size(std::uint64_t octets) { return with_number("METADATA MAXSIZE", octets); }
std::string metadata_long_entries(std::uint64_t octets) { return with_number("METADATA LONGENTRIES", octets); }

std::string mailbox_id(std::string_view id) {
  std::string code("MAILBOXID (");
  code += id;
  code += ')';
  return code;
}

}  // namespace briefwerk::protocol::imap::codes
