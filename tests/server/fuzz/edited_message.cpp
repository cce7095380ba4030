// A message, and what a milter does to it: records between octets 255, the message first, then answers. Fields stay
// fields, whatever their values hold.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/protocol/milter/packet.hpp"
#include "server/smtp/edited_message.hpp"

using namespace briefwerk;

namespace {

std::string_view take_record(std::string_view& rest) {
  const std::string_view one = rest.substr(0, rest.find('\xff'));
  rest.remove_prefix(std::min(one.size() + 1, rest.size()));
  return one;
}

std::string names_of(const server::edited_message& message) {
  std::string made;
  message.for_each([&made](std::string_view name, std::string_view) { made.append(name).append(":"); });
  return made;
}

std::string names_of(std::string_view header) {
  std::string made;
  mail::header_reader reader(header);
  for (mail::header_field field; reader.next(field);) made.append(field.name).append(":");
  if (reader.position() != header.size()) std::abort();  // its empty line stands at its end
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 65536) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string message(take_record(rest));
  server::edited_message edited(message);
  mail::smtp_envelope envelope;
  for (int i = 0; i < 200 && !rest.empty(); ++i) {
    const std::string_view record = take_record(rest);
    if (record.empty()) continue;
    const auto said = protocol::milter::parse_answer({record[0], record.substr(1)});
    if (!said || said->what != protocol::milter::answer_kind::edit) continue;
    edited.apply(said->edit);
    (void)server::apply(envelope, said->edit);
  }
  if (names_of(edited) != names_of(edited.header())) std::abort();
  edited.apply(mail::message_edit{.what = mail::edit_kind::renumber});
  if (names_of(edited) != names_of(edited.header())) std::abort();
  return 0;
}
