#pragma once

// What SEARCH looks at in fields that envelopes have, of many messages: their texts stand behind each other, prepared for
// i;unicode-casemap (RFC 5051 §2), so that a text is looked for in all of them at once. What is kept of a message never
// changes, so nothing here becomes wrong; who searches asks for the messages that are there. Pure: no store, no session, no
// lock.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/mail/envelope_text.hpp"
#include "verdict.hpp"

namespace briefwerk::server::imap {

// One field of messages that come behind each other. Immutable once it stands in a column: who looks takes no lock.
class text_block {
 public:
  // What is longer is not kept: who looks for something has to look at that message itself.
  static constexpr std::size_t longest = 4096;

  // A message behind all others.
  void add(std::uint32_t uid, std::string_view prepared);
  void fit();  // gives back memory that nothing is in
  // All of both; each message once.
  static text_block merged(const text_block& a, const text_block& b);

  std::span<const std::uint32_t> uids() const noexcept { return uids_; }          // ascending
  std::span<const std::uint32_t> too_long() const noexcept { return too_long_; }  // of them, ascending
  std::size_t octets() const noexcept;                                            // of memory, by estimate

  // Of those of `wanted` (UIDs, ascending) that are here: yes where the text holds `needle`, which must not be empty;
  // unknown where it is too long; else no. `out` has a place for each of `wanted`; that of others is left as it is.
  void judge(std::string_view needle, std::span<const std::uint32_t> wanted, std::span<verdict> out) const;

 private:
  // Behind each text. No UTF-8 has it, so nothing is found across two texts.
  static constexpr char mark = '\xff';
  std::string_view text(std::size_t place) const noexcept;
  // The first place from `place` on whose text holds `needle`; the number of places where there is none.
  std::size_t find(std::string_view needle, std::size_t place) const noexcept;

  std::vector<std::uint32_t> uids_, too_long_;
  std::vector<std::uint32_t> ends_;  // of each text in texts_, behind its mark
  std::string texts_;
};

// One field of a mailbox's messages, in blocks by ranges of UIDs. Cheap to copy.
class text_column {
 public:
  static constexpr std::uint32_t block_uids = 1024;
  using block_ptr = std::shared_ptr<const text_block>;

  std::size_t count() const noexcept { return blocks_.size(); }  // of blocks, ascending
  const text_block& at(std::size_t i) const noexcept { return *blocks_[i].second; }
  std::size_t messages() const noexcept { return messages_; }
  std::size_t octets() const noexcept { return octets_; }

  // Those of `wanted` (ascending) that no block knows, by place; appended to `out`.
  void find_missing(std::span<const std::uint32_t> wanted, std::vector<std::uint32_t>& out) const;
  // All messages of the block are of the range of UIDs from number * block_uids on.
  void put(std::uint32_t number, text_block block);

 private:
  std::vector<std::pair<std::uint32_t, block_ptr>> blocks_;  // ascending
  std::size_t messages_ = 0, octets_ = 0;
};

// The columns of one mailbox.
class searched_texts {
 public:
  static constexpr std::size_t fields = 10;
  static constexpr std::size_t place_of(mail::envelope_field field) noexcept { return static_cast<std::size_t>(field); }

  text_column& of(mail::envelope_field field) noexcept { return columns_[place_of(field)]; }
  std::size_t octets() const noexcept;
  std::size_t most_messages() const noexcept;  // of a column

 private:
  std::array<text_column, fields> columns_;
};

// Appends the text of a field as a block keeps it; nothing where the message has none.
void append_searched_text(std::string& out, std::string_view envelope, mail::envelope_field field);

}  // namespace briefwerk::server::imap
