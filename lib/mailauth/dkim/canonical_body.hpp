#pragma once

// Body canonicalization (RFC 6376 §3.4.3, §3.4.4) as a stream: octets go in in pieces of any size, the canonical form
// goes to any number of hashes. Memory is fixed: what may have to be dropped later (white space, empty lines) is
// counted, not kept.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "briefwerk/base/crypto.hpp"
#include "briefwerk/mailauth/message_hasher.hpp"

namespace briefwerk::mailauth {

class canonical_body {
 public:
  explicit canonical_body(canonicalization how) noexcept : relaxed_(how == canonicalization::relaxed) {}

  // Before the first feed(). Answers the place for digest().
  std::size_t add(std::unique_ptr<base::hasher> hash, std::optional<std::uint64_t> limit);
  void feed(std::string_view octets);
  void finish();

  // After finish().
  std::string digest(std::size_t place) { return sinks_[place].hash->finish(); }
  std::uint64_t size() const noexcept { return size_; }

 private:
  struct sink {
    std::unique_ptr<base::hasher> hash;
    std::uint64_t left;  // of its limit
  };

  bool holds_back() const noexcept { return lines_ != 0 || blank_ || cr_; }
  bool may_be_dropped(char c) const noexcept { return c == '\r' || c == '\n' || (relaxed_ && (c == ' ' || c == '\t')); }
  void step(char c);
  void release();
  void relax(const char* p, const char* end);
  void emit(std::string_view piece);
  void write(std::string_view piece);
  void drain();

  bool relaxed_;
  // Held back, in this order: so many line ends, white space of the line behind them, a CR.
  std::uint64_t lines_ = 0;
  bool blank_ = false;
  bool cr_ = false;
  std::uint64_t size_ = 0;
  std::vector<sink> sinks_;
  std::size_t buffered_ = 0;
  std::array<char, 4096> buffer_;
};

}  // namespace briefwerk::mailauth
