#pragma once

// A change of a message or its envelope, as data: what a filter asks for, and what server::mail_handler then does.

#include <cstdint>
#include <string>

namespace briefwerk::mail {

enum class edit_kind : std::uint8_t {
  add_header,        // behind the last field: name, value
  insert_header,     // before the field at `index` of all fields, from 0; past the end: behind the last
  change_header,     // the field at `index` of those of this name, from 1; none there: added. Empty value: removed
  replace_body,      // value: octets, lines end in CRLF
  change_sender,     // name: the address without brackets, empty: the null sender; value: parameters of MAIL
  add_recipient,     // name: the address; value: parameters of RCPT
  remove_recipient,  // name: the address
  renumber,          // removed fields counted in the indexes so far, as Sendmail has it; from here on no more
};

// `value` of a field stands behind its colon as it is, folding included, with lines that end in LF or CRLF.
struct message_edit {
  edit_kind what = edit_kind::add_header;
  std::uint32_t index = 0;
  std::string name{}, value{};
  bool operator==(const message_edit&) const = default;
};

}  // namespace briefwerk::mail
