#include "sort_digest.hpp"

#include <optional>

namespace briefwerk::server::imap {
namespace {

constexpr char version = 1;
// Seconds that fit doubled, with room for "none" below; no date of a message is near them.
constexpr std::int64_t most_seconds = std::int64_t{1} << 56;

void append_number(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(0x80u | (value & 0x7fu));
  out += static_cast<char>(value);
}

class reader {
 public:
  explicit reader(std::string_view octets) noexcept : rest_(octets) {}
  bool at_end() const noexcept { return rest_.empty(); }
  bool good() const noexcept { return good_; }
  std::uint64_t number() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 63 && !rest_.empty(); shift += 7) {
      const auto octet = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{octet & 0x7fu} << shift;
      if (octet < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  std::string_view text() noexcept {
    const std::uint64_t size = number();
    if (size > rest_.size()) good_ = false;
    if (!good_) return {};
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::string write_digest(const sort_table& table, std::uint32_t first, std::uint32_t last,
                         const std::function<bool(std::uint32_t uid)>& is_kept) {
  std::string out(1, version);
  const auto uids = table.uids();
  const auto begin = static_cast<std::size_t>(std::ranges::lower_bound(uids, first) - uids.begin());
  for (std::size_t place = begin; place < uids.size() && uids[place] <= last; ++place) {
    if (!is_kept(uids[place])) continue;
    append_number(out, uids[place]);
    const auto sent = table.sent(place);
    if (!sent || *sent < -most_seconds || *sent > most_seconds)
      append_number(out, 0);
    else
      append_number(out, 1 + ((static_cast<std::uint64_t>(*sent) << 1) ^ static_cast<std::uint64_t>(*sent >> 63)));
    for (const auto field : sort_table::columns) {
      const auto text = table.text(field, place);
      append_number(out, text.size());
      out += text;
    }
  }
  return out;
}

bool read_digest(std::string_view octets,
                 const std::function<void(std::uint32_t uid, const mail::message_summary_view& summary)>& f) {
  if (octets.empty() || octets.front() != version) return false;
  reader in(octets.substr(1));
  std::uint64_t before = 0;
  while (!in.at_end()) {
    const std::uint64_t uid = in.number(), date = in.number();
    mail::message_summary_view one;
    if (date != 0) {
      const std::uint64_t zigzag = date - 1;
      one.sent = std::chrono::sys_seconds(
          std::chrono::seconds(static_cast<std::int64_t>(zigzag >> 1) ^ -static_cast<std::int64_t>(zigzag & 1)));
    }
    for (std::string_view* text : {&one.base_subject, &one.from, &one.to, &one.cc, &one.display_from, &one.display_to})
      *text = in.text();
    if (!in.good() || uid <= before || uid > UINT32_MAX) return false;
    before = uid;
    f(static_cast<std::uint32_t>(uid), one);
  }
  return true;
}

}  // namespace briefwerk::server::imap
