#include "store/mailbox/account_reader.hpp"

namespace briefwerk::store {

base::result<quota_usage> account_reader::usage() const {
  auto found = record(keys::usage, decode_usage);
  if (!found) return base::fail(found.error());
  return found->value_or(quota_usage{});
}

base::result<std::optional<change_record>> account_reader::change(mailbox_id id, std::uint64_t number) const {
  const auto slot = static_cast<std::uint16_t>(number % change_record::ring_size);
  auto found = record(keys::of_mailbox(keys::change, id, slot), decode_change);
  if (found && *found && (*found)->number != number) return std::optional<change_record>();
  return found;
}

base::result<bool> account_reader::holds(std::string_view key) const {
  auto value = now_.get(key);
  if (!value) return base::fail(value.error());
  return value->has_value();
}

base::result<bool> account_reader::has_children(std::string_view name) const {
  auto below = now_.scan(key_range::prefix(keys::of_name(keys::name, std::string(name) + '/')), {.rows = 1});
  if (!below) return base::fail(below.error());
  return !below->empty();
}

base::status account_reader::pages(mailbox_id id, page_interval wanted, const page_function& f) const {
  const auto one = [&](std::string_view key, std::string_view value) -> base::status {
    std::uint32_t number = 0;
    std::string_view rest = key.substr(1 + sizeof id);
    if (!take_key_number(rest, number) || !rest.empty()) return corrupt(key);
    auto entries = decode_page(value, number);
    if (!entries) return corrupt(key);
    return f(number, std::move(*entries));
  };
  if (wanted.first == wanted.last) {
    const std::string key = keys::of_mailbox(keys::page, id, wanted.first);
    auto value = now_.get(key);
    if (!value) return base::fail(value.error());
    return *value ? one(key, (*value)->view()) : base::status();
  }
  // Pieces that stay in the processor's cache between being read and decoded.
  return rows(keys::range(keys::page, id, wanted.first, wanted.last), one, {.rows = 1000, .octets = 256u << 10});
}

base::result<mailbox_snapshot::page> account_reader::tail(mailbox_id id, std::uint32_t first) const {
  mailbox_snapshot::page entries;
  const std::uint32_t last = page_of(first) * uids_per_page + (uids_per_page - 1);
  const auto read = rows(keys::range(keys::tail, id, first, last),
                         [&](std::string_view key, std::string_view value) -> base::status {
                           std::uint32_t uid = 0;
                           std::string_view rest = key.substr(1 + sizeof id);
                           if (!take_key_number(rest, uid) || !rest.empty()) return corrupt(key);
                           auto entry = decode_entry(value, uid);
                           if (!entry) return corrupt(key);
                           entries.push_back(*entry);
                           return {};
                         });
  if (!read) return base::fail(read.error());
  return entries;
}

base::status account_reader::rows(key_range range, const row_function& f, page_limit limit) const {
  for (;;) {
    auto found = now_.scan(range, limit);
    if (!found) return base::fail(found.error());
    for (std::size_t i = 0; i < found->size(); ++i) {
      const page::row row = (*found)[i];
      if (auto done = f(row.key, row.value); !done) return done;
    }
    if (!found->more()) return {};
    range = range.after(found->back().key);
  }
}

}  // namespace briefwerk::store
