// RFC 5464: what clients note at mailboxes and for their account.

#include <algorithm>

#include "briefwerk/base/limits/store.hpp"
#include "session.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
using wire::condition;

namespace {

constexpr store::mailbox_id of_server = 0;

// Entry names are ASCII and compare without case (§3.2).
std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// Whether `entry` is `above`, or as far below it as `depth` says (§4.2.2).
bool is_asked_for(std::string_view entry, std::string_view above, wire::metadata_depth depth) noexcept {
  if (!entry.starts_with(above)) return false;
  const auto rest = entry.substr(above.size());
  if (rest.empty()) return true;
  if (rest.front() != '/') return false;
  return depth == wire::metadata_depth::all || rest.find('/', 1) == rest.npos;
}

const store::annotation* find(const std::vector<store::annotation>& all, std::string_view entry) noexcept {
  const auto at = std::ranges::find(all, entry, &store::annotation::entry);
  return at == all.end() ? nullptr : &*at;
}

// What is noted under the names asked for. Without DEPTH, a name under which nothing is noted is NIL.
std::vector<wire::metadata_value> choose(const std::vector<store::annotation>& all,
                                         const wire::get_metadata_command& wanted) {
  std::vector<wire::metadata_value> out;
  std::vector<std::string> names;
  for (const auto entry : wanted.entries) names.push_back(lower(entry));
  if (wanted.depth == wire::metadata_depth::entry) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      wire::metadata_value one{.entry = wanted.entries[i], .value = {}};
      if (const auto* noted = find(all, names[i])) one.value = noted->value;
      out.push_back(one);
    }
    return out;
  }
  for (const auto& noted : all) {
    const auto asked = [&](const std::string& name) { return is_asked_for(noted.entry, name, wanted.depth); };
    if (std::ranges::any_of(names, asked)) out.push_back({.entry = noted.entry, .value = noted.value});
  }
  return out;
}

}  // namespace

bool session::may_note(mail::right_set granted) noexcept {
  namespace r = mail::rights;
  return (granted & (r::read | r::seen | r::write | r::insert | r::post)) != 0;
}

base::task<base::result<std::uint64_t>> session::write_metadata(std::string name, store::account_id account,
                                                                store::mailbox_id mailbox,
                                                                wire::get_metadata_command wanted) {
  auto all = co_await mail().annotations(std::move(account), mailbox, account_);
  if (!all) co_return base::fail(all.error());
  if (mailbox == of_server && !options().administrator.empty())
    all->push_back({"/shared/admin", options().administrator});
  auto chosen = choose(*all, wanted);
  std::uint64_t longest = 0;
  if (wanted.max_size) {
    std::erase_if(chosen, [&](const wire::metadata_value& one) {
      if (!one.value || one.value->size() <= *wanted.max_size) return false;
      longest = std::max<std::uint64_t>(longest, one.value->size());
      return true;
    });
  }
  machine_.output().metadata(name, chosen);
  co_return longest;
}

// The mailbox that a command names, the server's own place for "".
base::task<base::result<session::place>> session::noted_mailbox(std::string name) {
  if (name.empty()) co_return place{.account = account_, .info = {.id = of_server}, .rights = mail::rights::all};
  auto where = co_await locate_mailbox(std::move(name), 0);
  if (where && !may_note(where->rights)) co_return base::fail(base::errc::denied);
  co_return where;
}

base::task<void> session::run(const wire::get_metadata_command& command) {
  std::string name(command.mailbox);
  const auto mailbox = co_await noted_mailbox(name);
  if (!mailbox) {
    complete(refusal_of(mailbox.error()));
    co_return;
  }
  const auto left_out = co_await write_metadata(std::move(name), mailbox->account, mailbox->info.id, command);
  if (!left_out) {
    complete(refusal_of(left_out.error()));
    co_return;
  }
  const std::string code = *left_out == 0 ? std::string() : codes::metadata_long_entries(*left_out);
  co_await finish(condition::ok, code, "Done", true, false);
}

// What is shared by all users of the server is the administrator's alone (§3.3).
base::task<void> session::run(const wire::set_metadata_command& command) {
  const auto mailbox = co_await noted_mailbox(std::string(command.mailbox));
  if (!mailbox) {
    complete(refusal_of(mailbox.error()));
    co_return;
  }
  std::vector<store::annotation_change> changes;
  for (const auto& one : command.values) {
    store::annotation_change change{.entry = lower(one.entry), .value = {}};
    if (one.value) change.value.emplace(*one.value);
    if (mailbox->info.id == of_server && change.entry.starts_with("/shared/")) {
      machine_.complete(condition::no, codes::no_perm, "Only the administrator changes what the server shares");
      co_return;
    }
    changes.push_back(std::move(change));
  }
  const auto done = co_await mail().annotate(mailbox->account, mailbox->info.id, account_, std::move(changes));
  if (!done && done.error() == store::errc::annotation_too_big) {
    const auto code = codes::metadata_max_size(base::limits::store_annotation_value);
    machine_.complete(condition::no, code, "Value too big");
  } else if (!done) {
    complete(refusal_of(done.error()));
  } else {
    co_await did_note(*mailbox);
    co_await finish(condition::ok, "", "Done", true, false);
  }
}

}  // namespace briefwerk::server::imap
