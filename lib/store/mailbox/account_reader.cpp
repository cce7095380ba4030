#include "store/mailbox/account_reader.hpp"

#include <algorithm>

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

namespace {

// The rows of so many pages' flags are held while the pages are read.
constexpr std::uint32_t pages_at_once = 512;

// The number at the end of a page's or its flags' key.
std::optional<std::uint32_t> page_number_of(std::string_view key) {
  std::uint32_t number = 0;
  std::string_view rest = key.substr(1 + sizeof(mailbox_id));
  if (!take_key_number(rest, number) || !rest.empty()) return std::nullopt;
  return number;
}

}  // namespace

base::status account_reader::page_rows(char kind, mailbox_id id, page_interval wanted,
                                       const page_row_function& f) const {
  const auto one = [&](std::string_view key, std::string_view value) -> base::status {
    const auto number = page_number_of(key);
    return number ? f(*number, key, value) : corrupt(key);
  };
  if (wanted.first == wanted.last) return row(keys::of_mailbox(kind, id, wanted.first), one);
  return rows(keys::range(kind, id, wanted.first, wanted.last), one);
}

base::status account_reader::stored_pages(mailbox_id id, page_interval wanted, const page_function& f,
                                          std::pmr::memory_resource* room) const {
  return page_rows(keys::page, id, wanted,
                   [&](std::uint32_t number, std::string_view key, std::string_view value) -> base::status {
                     auto entries = decode_page(value, number, room);
                     if (!entries) return corrupt(key);
                     return f(number, std::move(*entries));
                   });
}

base::status account_reader::stored_states(mailbox_id id, page_interval wanted, const states_function& f) const {
  return page_rows(keys::states, id, wanted,
                   [&](std::uint32_t number, std::string_view key, std::string_view value) -> base::status {
                     auto states = decode_states(value, number);
                     if (!states) return corrupt(key);
                     return f(number, std::move(*states));
                   });
}

// The flags are held as they are stored: few octets where messages are alike.
base::status account_reader::pages(mailbox_id id, page_interval wanted, const page_function& f,
                                   std::pmr::memory_resource* room) const {
  std::vector<std::pair<std::uint32_t, std::string>> now;
  const auto flags_key = [&](std::uint32_t number) { return keys::of_mailbox(keys::states, id, number); };
  for (std::uint32_t first = wanted.first; first <= wanted.last; first += pages_at_once) {
    const page_interval piece{first, std::min(wanted.last, first + pages_at_once - 1)};
    now.clear();
    auto read = page_rows(keys::states, id, piece,
                          [&](std::uint32_t number, std::string_view, std::string_view value) -> base::status {
                            now.emplace_back(number, value);
                            return {};
                          });
    if (!read) return read;
    std::size_t next = 0;
    read = stored_pages(
        id, piece,
        [&](std::uint32_t number, mailbox_snapshot::page entries) -> base::status {
          // Flags without a page, or of other messages than the page's.
          if (next < now.size() && now[next].first < number) return corrupt(flags_key(now[next].first));
          if (next < now.size() && now[next].first == number) {
            const auto states = decode_states(now[next].second, number);
            if (!states || !apply_states(*states, entries)) return corrupt(flags_key(number));
            ++next;
          }
          return f(number, std::move(entries));
        },
        room);
    if (!read) return read;
    if (next < now.size()) return corrupt(flags_key(now[next].first));
  }
  return {};
}

base::status account_reader::states(mailbox_id id, page_interval wanted, const states_function& f) const {
  // Pages from before there were rows of flags.
  const auto without = [&](std::uint32_t first, std::uint32_t last) {
    return stored_pages(
        id, {first, last},
        [&](std::uint32_t number, mailbox_snapshot::page entries) { return f(number, states_of(entries)); },
        std::pmr::get_default_resource());
  };
  std::uint64_t next = wanted.first;
  const auto read = stored_states(id, wanted, [&](std::uint32_t number, page_states states) -> base::status {
    if (next < number) {
      if (auto done = without(static_cast<std::uint32_t>(next), number - 1); !done) return done;
    }
    next = std::uint64_t{number} + 1;
    return f(number, std::move(states));
  });
  if (!read || next > wanted.last) return read;
  return without(static_cast<std::uint32_t>(next), wanted.last);
}

base::result<mailbox_snapshot::page> account_reader::tail(mailbox_id id, std::uint32_t first) const {
  mailbox_snapshot::page entries;
  const std::uint32_t last = page_of(first) * uids_per_page + (uids_per_page - 1);
  const auto read =
      rows(keys::range(keys::tail, id, first, last), [&](std::string_view key, std::string_view value) -> base::status {
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

base::status account_reader::row(std::string_view key, const row_function& f) const {
  auto value = now_.get(key);
  if (!value) return base::fail(value.error());
  return *value ? f(key, (*value)->view()) : base::status();
}

}  // namespace briefwerk::store
