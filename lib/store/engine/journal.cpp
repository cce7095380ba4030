#include "store/engine/journal.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>

#include "briefwerk/base/checksum.hpp"
#include "briefwerk/base/limits.hpp"
#include "store/engine/blob_codec.hpp"
#include "store/engine/blob_place.hpp"

namespace briefwerk::store {
namespace {

using namespace journal_format;

constexpr std::string_view suffix = ".bwj";
constexpr std::string_view unfinished = ".new";
constexpr std::uint64_t offset_unit = alignment;  // of a blob_ref
constexpr std::uint64_t furthest = std::uint64_t{0xffffffff} * offset_unit;

std::string file_name(std::uint32_t number) {
  std::string digits = std::to_string(number);
  return std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits + std::string(suffix);
}

std::optional<std::uint32_t> number_of(std::string_view name) {
  if (!name.ends_with(suffix)) return std::nullopt;
  name.remove_suffix(suffix.size());
  std::uint32_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size() || number == 0) return std::nullopt;
  return number;
}

// The checksum waits for memory more than it computes: a small message is asked for at once, not line by line.
void prefetch(std::string_view octets) noexcept {
  constexpr std::size_t line = 64, most = 4096 + record_header_size;
  for (std::size_t at = 0; at < std::min(octets.size(), most); at += line) __builtin_prefetch(octets.data() + at);
}

base::status corrupt(std::string& why, std::string text) {
  why = std::move(text);
  return base::fail(base::errc::corrupt);
}

}  // namespace

journal::journal(io& disk, std::string folder, const journal_options& settings)
    : disk_(disk),
      folder_(std::move(folder)),
      settings_(settings),
      segments_(disk, settings.segment_octets, settings.most_mapped),
      zeros_(settings.zero_ahead_octets, settings.segment_octets) {}

// The zeros ahead are given back; without that they would be at the next opening.
journal::~journal() {
  zeros_.attach(nullptr, 0);
  if (file_ && !failed_) static_cast<void>(file_->truncate(next_.offset));
}

base::result<std::unique_ptr<journal>> journal::open(io& disk, const std::string& folder,
                                                     const journal_options& settings, const journal_position& from,
                                                     const apply_function& apply, std::string& why) {
  std::unique_ptr<journal> j(new journal(disk, folder, settings));
  base::status done = j->load(why);
  if (done) done = j->replay(from, apply, why);
  if (!done) return base::fail(done.error());
  return j;
}

base::status journal::load(std::string& why) {
  base::status made = disk_.make_folder(folder_);
  if (!made) return made;
  auto names = disk_.list(folder_);
  if (!names) return base::fail(names.error());
  for (const auto& name : *names) {
    const std::string path = folder_ + "/" + name;
    if (name.ends_with(unfinished)) static_cast<void>(disk_.remove(path));  // never in use
    const auto number = number_of(name);
    if (!number) continue;
    auto file = disk_.open(path, false);
    if (!file) return base::fail(file.error());
    auto size = (*file)->size();
    if (!size) return base::fail(size.error());
    if (*size < segment_header_size) return corrupt(why, "journal segment " + name + ": shorter than its header");
    auto mapped = (*file)->map(*size);
    if (!mapped) return base::fail(mapped.error());
    const auto header = read_segment_header({mapped->get(), *size});
    if (!header || header->number != *number) return corrupt(why, "journal segment " + name + ": bad header at offset 0");
    if (header->format != version) {
      why = "journal segment " + name + ": format " + std::to_string(header->format) + ", this release knows " +
            std::to_string(version);
      return base::fail(base::errc::unsupported);
    }
    segments_.add(path, *header, *size);
  }
  return {};
}

base::status journal::replay(const journal_position& from, const apply_function& apply, std::string& why) {
  const auto all = segments_.all();
  next_ = from;
  if (all.empty()) {
    if (from.segment != 0) return corrupt(why, "the journal is missing, the index needs segment " + file_name(from.segment));
    return start_segment();
  }
  if (from.segment == 0) next_ = {1, segment_header_size, 1};
  // Segments before the position hold blobs only; from there on none may be missing.
  for (const auto& s : all) {
    if (s->header.number < next_.segment) continue;
    if (s->header.number != next_.segment) break;
    const bool last = s == all.back();
    const base::status done = replay_segment(*s, last, next_.offset, apply, why);
    if (!done) return done;
    if (last) return open_active(*s);
    next_ = {next_.segment + 1, segment_header_size, next_.group};
  }
  return corrupt(why, "journal segment " + file_name(next_.segment) + " is missing");
}

