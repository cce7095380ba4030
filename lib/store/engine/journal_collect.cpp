// Mark and sweep over the journal: dead blobs become holes in their segment, a segment without live ones is deleted.

#include <algorithm>
#include <unordered_map>

#include "store/engine/blob_place.hpp"
#include "store/engine/journal.hpp"

namespace briefwerk::store {

using namespace journal_format;

namespace {
constexpr std::uint64_t page_octets = 4096;  // what a file system gives back; asking for less is harmless
// Batches alone are worth a hole from here on. (What is left of a run that became one is not, and is not asked for again.)
constexpr std::uint64_t least_hole_of_batches = 16u << 10;
}

// Neighbouring records that nobody needs: one hole.
struct journal::dead_run {
  std::uint64_t begin = 0, end = 0;
  std::vector<std::uint64_t> fresh;  // offsets of the blobs freed now
};

struct journal::sweep {
  const std::vector<blob_ref>& live;  // sorted
  std::unordered_map<std::uint32_t, std::uint64_t> live_of_segment;
  dead_ledger& dead;
  std::chrono::milliseconds grace;
  collect_report report;
};

base::result<collect_report> journal::collect(const journal_position& until, const std::vector<blob_ref>& live_sorted,
                                              dead_ledger& dead, std::chrono::milliseconds grace) {
  sweep state{live_sorted, {}, dead, grace, {}};
  for (const auto& ref : live_sorted) ++state.live_of_segment[from_blob_ref(ref).segment];
  for (const auto& s : segments_.all()) {
    if (s->header.number > until.segment) break;
    const bool sealed = s->header.number < until.segment;
    const base::status done = collect_segment(*s, sealed ? s->end.load() : until.offset, sealed, state);
    if (!done) return base::fail(done.error());
  }
  return state.report;
}

base::status journal::collect_segment(segment& s, std::uint64_t end, bool sealed, sweep& state) {
  auto view = segments_.view(s);
  if (!view) return base::fail(view.error());
  const std::string_view all = view->view().substr(0, end);
  std::vector<dead_run> runs;
  std::uint64_t waiting = 0, freed = 0, freed_octets = 0;
  bool in_run = false;
  const auto extend = [&](std::uint64_t at, std::uint64_t to) -> dead_run& {
    if (!in_run) runs.push_back({at, at, {}});
    in_run = true;
    runs.back().end = to;
    return runs.back();
  };
  for (std::uint64_t at = segment_header_size; at < all.size();) {
    const auto header = read_record_header(all.substr(at), s.header.salt);
    if (!header || at + header->span() > all.size()) {  // a hole, or damage: go on at the next header, free nothing
      in_run = false;
      at += alignment;
      continue;
    }
    const std::uint64_t next = at + header->span();
    const blob_ref ref = to_blob_ref({s.header.number, static_cast<std::uint32_t>(at / alignment), header->size, header->checksum});
    if (header->type == record_type::batch || header->freed) {
      extend(at, next);  // the index has flushed this batch
    } else if (std::binary_search(state.live.begin(), state.live.end(), ref)) {
      ++state.report.live;
      in_run = false;
    } else if (state.dead.ripe(ref, state.grace)) {
      ++freed;
      freed_octets += next - at;
      extend(at, next).fresh.push_back(at);
    } else {
      ++waiting;
      in_run = false;
    }
    at = next;
  }
  state.report.dead += waiting;
  state.report.freed += freed;
  state.report.freed_octets += freed_octets;
  if (sealed && waiting == 0 && !state.live_of_segment.contains(s.header.number)) return delete_segment(s);
  return free_runs(s, runs, sealed);
}

// A header is marked in place: four octets that no sector tears, outside of its checksum. Were the mark lost, the
// blob would be found dead again. Batches alone go from finished segments only: there a hole is never taken for the
// journal's end, should the index be lost.
base::status journal::free_runs(segment& s, const std::vector<dead_run>& runs, bool sealed) {
  const auto is_hole = [&](const dead_run& run) {
    return !run.fresh.empty() || (sealed && run.end - run.begin >= least_hole_of_batches);
  };
  if (std::ranges::none_of(runs, is_hole)) return {};
  auto file = disk_.open(s.path, false);
  if (!file) return base::fail(file.error());
  for (const auto& run : runs) {
    if (!is_hole(run)) continue;
    for (const std::uint64_t at : run.fresh) {
      const base::status marked = (*file)->write_all(freed_mark, at);
      if (!marked) return marked;
    }
    const std::uint64_t begin = (run.begin + page_octets - 1) / page_octets * page_octets;
    const std::uint64_t end = run.end / page_octets * page_octets;
    if (end <= begin || (run.fresh.empty() && end - begin < least_hole_of_batches)) continue;
    const base::status punched = (*file)->punch(begin, end - begin);
    // A file system without holes: the space comes back with the whole segment.
    if (!punched && punched.error() != std::errc::operation_not_supported) return punched;
  }
  return {};
}

base::status journal::delete_segment(segment& s) {
  const std::string path = s.path;
  const std::uint32_t number = s.header.number;
  segments_.remove(number);
  const base::status removed = disk_.remove(path);
  return removed ? disk_.sync_folder(folder_) : removed;
}

}  // namespace briefwerk::store
