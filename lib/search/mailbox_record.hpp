#pragma once

// Where the messages of one mailbox stand in an account's database. Document numbers are given out in blocks: message
// `uid` of a mailbox that has block d for the UIDs b × block_size … has the number d × block_size + uid % block_size + 1.
// So what is found is found in the order of UIDs, without a look at documents.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace briefwerk::search {

inline constexpr std::uint32_t block_size = 4096;
inline constexpr std::uint32_t most_blocks = 0xffffffffu / block_size;

struct mailbox_record {
  struct block {
    std::uint32_t of_uids = 0, of_documents = 0;  // both ascending
  };
  std::uint32_t uid_validity = 0;
  std::uint32_t below = 0;
  std::uint32_t messages = 0;
  std::uint32_t last_uid = 0;
  std::array<std::uint8_t, 16> last_email_id{};
  std::vector<block> blocks;

  // 0: no block has it.
  std::uint32_t document_of(std::uint32_t uid) const noexcept;
};

// Text: "validity below messages last-uid last-email-id", then "uids documents" of each block, one a line.
std::string encode(const mailbox_record& record);
std::optional<mailbox_record> decode_record(std::string_view text);

}  // namespace briefwerk::search