base::status journal::replay_segment(segment& s, bool last, std::uint64_t start, const apply_function& apply,
                                     std::string& why) {
  const std::string name = file_name(s.header.number);
  if (start > s.end) return corrupt(why, "journal segment " + name + ": ends at " + std::to_string(s.end) +
                                             ", the index has seen " + std::to_string(start));
  if (start == segment_header_size && s.header.first_group != next_.group)
    return corrupt(why, "journal segment " + name + ": begins with group " + std::to_string(s.header.first_group) +
                            ", expected " + std::to_string(next_.group));
  auto view = segments_.view(s);
  if (!view) return base::fail(view.error());
  // Each is applied when the next is known to follow: the last one may not be on the disk yet.
  struct found_group {
    std::uint64_t begin;
    journal_position end;
    std::string_view payload;
  };
  std::optional<found_group> held;
  const auto each = [&](std::uint64_t group, std::uint64_t end, std::string_view payload) -> base::status {
    const std::uint64_t begin = held ? held->end.offset : start;
    const base::status applied = held ? apply(held->payload, held->end) : base::status();
    held = {begin, {s.header.number, end, group + 1}, payload};
    return applied;
  };
  auto walked = walk_groups(view->view(), start, s.header.salt, next_.group, each);
  if (!walked) return base::fail(walked.error());
  if (!walked->corrupt && walked->torn && !last) walked->corrupt = walked->end;
  if (walked->corrupt)
    return corrupt(why, "journal segment " + name + ": damaged at offset " + std::to_string(*walked->corrupt) +
                            ", in group " + std::to_string(walked->next_group) + ", with later data behind it");
  next_ = {s.header.number, walked->end, walked->next_group};
  base::status done;
  if (last && (held || walked->end < s.end)) {
    const std::uint64_t begin = held ? held->begin : walked->end;
    done = settle_end(s, begin, view->view().substr(begin, walked->end - begin));
  }
  s.end = walked->end;
  if (done && held) done = apply(held->payload, held->end);
  return done;
}

// The last group may be here without its sync: the process died before it, or it failed, after which the kernel takes pages
// for clean that are not on the disk. Written again, they are not; all groups before were synced.
base::status journal::settle_end(segment& s, std::uint64_t begin, std::string_view last_group) {
  auto file = disk_.open(s.path, false);
  if (!file) return base::fail(file.error());
  const std::string copy(last_group);  // of a mapping of the same file
  base::status done = (*file)->write_all(copy, begin);
  if (done && begin + copy.size() < s.end) done = (*file)->truncate(begin + copy.size());
  if (done) done = (*file)->sync();
  return done;
}

base::status journal::open_active(segment& s) {
  auto file = disk_.open(s.path, false);
  if (!file) return base::fail(file.error());
  auto for_zeros = disk_.open(s.path, false);
  if (!for_zeros) return base::fail(for_zeros.error());
  file_ = std::move(*file);
  active_ = segments_.find(s.header.number);
  zeros_.attach(std::move(*for_zeros), next_.offset);
  return {};
}

// A segment gets its name when its header is on the disk: a name without a good header is damage, never a crash.
base::status journal::start_segment() {
  const std::uint32_t number = next_.segment + 1;
  const segment_header header{version, static_cast<std::uint32_t>(std::random_device()()), number, next_.group};
  const std::string path = folder_ + "/" + file_name(number);
  const std::string before = path + std::string(unfinished);
  auto made = disk_.open(before, true);
  if (!made) return base::fail(made.error());
  base::status done = (*made)->write_all(write_segment_header(header), 0);
  if (done) done = (*made)->sync();
  if (done) done = disk_.rename(before, path);
  if (!done) {
    made->reset();
    static_cast<void>(disk_.remove(before));
    return done;
  }
  done = disk_.sync_folder(folder_);
  if (!done) failed_ = true;  // the name may or may not be there
  if (!done) return done;
  zeros_.attach(nullptr, 0);
  if (file_) static_cast<void>(file_->truncate(next_.offset));
  next_ = {number, segment_header_size, next_.group};
  const auto added = segments_.add(path, header, segment_header_size);
  done = open_active(*added);
  if (!done) failed_ = true;
  return done;
}

base::status journal::begin(std::uint64_t octets) {
  if (failed_) return base::fail(base::errc::unavailable);
  drop();
  const bool fits = next_.offset + octets <= settings_.segment_octets;
  if (fits || next_.offset == segment_header_size) return {};
  return start_segment();
}

void journal::drop() {
  pieces_.clear();
  headers_.clear();
  pending_ = 0;
}

void journal::append(std::string_view octets) {
  if (octets.empty()) return;
  pieces_.push_back({const_cast<char*>(octets.data()), octets.size()});
  pending_ += octets.size();
}

