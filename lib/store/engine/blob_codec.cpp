#include "store/engine/blob_codec.hpp"

#include <zstd.h>

#include "briefwerk/base/limits.hpp"

namespace briefwerk::store {

blob_codec::blob_codec(int level) noexcept : level_(level) {}
blob_codec::~blob_codec() = default;

void blob_codec::context_end::operator()(ZSTD_CCtx_s* context) const noexcept { ZSTD_freeCCtx(context); }

blob_codec::context blob_codec::take() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      context last = std::move(idle_.back());
      idle_.pop_back();
      return last;
    }
  }
  return context(ZSTD_createCCtx());
}

base::result<encoded_blob> blob_codec::encode(const blob_parts& parts) {
  encoded_blob blob;
  for (const auto part : parts) blob.raw_size += part.size();
  if (blob.raw_size > base::limits::store_blob) return base::fail(base::errc::limit_exceeded);
  if (blob.raw_size > base::limits::store_encode_inline && compress(parts, blob)) return blob;
  blob.encoding = blob_encoding::raw;
  blob.parts = parts;
  blob.stored_size = blob.raw_size;
  blob.owned.reset();
  return blob;
}

// The output buffer is a tenth smaller than the message: what does not fit is not worth compressing.
bool blob_codec::compress(const blob_parts& parts, encoded_blob& blob) {
  context c = take();
  if (!c) return false;
  ZSTD_CCtx_reset(c.get(), ZSTD_reset_session_and_parameters);
  ZSTD_CCtx_setParameter(c.get(), ZSTD_c_compressionLevel, level_);
  ZSTD_CCtx_setPledgedSrcSize(c.get(), blob.raw_size);
  blob.owned = std::make_unique<std::string>();
  blob.owned->resize(blob.raw_size - blob.raw_size / 10);
  ZSTD_outBuffer out{blob.owned->data(), blob.owned->size(), 0};
  bool good = true;
  for (std::size_t i = 0; i <= parts.size() && good; ++i) {
    const bool last = i == parts.size();
    ZSTD_inBuffer in{last ? "" : parts[i].data(), last ? 0 : parts[i].size(), 0};
    for (;;) {
      const std::size_t left = ZSTD_compressStream2(c.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      good = ZSTD_isError(left) == 0;
      if (!good || (last ? left == 0 : in.pos == in.size)) break;
      if (out.pos == out.size) {
        good = false;
        break;
      }
    }
  }
  {
    std::lock_guard lock(mutex_);
    if (idle_.size() < 4) idle_.push_back(std::move(c));
  }
  if (!good) return false;
  blob.owned->resize(out.pos);
  blob.encoding = blob_encoding::zstd;
  blob.parts = {*blob.owned};
  blob.stored_size = out.pos;
  return true;
}

base::result<octets> blob_codec::decompress(std::string_view stored, std::uint64_t raw_size) {
  if (raw_size > base::limits::store_blob) return base::fail(base::errc::corrupt);
  auto raw = std::make_shared_for_overwrite<char[]>(raw_size);
  const std::size_t size = ZSTD_decompress(raw.get(), raw_size, stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw_size) return base::fail(base::errc::corrupt);
  const std::string_view view(raw.get(), raw_size);
  return octets(std::shared_ptr<const void>(std::move(raw)), view);
}

}  // namespace briefwerk::store
