#include "crypto/pbkdf2.hpp"

#include <openssl/mem.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "briefwerk/crypto/boringssl.hpp"

// PBKDF2 is a login's whole cost. After the first round of a block the input of each HMAC is one digest, whose
// padded block never changes but for the digest itself; so an iteration is two runs of the compression function from
// saved states and nothing else, where PKCS5_PBKDF2_HMAC copies contexts and pads each time.

namespace briefwerk::crypto {
namespace {

struct sha1_traits {
  using context = SHA_CTX;
  using word = std::uint32_t;
  static constexpr std::size_t words = 5, block = 64;
  static void init(context& c) { SHA1_Init(&c); }
  static void compress(context& c, const std::uint8_t* in) { SHA1_Transform(&c, in); }
};
struct sha256_traits {
  using context = SHA256_CTX;
  using word = std::uint32_t;
  static constexpr std::size_t words = 8, block = 64;
  static void init(context& c) { SHA256_Init(&c); }
  static void compress(context& c, const std::uint8_t* in) { SHA256_Transform(&c, in); }
};
struct sha512_traits {
  using context = SHA512_CTX;
  using word = std::uint64_t;
  static constexpr std::size_t words = 8, block = 128;
  static void init(context& c) { SHA512_Init(&c); }
  static void compress(context& c, const std::uint8_t* in) { SHA512_Transform(&c, in); }
};

template <class Word>
Word big_endian(Word value) noexcept {
  if constexpr (std::endian::native == std::endian::big) return value;
  if constexpr (sizeof(Word) == 8)
    return __builtin_bswap64(value);
  else
    return __builtin_bswap32(value);
}

template <class Hash>
class hmac_states {
 public:
  using word = typename Hash::word;
  using state = std::array<word, Hash::words>;
  using block = std::array<std::uint8_t, Hash::block>;
  static constexpr std::size_t digest = Hash::words * sizeof(word);

  explicit hmac_states(std::string_view key) {  // at most a block
    block pad;
    pad.fill(0x36);
    mix(pad, key);
    inner_ = from_start(pad);
    pad.fill(0x5c);
    mix(pad, key);
    outer_ = from_start(pad);
    OPENSSL_cleanse(pad.data(), pad.size());
  }
  ~hmac_states() {
    OPENSSL_cleanse(inner_.data(), sizeof inner_);
    OPENSSL_cleanse(outer_.data(), sizeof outer_);
  }

  // In `padded` stands a message of one digest with its padding; its digest is replaced by its HMAC.
  void round(block& padded) {
    run(inner_, padded);
    run(outer_, padded);
  }

  // A block that holds a digest-sized message behind one block of key: padded as the hashes demand.
  static block padded_digest(std::string_view octets) {
    block out{};
    std::memcpy(out.data(), octets.data(), digest);
    out[digest] = 0x80;
    const std::size_t bits = (Hash::block + digest) * 8;
    out[Hash::block - 2] = static_cast<std::uint8_t>(bits >> 8);
    out[Hash::block - 1] = static_cast<std::uint8_t>(bits);
    return out;
  }

 private:
  static void mix(block& pad, std::string_view key) {
    for (std::size_t i = 0; i < key.size(); ++i)
      pad[i] = static_cast<std::uint8_t>(pad[i] ^ static_cast<unsigned char>(key[i]));
  }

  state from_start(const block& first) {
    Hash::init(context_);
    Hash::compress(context_, first.data());
    state out;
    std::memcpy(out.data(), context_.h, sizeof out);
    return out;
  }

  void run(const state& from, block& in_out) {
    std::memcpy(context_.h, from.data(), sizeof from);
    Hash::compress(context_, in_out.data());
    for (std::size_t i = 0; i < Hash::words; ++i) {
      const word value = big_endian(static_cast<word>(context_.h[i]));
      std::memcpy(in_out.data() + i * sizeof value, &value, sizeof value);
    }
  }

  typename Hash::context context_{};
  state inner_, outer_;
};

template <class Hash>
std::string run(std::string_view key, std::string_view salt, std::uint32_t iterations, std::size_t length,
                const auto& first_hmac) {
  using states = hmac_states<Hash>;
  states hmac(key);
  std::string out;
  out.reserve(length + states::digest);
  for (std::uint32_t index = 1; out.size() < length; ++index) {
    std::string message(salt);
    for (int shift = 24; shift >= 0; shift -= 8) message += static_cast<char>(index >> shift);
    auto padded = states::padded_digest(first_hmac(message));
    std::array<std::uint8_t, states::digest> sum;
    std::copy_n(padded.begin(), states::digest, sum.begin());
    for (std::uint32_t i = 1; i < iterations; ++i) {
      hmac.round(padded);
      for (std::size_t at = 0; at < states::digest; ++at) sum[at] = static_cast<std::uint8_t>(sum[at] ^ padded[at]);
    }
    out.append(reinterpret_cast<const char*>(sum.data()), sum.size());
    OPENSSL_cleanse(padded.data(), padded.size());
    OPENSSL_cleanse(sum.data(), sum.size());
  }
  out.resize(length);
  return out;
}

}  // namespace

std::string fast_pbkdf2(base::hash_kind kind, std::string_view password, std::string_view salt,
                        std::uint32_t iterations, std::size_t length) {
  const auto crypto = make_boringssl();
  const std::size_t block = kind == base::hash_kind::sha512 ? 128 : 64;
  // RFC 2104 §2: a longer key is replaced by its hash.
  std::string hashed;
  if (password.size() > block) password = hashed = crypto->hash(kind, password);
  const auto first = [&](std::string_view message) { return crypto->hmac(kind, password, message); };
  switch (kind) {
    case base::hash_kind::md5: return {};
    case base::hash_kind::sha1: return run<sha1_traits>(password, salt, iterations, length, first);
    case base::hash_kind::sha256: return run<sha256_traits>(password, salt, iterations, length, first);
    case base::hash_kind::sha512: return run<sha512_traits>(password, salt, iterations, length, first);
  }
  return {};
}

}  // namespace briefwerk::crypto
