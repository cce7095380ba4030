#include "store/engine/blob_codec.hpp"

#include <zstd.h>

#include <new>
#include <span>

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

namespace {

struct decompression_end {
  void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

// Block by block until `raw` is full. False: there are not so many octets, or what is stored is no frame.
bool decompress_beginning(std::string_view stored, std::span<char> raw) {
  const std::unique_ptr<ZSTD_DCtx, decompression_end> context(ZSTD_createDCtx());
  if (!context) throw std::bad_alloc();
  // The window is as long as the message; what is not written of it takes no memory.
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, ZSTD_dParam_getBounds(ZSTD_d_windowLogMax).upperBound);
  ZSTD_outBuffer out{raw.data(), raw.size(), 0};
  ZSTD_inBuffer in{stored.data(), stored.size(), 0};
  while (out.pos < out.size) {
    const std::size_t before = out.pos + in.pos;
    const std::size_t left = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(left) != 0) return false;
    if (out.pos < out.size && (left == 0 || out.pos + in.pos == before)) return false;
  }
  return true;
}

}  // namespace

base::result<octets> blob_codec::decompress(std::string_view stored, std::uint64_t raw_size, std::uint64_t most) {
  if (raw_size > base::limits::store_blob) return base::fail(base::errc::corrupt);
  if (most < raw_size) {
    auto beginning = std::make_shared_for_overwrite<char[]>(most);
    if (!decompress_beginning(stored, {beginning.get(), most})) return base::fail(base::errc::corrupt);
    const std::string_view view(beginning.get(), most);
    return octets(std::shared_ptr<const void>(std::move(beginning)), view);
  }
  auto raw = std::make_shared_for_overwrite<char[]>(raw_size);
  const std::size_t size = ZSTD_decompress(raw.get(), raw_size, stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw_size) return base::fail(base::errc::corrupt);
  const std::string_view view(raw.get(), raw_size);
  return octets(std::shared_ptr<const void>(std::move(raw)), view);
}

}  // namespace briefwerk::store
