#include "sort_digest.hpp"

#include "briefwerk/base/varint.hpp"

namespace briefwerk::server::imap {
namespace {

constexpr char version = 1;
// Seconds that fit doubled, with room for "none" below; no date of a message is near them.
constexpr std::int64_t most_seconds = std::int64_t{1} << 56;

}  // namespace

std::string write_digest(const sort_table& table, std::uint32_t first, std::uint32_t last,
                         const std::function<bool(std::uint32_t uid)>& is_kept) {
  std::string out(1, version);
  const auto uids = table.uids();
  const auto begin = static_cast<std::size_t>(std::ranges::lower_bound(uids, first) - uids.begin());
  for (std::size_t place = begin; place < uids.size() && uids[place] <= last; ++place) {
    if (!is_kept(uids[place])) continue;
    base::append_varint(out, uids[place]);
    const auto sent = table.sent(place);
    if (!sent || *sent < -most_seconds || *sent > most_seconds)
      base::append_varint(out, 0);
    else
      base::append_varint(out, 1 + base::zigzag(*sent));
    for (const auto field : sort_table::columns) base::append_varint_text(out, table.text(field, place));
  }
  return out;
}

bool read_digest(std::string_view octets,
                 const std::function<void(std::uint32_t uid, const mail::message_summary_view& summary)>& f) {
  if (octets.empty() || octets.front() != version) return false;
  base::varint_reader in(octets.substr(1));
  std::uint64_t before = 0;
  while (!in.at_end()) {
    const std::uint64_t uid = in.number(), date = in.number();
    mail::message_summary_view one;
    if (date != 0) one.sent = std::chrono::sys_seconds(std::chrono::seconds(base::unzigzag(date - 1)));
    for (std::string_view* text : {&one.base_subject, &one.from, &one.to, &one.cc, &one.display_from, &one.display_to})
      *text = in.text();
    if (!in.good() || uid <= before || uid > UINT32_MAX) return false;
    before = uid;
    f(static_cast<std::uint32_t>(uid), one);
  }
  return true;
}

}  // namespace briefwerk::server::imap
