#include "deflate_layer.hpp"

#include <zlib.h>

namespace briefwerk::server::imap {
namespace {

constexpr int window_bits = -15;  // no header; the client may refer back 32 KiB
constexpr int level = 3;          // mail is short, and the session's thread has others to serve

Bytef* octets(char* at) noexcept { return reinterpret_cast<Bytef*>(at); }
// zlib's own type of the input is not const; it does not write there.
Bytef* octets(const char* at) noexcept { return reinterpret_cast<Bytef*>(const_cast<char*>(at)); }

}  // namespace

struct deflate_layer::inflater {
  z_stream stream{};
  bool ready = inflateInit2(&stream, window_bits) == Z_OK;
  ~inflater() { inflateEnd(&stream); }
};

struct deflate_layer::deflater {
  z_stream stream{};
  bool ready = deflateInit2(&stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK;
  ~deflater() { deflateEnd(&stream); }
};

deflate_layer::deflate_layer() = default;
deflate_layer::~deflate_layer() = default;

base::status deflate_layer::wake() {
  if (in_) return {};
  in_ = std::make_unique<inflater>();
  if (!in_->ready) return base::fail(base::errc::unavailable);
  if (!history_.empty() &&
      inflateSetDictionary(&in_->stream, octets(history_.data()), static_cast<uInt>(history_.size())) != Z_OK) {
    return base::fail(base::errc::malformed);
  }
  history_.clear();
  history_.shrink_to_fit();
  return {};
}

base::result<std::size_t> deflate_layer::read(std::span<char> out) {
  if (auto awake = wake(); !awake) return base::fail(awake.error());
  z_stream& z = in_->stream;
  z.next_in = octets(input_.data());
  z.avail_in = static_cast<uInt>(input_.size());
  z.next_out = octets(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  const int said = inflate(&z, Z_SYNC_FLUSH);
  input_.remove_prefix(input_.size() - z.avail_in);
  output_is_full_ = z.avail_out == 0;
  // The end of the stream is the end of what the client says; Z_BUF_ERROR: nothing to do.
  if (said != Z_OK && said != Z_BUF_ERROR) return base::fail(base::errc::malformed);
  return out.size() - z.avail_out;
}

base::status deflate_layer::write(std::string_view plain, bool flush, std::string& out) {
  if (!out_) out_ = std::make_unique<deflater>();
  if (!out_->ready) return base::fail(base::errc::unavailable);
  z_stream& z = out_->stream;
  z.next_in = octets(plain.data());
  z.avail_in = static_cast<uInt>(plain.size());
  constexpr std::size_t portion = 16384;
  do {
    const auto before = out.size();
    out.resize(before + portion);
    z.next_out = octets(out.data() + before);
    z.avail_out = portion;
    if (deflate(&z, flush ? Z_SYNC_FLUSH : Z_NO_FLUSH) == Z_STREAM_ERROR) return base::fail(base::errc::malformed);
    out.resize(before + portion - z.avail_out);
  } while (z.avail_out == 0);
  return {};
}

// After a flush a new compressor can go on where the old one ended: it refers back to less. The client's stream can be
// left between two blocks, at an octet's beginning, where its history is all that it means.
void deflate_layer::rest() {
  out_.reset();
  if (!in_ || has_input()) return;
  z_stream& z = in_->stream;
  constexpr int after_block = 128, bits_left = 7;
  if ((z.data_type & after_block) == 0 || (z.data_type & bits_left) != 0) return;
  uInt size = 32768;
  history_.resize(size);
  if (inflateGetDictionary(&z, octets(history_.data()), &size) != Z_OK) {
    history_.clear();
    return;
  }
  history_.resize(size);
  history_.shrink_to_fit();
  in_.reset();
}

}  // namespace briefwerk::server::imap
