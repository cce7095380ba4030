// A session with a milter against its octets. The first octet is the size of the pieces in which they come; the rest
// answers from the negotiation on.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "briefwerk/base/limits/protocol.hpp"
#include "briefwerk/protocol/milter/client_session.hpp"

using namespace briefwerk;
using namespace briefwerk::protocol::milter;

namespace {

class input {
 public:
  input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {
    if (rest_.empty()) return;
    piece_ = std::max<std::size_t>(1, data[0]);
    rest_.remove_prefix(1);
  }
  bool feed(client_session& to) {
    if (rest_.empty()) return false;
    const std::size_t count = std::min(piece_, rest_.size());
    const auto block = std::make_unique<char[]>(count);
    std::memcpy(block.get(), rest_.data(), count);
    rest_.remove_prefix(count);
    to.feed({block.get(), count});
    return true;
  }

 private:
  std::string_view rest_;
  std::size_t piece_ = 1;
};

void must(bool truth) {
  if (!truth) std::abort();
}

bool is_clean(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f; });
}

// False: nothing more to say to each other.
bool hear(client_session& session, input& from) {
  for (;;) {
    const auto said = session.next();
    if (!said) return false;
    if (*said) {
      must((*said)->what < answer_kind::progress);
      must((*said)->what != answer_kind::reply || ((*said)->code >= 400 && (*said)->code < 600));
      must(is_clean((*said)->text) && is_clean((*said)->enhanced));
      return true;
    }
    if (!from.feed(session)) return false;
  }
}

std::optional<std::string> values(std::string_view name) { return std::string(name); }

void check(const modifications& found) {
  must(found.edits.size() <= base::limits::milter_edits + 1);
  for (const mail::message_edit& one : found.edits) {
    if (one.what <= mail::edit_kind::change_header) must(!one.name.empty() && is_clean(one.name) && one.name.find(':') == one.name.npos);
    else if (one.what == mail::edit_kind::replace_body) must(one.value.size() <= 4096);
    else must(is_clean(one.name) && is_clean(one.value));
  }
  must(!found.quarantine || is_clean(*found.quarantine));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  input from(data, size);
  client_session session({.body_size = 4096});
  std::string out;
  const std::vector<std::string> none;
  const auto tell = [&](bool waits) { return !waits || hear(session, from); };
  if (!tell(session.negotiate(out))) return 0;
  if (!tell(session.connect(out, {.host = "a.example", .family = '4', .port = 1, .address = "192.0.2.1"}, values))) return 0;
  if (!tell(session.hello(out, "a.example", values))) return 0;
  for (int message = 0; message < 3; ++message) {
    if (!tell(session.mail(out, "a@b.example", none, values))) return 0;
    if (!tell(session.rcpt(out, "c@d.example", none, values))) return 0;
    if (!tell(session.data(out, values)) || !tell(session.header(out, "Subject", " x\r\n y"))) return 0;
    if (!tell(session.end_of_header(out, values)) || !tell(session.body(out, "Hello\r\n"))) return 0;
    const bool ended = tell(session.end_of_body(out, values));
    check(session.take_modifications());
    if (!ended) return 0;
  }
  return 0;
}
