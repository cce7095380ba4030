#include "search/mailbox_record.hpp"

#include <algorithm>
#include <charconv>

namespace briefwerk::search {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

class fields {
 public:
  explicit fields(std::string_view text) noexcept : rest_(text) {}
  bool at_end() const noexcept { return rest_.empty(); }
  bool take(std::uint32_t& number, char behind) noexcept {
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    const auto length = static_cast<std::size_t>(end - rest_.data());
    if (error != std::errc{} || length == rest_.size() || *end != behind) return false;
    rest_.remove_prefix(length + 1);
    return true;
  }
  bool take_hex(std::array<std::uint8_t, 16>& octets) noexcept {
    if (rest_.size() <= 2 * octets.size() || rest_[2 * octets.size()] != '\n') return false;
    for (std::size_t i = 0; i < octets.size(); ++i) {
      const auto high = digits.find(rest_[2 * i]), low = digits.find(rest_[2 * i + 1]);
      if (high == digits.npos || low == digits.npos) return false;
      octets[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    rest_.remove_prefix(2 * octets.size() + 1);
    return true;
  }

 private:
  std::string_view rest_;
};

}  // namespace

std::uint32_t mailbox_record::document_of(std::uint32_t uid) const noexcept {
  const auto found = std::ranges::lower_bound(blocks, uid / block_size, {}, &block::of_uids);
  if (found == blocks.end() || found->of_uids != uid / block_size) return 0;
  return found->of_documents * block_size + uid % block_size + 1;
}

std::string encode(const mailbox_record& record) {
  std::string out;
  for (const auto number : {record.uid_validity, record.below, record.messages, record.last_uid})
    out.append(std::to_string(number)).append(" ");
  for (const auto octet : record.last_email_id) {
    out += digits[octet >> 4];
    out += digits[octet & 15];
  }
  out += '\n';
  for (const auto& one : record.blocks)
    out.append(std::to_string(one.of_uids)).append(" ").append(std::to_string(one.of_documents)).append("\n");
  return out;
}

std::optional<mailbox_record> decode_record(std::string_view text) {
  mailbox_record out;
  fields in(text);
  if (!in.take(out.uid_validity, ' ') || !in.take(out.below, ' ') || !in.take(out.messages, ' ') ||
      !in.take(out.last_uid, ' ') || !in.take_hex(out.last_email_id))
    return std::nullopt;
  while (!in.at_end()) {
    mailbox_record::block one;
    if (!in.take(one.of_uids, ' ') || !in.take(one.of_documents, '\n') || one.of_documents >= most_blocks) return std::nullopt;
    if (!out.blocks.empty() &&
        (one.of_uids <= out.blocks.back().of_uids || one.of_documents <= out.blocks.back().of_documents))
      return std::nullopt;
    out.blocks.push_back(one);
  }
  return out;
}

}  // namespace briefwerk::search
