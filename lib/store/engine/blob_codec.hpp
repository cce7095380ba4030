#pragma once

// Compression of blobs (FORMAT.md, "Blobs").

#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/store/blob.hpp"

struct ZSTD_CCtx_s;

namespace briefwerk::store {

// Thread-safe.
class blob_codec {
 public:
  explicit blob_codec(int level) noexcept;
  blob_codec(const blob_codec&) = delete;
  ~blob_codec();

  base::result<encoded_blob> encode(const blob_parts& parts);

  // corrupt: not `raw_size` octets, compressed. Never takes more memory than raw_size and zstd's window of it.
  // The first `most` octets, or all; holds no more than what it answers.
  static base::result<octets> decompress(std::string_view stored, std::uint64_t raw_size, std::uint64_t most = UINT64_MAX);

 private:
  struct context_end {
    void operator()(ZSTD_CCtx_s* context) const noexcept;
  };
  using context = std::unique_ptr<ZSTD_CCtx_s, context_end>;

  context take();
  bool compress(const blob_parts& parts, encoded_blob& blob);

  const int level_;
  std::mutex mutex_;
  std::vector<context> idle_;  // a context costs more to make than a small message to compress
};

}  // namespace briefwerk::store