std::uint32_t journal::append_record(record_header header, const blob_parts& parts) {
  static constexpr char padding[alignment] = {};
  header.group = next_.group;
  header.checksum = active_->header.salt;
  for (const auto part : parts) header.checksum = base::crc32c(part, header.checksum);
  auto& octets = headers_.emplace_back();
  write_record_header(header, active_->header.salt, octets.data());
  append({octets.data(), octets.size()});
  for (const auto part : parts) append(part);
  append({padding, aligned(pending_) - pending_});
  return header.checksum;
}

base::result<blob_ref> journal::place(const encoded_blob& blob) {
  const std::uint64_t at = next_.offset + pending_;
  if (blob.stored_size > base::limits::store_blob || at > furthest) return base::fail(base::errc::limit_exceeded);
  record_header header;
  header.type = record_type::blob;
  header.encoding = blob.encoding;
  header.size = static_cast<std::uint32_t>(blob.stored_size);
  header.raw_size = static_cast<std::uint32_t>(blob.raw_size);
  const std::uint32_t checksum = append_record(header, blob.parts);
  return to_blob_ref({next_.segment, static_cast<std::uint32_t>(at / offset_unit), header.size, checksum});
}

base::status journal::commit(std::string_view batch_payload, const std::function<void()>& meanwhile) {
  if (failed_) return base::fail(base::errc::unavailable);
  if (batch_payload.size() > base::limits::store_blob) return base::fail(base::errc::limit_exceeded);
  record_header header;
  header.type = record_type::batch;
  header.size = header.raw_size = static_cast<std::uint32_t>(batch_payload.size());
  append_record(header, {batch_payload});
  const std::uint64_t end = next_.offset + pending_;
  zeros_.claim(end);
  const base::status written = write_pieces();
  if (!written) return take_back(written.error());
  if (meanwhile) {
    file_->start_write(next_.offset, pending_);
    meanwhile();
  }
  const base::status synced = file_->sync();
  if (!synced) {
    // The kernel reports a failed write-back once and may then call the pages clean: no later success of this file
    // can be believed. What is on the disk is found out by opening it again.
    failed_ = true;
    return synced;
  }
  active_->end.store(end, std::memory_order_release);
  next_.offset = end;
  ++next_.group;
  zeros_.advance(end);
  drop();
  return {};
}

base::status journal::write_pieces() {
  std::span<iovec> rest = pieces_;
  std::uint64_t at = next_.offset;
  while (!rest.empty()) {
    auto written = file_->write_at({rest.data(), rest.size()}, at);
    if (!written) return base::fail(written.error());
    at += *written;
    std::size_t n = *written;
    while (!rest.empty() && n >= rest.front().iov_len) {
      n -= rest.front().iov_len;
      rest = rest.subspan(1);
    }
    if (n > 0) rest.front() = {static_cast<char*>(rest.front().iov_base) + n, rest.front().iov_len - n};
  }
  return {};
}

// A write failed: nothing of the group may stay, or its remains could stand behind a later group.
base::status journal::take_back(std::error_code why) {
  drop();
  zeros_.attach(nullptr, 0);
  const base::status cut_off = file_->truncate(next_.offset);
  auto for_zeros = disk_.open(active_->path, false);
  if (!cut_off || !for_zeros)
    failed_ = true;
  else
    zeros_.attach(std::move(*for_zeros), next_.offset);
  return base::fail(failed_ ? make_error_code(base::errc::unavailable) : why);
}

base::result<octets> journal::read(const blob_ref& ref, std::uint64_t most) {
  const blob_place place = from_blob_ref(ref);
  const std::uint64_t at = std::uint64_t{place.unit} * offset_unit;
  const auto s = segments_.find(place.segment);
  if (!s) return base::fail(base::errc::not_found);
  auto view = segments_.view(*s);
  if (!view) return base::fail(view.error());
  if (at < segment_header_size || at + record_header_size + place.size > view->end)
    return base::fail(base::errc::not_found);
  const std::string_view all = view->view().substr(at);
  prefetch(all.substr(0, record_header_size + place.size));
  const auto header = read_record_header(all, view->salt);
  const bool punched = all.starts_with(std::string_view("\0\0\0\0", 4));
  if (punched || (header && header->freed)) return base::fail(base::errc::not_found);
  if (!header || header->type != record_type::blob || header->size != place.size || header->checksum != place.checksum)
    return base::fail(base::errc::corrupt);
  const std::string_view stored = all.substr(record_header_size, header->size);
  if (base::crc32c(stored, view->salt) != header->checksum) return base::fail(base::errc::corrupt);
  if (header->encoding == blob_encoding::zstd) return blob_codec::decompress(stored, header->raw_size, most);
  return octets(std::shared_ptr<const void>(std::move(view->octets)), stored);
}

}  // namespace briefwerk::store
