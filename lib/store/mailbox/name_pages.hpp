#pragma once

// An account's names and subscriptions, merged in their order and read piece by piece.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/mailbox/account_reader.hpp"

namespace briefwerk::store {

mailbox_info info_of(std::string_view name, const name_record& record, bool subscribed);

class name_pages final : public mailbox_names {
 public:
  // `rows`: so many are read at once. errc::no_such_account.
  static base::result<std::unique_ptr<name_pages>> open(std::unique_ptr<view> now, std::string partition,
                                                        const faults& report, std::size_t rows);
  name_pages(const name_pages&) = delete;

  base::task<base::result<std::vector<listed_mailbox>>> next(std::size_t most) override;
  // The next one, without what next() tells of the names below it; nothing at the end.
  base::result<std::optional<mailbox_info>> take();

 private:
  // The rows of one kind, each with a name in its key.
  class row_stream {
   public:
    row_stream(const view& now, char kind, std::size_t rows);
    // To be called before the others: false at the end.
    base::result<bool> fill();
    std::string_view name() const noexcept { return rows_[at_].key.substr(1); }
    std::string_view value() const noexcept { return rows_[at_].value; }
    void pop() noexcept { ++at_; }

   private:
    const view& now_;
    key_range rest_;
    const std::size_t most_;
    page rows_;
    std::size_t at_ = 0;
    bool more_ = true;
  };

  name_pages(std::unique_ptr<view> now, std::string partition, const faults& report, std::size_t rows);
  base::result<name_record> decoded(std::string_view name, std::string_view value) const;
  base::result<std::optional<mailbox_info>> take_inbox();
  base::result<std::optional<mailbox_info>> take_in_order();
  // Of the name taken last.
  base::result<bool> has_children(const std::string& name);
  base::result<bool> has_subscribed_below(const std::string& name);

  const std::unique_ptr<view> now_;
  const std::string partition_;
  const account_reader read_;
  row_stream names_, subscribed_;
  bool begun_ = false;
};

}  // namespace briefwerk::store
