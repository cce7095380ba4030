// RFC 9738: how many messages one command deals with.

#include <algorithm>

#include "session.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;
using wire::search_key;

namespace {

// What both hold; ascending, disjoint, as both are.
index_ranges intersection(std::span<const wire::index_range> a, std::span<const wire::index_range> b) {
  index_ranges out;
  while (!a.empty() && !b.empty()) {
    const auto first = std::max(a.front().first, b.front().first), last = std::min(a.front().last, b.front().last);
    if (first < last) out.push_back({first, last});
    (a.front().last < b.front().last ? a : b) = (a.front().last < b.front().last ? a : b).subspan(1);
  }
  return out;
}

}  // namespace

std::uint32_t session::keep_highest(selection& what) const {
  const std::uint32_t most = options().message_limit;
  if (most == 0 || what.count <= most) return 0;
  narrow(what, {.first = -1, .last = -std::int64_t{most}});
  return announced_->at(what.ranges.front().first).uid;
}

// §3.1: from the highest UID down, in the answers too.
void session::turn_round(selection& what) {
  index_ranges backwards;
  backwards.reserve(what.count);
  for (auto range = what.ranges.rbegin(); range != what.ranges.rend(); ++range)
    for (std::uint32_t i = range->last; i-- > range->first;) backwards.push_back({i, i + 1});
  what.ranges = std::move(backwards);
}

// The code of a command's tagged OK, where messages below `lowest` were left out. One that has a code already has the
// limit told in an untagged NO (§3.1).
std::string session::limited(std::string code, std::uint32_t lowest) {
  if (lowest == 0) return code;
  auto told = codes::message_limit(options().message_limit, lowest);
  if (code.empty()) return told;
  machine_.output().no(told, "Messages with lower UIDs are left");
  return code;
}

std::uint32_t session::most_saved() const noexcept {
  return options().message_limit != 0 ? options().message_limit : options().save_limit;
}

// Those that the program can mean, by the sets that every hit must be in: the others are not looked at, and do not count
// (§3.1).
index_ranges session::searched(const wire::search_program& program, std::size_t parent) const {
  index_ranges out{{0, static_cast<std::uint32_t>(announced_->count())}};
  program.for_each_child(parent, [&](std::size_t child) {
    const auto& node = program.nodes[child];
    const auto count = static_cast<std::uint32_t>(announced_->count());
    const auto uid = static_cast<std::uint32_t>(node.number);
    index_ranges named;
    switch (node.key) {
      case search_key::all_of: named = searched(program, child); break;
      case search_key::sequence:
      case search_key::uid:
        named = meant(node.set, node.key == search_key::uid);
        break;
      case search_key::uid_after:
        if (uid < UINT32_MAX) named.push_back({static_cast<std::uint32_t>(announced_->lower_bound(uid + 1)), count});
        break;
      case search_key::uid_before: named.push_back({0, static_cast<std::uint32_t>(announced_->lower_bound(uid))}); break;
      default: return;
    }
    out = intersection(out, named);
  });
  return out;
}

// UID EXPUNGE deals with the marked ones among the named only.
std::uint32_t session::keep_highest_deleted(mail::uid_set& uids) const {
  const std::uint32_t most = options().message_limit;
  if (most == 0) return 0;
  std::vector<std::uint32_t> marked;
  for (const auto& range : uids.ranges()) {
    for (std::size_t i = latest_->lower_bound(range.first); i < latest_->count(); ++i) {
      const auto& entry = latest_->at(i);
      if (entry.uid > range.last) break;
      if ((entry.flags & mail::flags::deleted) != 0) marked.push_back(entry.uid);
    }
  }
  if (marked.size() <= most) return 0;
  const std::uint32_t lowest = marked[marked.size() - most];
  uids.erase(1, lowest - 1);
  return lowest;
}

}  // namespace briefwerk::server::imap
