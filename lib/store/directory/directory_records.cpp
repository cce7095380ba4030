#include "store/directory/directory_records.hpp"

#include "briefwerk/mail/charset.hpp"
#include "store/mailbox/octet_codec.hpp"

namespace briefwerk::store {
namespace {

constexpr std::uint8_t version = 1;

auto corrupt() { return base::fail(base::errc::corrupt); }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

void put_texts(octet_writer& out, const std::vector<std::string>& texts) {
  out.u32(static_cast<std::uint32_t>(texts.size()));
  for (const auto& text : texts) out.text(text);
}

bool get_texts(octet_reader& in, std::vector<std::string>& texts) {
  const std::uint32_t count = in.u32();
  if (!in.ok() || count > in.left() / 4) return false;
  texts.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) texts.emplace_back(in.text());
  return in.ok();
}

}  // namespace

bool local_address::strip(char separator) {
  const std::size_t at = separator == 0 ? std::string::npos : local.find(separator);
  const std::size_t in_text = separator == 0 ? std::string::npos : text.find(separator);
  if (at == std::string::npos || at == 0 || in_text == std::string::npos) return false;
  local.resize(at);
  text.erase(in_text, text.rfind('@') - in_text);
  return true;
}

base::result<std::string> fold_domain(std::string_view name) {
  auto ascii = mail::domain_to_ascii(name);
  if (!ascii || !mail::is_domain(*ascii)) return base::fail(base::errc::malformed);
  return ascii;
}

base::result<local_address> fold_address(const mail::mailbox_address& address) {
  auto domain = mail::domain_to_ascii(address.domain);
  if (!domain || address.local.empty() || !mail::is_valid_utf8(address.local)) return base::fail(base::errc::malformed);
  local_address folded;
  folded.domain = std::move(*domain);
  const std::string small = lower(address.local);
  const bool ascii = mail::is_ascii(small);
  folded.local = ascii ? small : mail::casemap(small);
  folded.text = (ascii ? small : mail::normalise_nfc(small)) + '@' + folded.domain;
  return folded;
}

base::result<local_address> fold_address(std::string_view text) {
  auto address = mail::parse_mailbox(text, mail::utf8::allow);
  if (!address) return base::fail(base::errc::malformed);
  return fold_address(*address);
}

std::string encode(const domain& value) {
  return octet_writer().u8(version).u8(static_cast<std::uint8_t>(value.subaddress_separator)).text(value.catch_all).take();
}

base::result<domain> decode_domain(std::string_view value, std::string_view name) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  domain record;
  record.name = name;
  record.subaddress_separator = static_cast<char>(in.u8());
  record.catch_all = in.text();
  if (!known || !in.complete()) return corrupt();
  return record;
}

std::string encode(const account& value) {
  octet_writer out;
  out.u8(version).u8(value.enabled ? 1 : 0).u64(value.quota_octets).u64(value.quota_messages).text(value.login);
  put_texts(out, value.credentials);
  put_texts(out, value.send_as);
  return out.take();
}

base::result<account> decode_directory_account(std::string_view value, std::string_view id) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  account record;
  record.id = id;
  const std::uint8_t enabled = in.u8();
  record.enabled = enabled == 1;
  record.quota_octets = in.u64();
  record.quota_messages = in.u64();
  record.login = in.text();
  if (!known || enabled > 1 || !get_texts(in, record.credentials) || !get_texts(in, record.send_as)) return corrupt();
  if (!in.complete() || record.login.find('@') == std::string::npos) return corrupt();
  return record;
}

std::string encode(const alias& value) {
  octet_writer out;
  out.u8(version).text(value.address);
  put_texts(out, value.targets);
  return out.take();
}

base::result<alias> decode_alias(std::string_view value) {
  octet_reader in(value);
  const bool known = in.u8() == version;
  alias record;
  record.address = in.text();
  if (!known || !get_texts(in, record.targets) || !in.complete()) return corrupt();
  return record;
}

}  // namespace briefwerk::store
