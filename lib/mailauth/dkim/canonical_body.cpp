#include "mailauth/dkim/canonical_body.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "mailauth/dkim/blank_scan.hpp"

namespace briefwerk::mailauth {
namespace {

// Pieces from here on go to the hashes without a copy.
constexpr std::size_t direct = 1024;

std::string_view between(const char* from, const char* to) noexcept {
  return {from, static_cast<std::size_t>(to - from)};
}

}  // namespace

std::size_t canonical_body::add(std::unique_ptr<base::hasher> hash, std::optional<std::uint64_t> limit) {
  sinks_.push_back({std::move(hash), limit.value_or(std::numeric_limits<std::uint64_t>::max())});
  return sinks_.size() - 1;
}

void canonical_body::feed(std::string_view octets) {
  const char* p = octets.data();
  const char* const end = p + octets.size();
  while (p != end && holds_back()) step(*p++);
  // Up to the last octet that stays in any case, everything can be decided here and now.
  const char* tail = end;
  while (tail != p && may_be_dropped(tail[-1])) --tail;
  if (tail != p) {
    if (relaxed_)
      relax(p, tail);
    else
      emit(between(p, tail));
  }
  for (; tail != end; ++tail) step(*tail);
}

void canonical_body::finish() {
  if (cr_) {
    cr_ = false;
    release();
    emit("\r");
  }
  // §3.4.3: a body without a final line end gets one, empty lines at its end are ignored, and the empty body becomes
  // one line end; §3.4.4: the empty body stays empty.
  if (!relaxed_ || size_ != 0) emit("\r\n");
  drain();
}

// One octet where something is held back, or may have to be.
void canonical_body::step(char c) {
  if (cr_) {
    cr_ = false;
    if (c == '\n') {
      blank_ = false;
      ++lines_;
      return;
    }
    release();
    emit("\r");
  }
  if (c == '\r') {
    cr_ = true;
  } else if (relaxed_ && (c == ' ' || c == '\t')) {
    blank_ = true;
  } else {
    release();
    emit({&c, 1});
  }
}

void canonical_body::release() {
  static constexpr std::string_view many = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
  for (; lines_ >= many.size() / 2; lines_ -= many.size() / 2) emit(many);
  emit(many.substr(0, lines_ * 2));
  lines_ = 0;
  if (blank_) emit(" ");
  blank_ = false;
}

// [p, end) begins with nothing held back and ends with an octet that is no white space.
void canonical_body::relax(const char* p, const char* end) {
  const char* from = p;
  for (const char* hit = find_changed_blank(p, end); hit != end; hit = find_changed_blank(hit, end)) {
    const char* first = hit;
    while (first != from && (first[-1] == ' ' || first[-1] == '\t')) --first;
    while (*hit == ' ' || *hit == '\t') ++hit;
    if (hit[0] == '\r' && hit[1] == '\n') {
      emit(between(from, first));
    } else if (*first == ' ') {
      emit(between(from, first + 1));
    } else {
      emit(between(from, first));
      emit(" ");
    }
    from = hit;
  }
  emit(between(from, end));
}

void canonical_body::emit(std::string_view piece) {
  size_ += piece.size();
  if (piece.size() >= direct) {
    drain();
    write(piece);
    return;
  }
  if (piece.size() > buffer_.size() - buffered_) drain();
  std::memcpy(buffer_.data() + buffered_, piece.data(), piece.size());
  buffered_ += piece.size();
}

void canonical_body::write(std::string_view piece) {
  for (sink& one : sinks_) {
    const auto size = std::min<std::uint64_t>(piece.size(), one.left);
    if (size == 0) continue;
    one.hash->update(piece.substr(0, size));
    one.left -= size;
  }
}

void canonical_body::drain() {
  if (buffered_ != 0) write({buffer_.data(), buffered_});
  buffered_ = 0;
}

}  // namespace briefwerk::mailauth
