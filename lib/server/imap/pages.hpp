#pragma once

// Walks through messages page by page: quicker than to look for each one's page.

#include <cstddef>
#include <cstdint>

#include "briefwerk/store/mailbox_store.hpp"

namespace briefwerk::server::imap {

// Index of the page that holds a message.
inline std::size_t page_of(const store::mailbox_snapshot& mailbox, std::size_t index) noexcept {
  std::size_t low = 0, high = mailbox.pages().size();
  while (high - low > 1) {
    const std::size_t middle = (low + high) / 2;
    (mailbox.page_start(middle) <= index ? low : high) = middle;
  }
  return low;
}

// The entries of a page from a message on.
struct page_rest {
  page_rest(const store::mailbox_snapshot& mailbox, std::uint32_t index) noexcept {
    const std::size_t number = page_of(mailbox, index);
    const auto& entries = *mailbox.pages()[number];
    const auto start = mailbox.page_start(number);
    first = entries.data() + (index - start);
    end = static_cast<std::uint32_t>(start + entries.size());
  }
  const store::message_entry* first = nullptr;  // of the index asked for
  std::uint32_t end = 0;                        // the index behind the last one
};

// Messages by index, most often one of the same page as the last.
class page_walk {
 public:
  explicit page_walk(const store::mailbox_snapshot& mailbox) noexcept : mailbox_(mailbox) {}
  const store::message_entry& at(std::uint32_t index) noexcept {
    if (index < start_ || index >= end_) {
      const std::size_t number = page_of(mailbox_, index);
      entries_ = mailbox_.pages()[number]->data();
      start_ = static_cast<std::uint32_t>(mailbox_.page_start(number));
      end_ = start_ + static_cast<std::uint32_t>(mailbox_.pages()[number]->size());
    }
    return entries_[index - start_];
  }

 private:
  const store::mailbox_snapshot& mailbox_;
  const store::message_entry* entries_ = nullptr;  // of the last page
  std::uint32_t start_ = 0, end_ = 0;              // its first index, and the one behind it
};

}  // namespace briefwerk::server::imap
