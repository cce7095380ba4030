#pragma once

// COMPRESS=DEFLATE (RFC 4978): raw DEFLATE in both directions. What a waiting session needs is the end of the client's
// stream, which later octets may refer back to; everything else is given back.

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "briefwerk/base/result.hpp"

namespace briefwerk::server::imap {

class deflate_layer {
 public:
  deflate_layer();
  ~deflate_layer();
  deflate_layer(const deflate_layer&) = delete;
  deflate_layer& operator=(const deflate_layer&) = delete;

  // Octets from the client; the view stays until has_input() is false.
  void give(std::string_view compressed) noexcept { input_ = compressed; }
  bool has_input() const noexcept { return !input_.empty() || output_is_full_; }
  // Fills `out` as far as the input goes: the count, 0 when more input is needed. However much the input means, no more
  // than `out` is made of it at once. base::errc::malformed.
  base::result<std::size_t> read(std::span<char> out);

  // Appends to `out`; with `flush` the client can read all of it.
  base::status write(std::string_view plain, bool flush, std::string& out);

  // The session waits.
  void rest();

 private:
  struct inflater;
  struct deflater;
  base::status wake();

  std::unique_ptr<inflater> in_;
  std::unique_ptr<deflater> out_;
  std::string history_;  // of the client's stream, while in_ is not there
  std::string_view input_;
  bool output_is_full_ = false;
};

}  // namespace briefwerk::server::imap
