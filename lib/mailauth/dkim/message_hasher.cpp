#include "briefwerk/mailauth/message_hasher.hpp"

#include <algorithm>
#include <utility>

#include "briefwerk/base/limits.hpp"
#include "briefwerk/base/limits/mailauth.hpp"
#include "mailauth/dkim/blank_scan.hpp"
#include "mailauth/dkim/canonical_header.hpp"
#include "mailauth/dkim/message_state.hpp"

namespace briefwerk::mailauth {
namespace {

namespace limits = base::limits;

// RFC 5322 §2.1.1, without CRLF.
constexpr std::size_t line_max = 998;
// Octets that pass through all canonicalizations together, so that they stay in the processor's cache.
constexpr std::size_t stride = 64u << 10;

}  // namespace

void message_state::feed(std::string_view octets) {
  while (!octets.empty()) {
    const std::string_view piece = octets.substr(0, stride);
    octets.remove_prefix(piece.size());
    if (!wanted.empty()) check_lines(piece);
    std::string_view rest = piece;
    if (in_header) feed_header(rest);
    if (simple != nullptr) simple->feed(rest);
    if (relaxed != nullptr) relaxed->feed(rest);
  }
}

// Takes the header's part from the front of `octets`.
void message_state::feed_header(std::string_view& octets) {
  const std::size_t had = header.size();
  std::size_t end = header.npos;
  if (!defects.header_too_large) {
    header += octets;
    end = find_body(had);
    if (std::min(end, header.size()) > limits::header_block_size) {
      defects.header_too_large = true;
      header.clear();
    }
  }
  if (defects.header_too_large || end == header.npos) {
    octets = {};
    return;
  }
  octets.remove_prefix(end - had);
  const bool crlf = end > 1 && header[end - 2] == '\r';
  header.resize(end - (crlf ? 2 : 1));
  end_header();
}

// The length of the header block with its empty line, or npos. Octets before `searched` are known.
std::size_t message_state::find_body(std::size_t searched) noexcept {
  for (;;) {
    const std::string_view rest = std::string_view(header).substr(line_start);
    if (rest.starts_with('\n')) return line_start + 1;
    if (rest.starts_with("\r\n")) return line_start + 2;
    const std::size_t end = header.find('\n', std::max(line_start, searched));
    if (end == header.npos) return end;
    line_start = end + 1;
  }
}

void message_state::end_header() {
  in_header = false;
  mail::header_reader reader(header);
  fields.reserve(32);
  hashes.reserve(32);
  std::size_t octets = 0;
  for (mail::header_field field; reader.next(field);) {
    fields.push_back(field);
    hashes.push_back(name_hash(field.name));
    octets += field.whole.size();
  }
  // The reader stops at limits::header_fields. What it passes over are lines that are no field.
  if (reader.position() != header.size()) defects.header_too_large = true;
  if (octets != header.size()) defects.broken_header = true;
  if (!defects.header_too_large) read_signatures();
  start_hashes();
}

void message_state::read_signatures() {
  const std::uint32_t dkim_name = name_hash("DKIM-Signature"), ams_name = name_hash("ARC-Message-Signature");
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const bool is_dkim = hashes[i] == dkim_name && mail::equals_ignoring_case(fields[i].name, "DKIM-Signature");
    const bool is_ams = hashes[i] == ams_name && mail::equals_ignoring_case(fields[i].name, "ARC-Message-Signature");
    if (is_dkim && dkim.size() < limits::dkim_signatures)
      dkim.push_back({i, parse_dkim_field(value_of(fields[i].whole))});
    else if (is_ams && arc.size() < limits::arc_sets)
      arc.push_back({i, parse_arc_message_field(value_of(fields[i].whole))});
  }
}

void message_state::start_hashes() {
  for (const body_hash_kind& kind : wanted) start_hash(kind);
  const std::size_t most = running.size() + limits::dkim_body_hashes;
  for (const auto* list : {&dkim, &arc}) {
    for (const found_signature& one : *list) {
      if (!one.parsed || running.size() == most) continue;
      const dkim_signature& signature = one.parsed->signature;
      start_hash({signature.body, hash_of(signature.algorithm), signature.body_length});
    }
  }
}

void message_state::start_hash(const body_hash_kind& kind) {
  if (std::ranges::find(running, kind, &running_hash::kind) != running.end()) return;
  auto& canonical = kind.canonical == canonicalization::relaxed ? relaxed : simple;
  if (canonical == nullptr) canonical = std::make_unique<canonical_body>(kind.canonical);
  running.push_back({kind, canonical->add(crypto.start_hash(kind.hash), kind.limit), {}});
}

void message_state::finish() {
  if (in_header && !defects.header_too_large) end_header();  // no empty line, so no body
  if (!wanted.empty()) end_line_check();
  if (simple != nullptr) simple->finish();
  if (relaxed != nullptr) relaxed->finish();
  for (running_hash& one : running) {
    auto& canonical = one.kind.canonical == canonicalization::relaxed ? *relaxed : *simple;
    one.result = {canonical.digest(one.place), canonical.size()};
  }
}

void message_state::check_lines(std::string_view octets) {
  const char* p = octets.data();
  const char* const end = p + octets.size();
  defects.bare_line_end = defects.bare_line_end || has_bare_line_end(last, p, end);
  last = end[-1];
  // From line to line in steps as long as a line may be: the last line end in reach is the next beginning.
  while (p != end && !defects.long_line) {
    const std::size_t reach = line_max + 2 - line_length;
    const std::string_view window(p, std::min(reach, static_cast<std::size_t>(end - p)));
    const std::size_t line_end = window.rfind('\n');
    if (line_end != window.npos) {
      p += line_end + 1;
      line_length = 0;
    } else if (window.size() == reach) {
      defects.long_line = true;
    } else {
      line_length += window.size();
      p = end;
    }
  }
}

void message_state::end_line_check() {
  if (last == '\r') defects.bare_line_end = true;
  // A line without CRLF, which a signer's canonical form completes.
  if (line_length > line_max) defects.long_line = true;
}

message_hasher::message_hasher(const base::crypto& crypto, std::vector<body_hash_kind> wanted)
    : state_(std::make_unique<message_state>(crypto, std::move(wanted))) {}
message_hasher::message_hasher(message_hasher&&) noexcept = default;
message_hasher& message_hasher::operator=(message_hasher&&) noexcept = default;
message_hasher::~message_hasher() = default;

void message_hasher::feed(std::string_view octets) { state_->feed(octets); }
void message_hasher::finish() { state_->finish(); }
std::span<const mail::header_field> message_hasher::fields() const noexcept { return state_->fields; }
std::string_view message_hasher::header() const noexcept { return state_->header; }
const message_defects& message_hasher::defects() const noexcept { return state_->defects; }
const base::crypto& message_hasher::crypto() const noexcept { return state_->crypto; }

const body_hash* message_hasher::find(const body_hash_kind& kind) const noexcept {
  for (const auto& one : state_->running)
    if (one.kind == kind) return &one.result;
  return nullptr;
}

}  // namespace briefwerk::mailauth
