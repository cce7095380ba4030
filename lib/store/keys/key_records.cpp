#include "store/keys/key_records.hpp"

#include "store/mailbox/octet_codec.hpp"

namespace briefwerk::store {
namespace {

constexpr std::uint8_t version = 1;

}  // namespace

std::string_view to_string(signing_key_state state) noexcept {
  switch (state) {
    case signing_key_state::pending:
      return "pending";
    case signing_key_state::active:
      return "active";
    case signing_key_state::retiring:
      return "retiring";
    case signing_key_state::retired:
      return "retired";
  }
  return "retired";
}

std::string encode(const signing_key& value) {
  octet_writer out;
  out.u8(version).u8(static_cast<std::uint8_t>(value.kind)).u8(static_cast<std::uint8_t>(value.state));
  out.i64(value.created).i64(value.changed).i64(value.ends).text(value.public_key).text(value.private_key);
  return out.take();
}

base::result<signing_key> decode_signing_key(std::string_view key, std::string_view value) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  const std::uint8_t kind = in.u8(), state = in.u8();
  signing_key record;
  record.kind = static_cast<base::key_kind>(kind);
  record.state = static_cast<signing_key_state>(state);
  record.created = in.i64();
  record.changed = in.i64();
  record.ends = in.i64();
  record.public_key = in.text();
  record.private_key = in.text();
  const auto nul = key.find('\0');
  const bool good = known && in.complete() && kind <= static_cast<std::uint8_t>(base::key_kind::ed25519) &&
                    state <= static_cast<std::uint8_t>(signing_key_state::retired) &&
                    key.starts_with(signing_keys::key) && nul != std::string_view::npos;
  if (!good) return base::fail(base::errc::corrupt);
  record.domain = key.substr(1, nul - 1);
  record.selector = key.substr(nul + 1);
  return record;
}

}  // namespace briefwerk::store
