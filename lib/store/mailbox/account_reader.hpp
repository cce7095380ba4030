#pragma once

// Typed reading of an account's partition through one view.

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "briefwerk/store/engine.hpp"
#include "store/mailbox/faults.hpp"
#include "store/mailbox/keys.hpp"
#include "store/mailbox/records.hpp"

namespace briefwerk::store {

class account_reader {
 public:
  account_reader(const view& now, std::string_view partition, const faults& report)
      : now_(now), partition_(partition), report_(report) {}

  // Missing rows: nullopt.
  base::result<std::optional<account_record>> account() const { return record(keys::account, decode_account); }
  base::result<std::optional<name_record>> name(std::string_view text) const {
    return record(keys::of_name(keys::name, text), decode_name);
  }
  base::result<std::optional<head_record>> head(mailbox_id id) const {
    return record(keys::of_mailbox(keys::head, id), decode_head);
  }
  base::result<quota_usage> usage() const;  // all zero where there is none
  base::result<std::optional<change_record>> change(mailbox_id id, std::uint64_t number) const;
  base::result<bool> holds(std::string_view key) const;
  base::result<bool> has_children(std::string_view name) const;

  using page_function = std::function<base::status(std::uint32_t number, mailbox_snapshot::page entries)>;
  // The finished pages of the interval, ascending, with their flags as they are now.
  base::status pages(mailbox_id id, page_interval wanted, const page_function& f,
                     std::pmr::memory_resource* room = std::pmr::get_default_resource()) const;
  // The same, but only what changes of them, which is quicker.
  using states_function = std::function<base::status(std::uint32_t number, page_states states)>;
  base::status states(mailbox_id id, page_interval wanted, const states_function& f) const;
  // The rows of the unfinished page from uid `first` on.
  base::result<mailbox_snapshot::page> tail(mailbox_id id, std::uint32_t first) const;

  // All rows of a range; `f` answers an error to end.
  using row_function = view::row_function;
  base::status rows(const key_range& range, const row_function& f) const { return now_.walk(range, f); }
  // The one row, where it is there.
  base::status row(std::string_view key, const row_function& f) const;

  std::unexpected<std::error_code> corrupt(std::string_view key) const { return report_.corrupt(partition_, key); }
  const view& now() const noexcept { return now_; }
  std::string_view partition() const noexcept { return partition_; }
  const faults& report() const noexcept { return report_; }

 private:
  using page_row_function =
      std::function<base::status(std::uint32_t number, std::string_view key, std::string_view value)>;
  base::status page_rows(char kind, mailbox_id id, page_interval wanted, const page_row_function& f) const;
  base::status stored_pages(mailbox_id id, page_interval wanted, const page_function& f,
                            std::pmr::memory_resource* room) const;
  base::status stored_states(mailbox_id id, page_interval wanted, const states_function& f) const;

  template <class T>
  base::result<std::optional<T>> record(std::string_view key, base::result<T> (*decode)(std::string_view)) const {
    auto value = now_.get(key);
    if (!value) return base::fail(value.error());
    if (!*value) return std::optional<T>();
    auto decoded = decode((*value)->view());
    if (!decoded) return corrupt(key);
    return std::optional<T>(std::move(*decoded));
  }

  const view& now_;
  std::string_view partition_;
  const faults& report_;
};

}  // namespace briefwerk::store
