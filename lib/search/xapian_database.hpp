#pragma once

// What the parts on Xapian share: keys of what a database holds beside documents, and its exceptions as errors.

#include <xapian.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "briefwerk/base/result.hpp"
#include "briefwerk/search/index.hpp"
#include "search/mailbox_record.hpp"
#include "search/terms.hpp"

namespace briefwerk::search {

namespace keys {
inline const std::string version = "version";
inline const std::string next_block = "blocks";  // the first block of document numbers that is free
inline const std::string mailbox = "m";          // + id: mailbox_record
inline const std::string removed = "removed";    // documents that went since the words were written anew
// + field + number: words of that field, each behind a line end, and one at the end. Part 0, 1, … until one is empty.
inline const std::string words = "w";
}  // namespace keys

inline std::string mailbox_key(store::mailbox_id id) { return keys::mailbox + std::to_string(id); }
inline std::string words_key(term_field field, std::uint32_t part) {
  return keys::words + static_cast<char>(field) + std::to_string(part);
}

// What `f` answers, a result; exceptions of Xapian become errors: corrupt, or unavailable where trying again may help.
template <class F>
auto guarded(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (const Xapian::DatabaseModifiedError&) {
    return base::fail(base::errc::unavailable);
  } catch (const Xapian::DatabaseLockError&) {
    return base::fail(base::errc::unavailable);
  } catch (const Xapian::Error&) {
    return base::fail(base::errc::corrupt);
  }
}

// Nothing: not indexed. Errors: corrupt.
base::result<std::optional<mailbox_record>> read_record(const Xapian::Database& from, store::mailbox_id mailbox);
base::result<std::vector<indexed_mailbox>> read_state(const Xapian::Database& from);

// Of one mailbox. What it throws is Xapian's.
std::vector<probe_answer> look_up(const Xapian::Database& where, const mailbox_record& mailbox, const std::vector<probe>& probes);
mail::uid_set indexed_uids(const Xapian::Database& where, const mailbox_record& mailbox);

// Keeps the database to itself. `release` is called at its end.
base::result<std::unique_ptr<index_writer>> make_writer(const std::string& folder, std::move_only_function<void()> release);

}  // namespace briefwerk::search
