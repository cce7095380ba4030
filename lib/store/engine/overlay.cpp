#include "store/engine/overlay.hpp"

namespace briefwerk::store {

base::result<std::optional<octets>> overlay::get(std::string_view key) const {
  const auto& writes = written_.writes();
  const auto at = writes.find(key);
  if (at != writes.end()) {
    if (!at->second) return std::optional<octets>();
    return octets::copy(*at->second);
  }
  if (const auto* row = known_.find(key)) return *row;
  auto value = base_.get(key);
  if (value) known_.remember(key, *value);
  return value;
}

base::result<page> overlay::scan(const key_range& range, page_limit limit) const {
  const auto& writes = written_.writes();
  auto mine = writes.lower_bound(range.first);
  const auto mine_end = range.last.empty() ? writes.end() : writes.lower_bound(range.last);
  if (mine == mine_end) return base_.scan(range, limit);

  page merged;
  key_range rest = range;
  for (;;) {
    auto rows = base_.scan(rest, limit);
    if (!rows) return rows;
    // Rows of the overlay go before the row of the base that they precede, and replace the row that they name.
    for (std::size_t i = 0; i < rows->size(); ++i) {
      const page::row row = (*rows)[i];
      for (; mine != mine_end && mine->first < row.key; ++mine)
        if (mine->second && !merged.add(mine->first, *mine->second, limit)) return merged;
      const bool replaced = mine != mine_end && mine->first == row.key;
      if (replaced ? mine->second && !merged.add(row.key, *mine->second, limit)
                   : !merged.add(row.key, row.value, limit))
        return merged;
      if (replaced) ++mine;
    }
    if (!rows->more()) break;
    rest = rest.after(rows->back().key);
  }
  for (; mine != mine_end; ++mine)
    if (mine->second && !merged.add(mine->first, *mine->second, limit)) return merged;
  return merged;
}

void overlay::apply(batch&& writes, std::vector<undo>& log) {
  auto& into = written_.writes();
  for (auto& [key, value] : writes.writes()) {
    auto at = into.find(key);
    if (at == into.end()) {
      log.push_back({this, key, std::nullopt});
      into.emplace(key, std::move(value));
    } else {
      log.push_back({this, key, std::exchange(at->second, std::move(value))});
    }
  }
}

void overlay::take_back(std::vector<undo>& log) {
  for (; !log.empty(); log.pop_back()) {
    undo& last = log.back();
    auto& writes = last.where->written_.writes();
    if (last.before)
      writes.find(last.key)->second = std::move(*last.before);
    else
      writes.erase(last.key);
  }
}

}  // namespace briefwerk::store
