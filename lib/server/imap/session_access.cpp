// ACL (RFC 4314): whose mailbox a name means, what the user may do with it, and the commands that read and change that.

#include <unordered_map>

#include "briefwerk/protocol/sasl/prepare.hpp"
#include "briefwerk/store/directory.hpp"
#include "session.hpp"
#include "shared_names.hpp"
#include "slices.hpp"

namespace briefwerk::server::imap {

namespace codes = wire::codes;
namespace rights = mail::rights;
using wire::condition;

namespace {

constexpr std::string_view anyone = "anyone";

// Names read between two looks at the clock.
constexpr std::size_t names_in_a_row = 256;

}  // namespace

// The account of a login as LIST shows it: no other form of it, and not the user's own.
base::task<base::result<store::account_id>> session::other_account(std::string login) {
  if (!can_share(login)) co_return base::fail(store::errc::no_such_account);
  const auto found = co_await options().accounts->find_account(login);
  if (!found) co_return base::fail(found.error());
  if (found->login != login || found->id == account_) co_return base::fail(store::errc::no_such_account);
  co_return found->id;
}

base::task<base::result<session::place>> session::locate(std::string name, mail::right_set needed) {
  const auto shared = is_sharing() ? parse_shared_name(name) : std::nullopt;
  if (!shared) {
    auto own = co_await mail().find(account_, name);
    if (!own) co_return base::fail(own.error());
    co_return place{.account = account_, .info = std::move(*own), .rights = rights::all};
  }
  // §6: whatever is wrong with the name, what may not be looked up is not there.
  const auto nothing = base::fail(store::errc::no_such_mailbox);
  auto owner = co_await other_account(std::string(shared->login));
  if (!owner) co_return nothing;
  auto info = co_await mail().find(*owner, std::string(shared->mailbox));
  if (!info || info->id == 0) co_return nothing;
  const auto entries = co_await mail().access(*owner, info->id);
  if (!entries) co_return base::fail(entries.error());
  const auto granted = store::rights_of(*entries, account_);
  if ((granted & rights::lookup) == 0) co_return nothing;
  if ((granted & needed) != needed) co_return base::fail(base::errc::denied);
  co_return place{.account = std::move(*owner), .info = std::move(*info), .rights = granted};
}

// The same, without names that cannot be selected.
base::task<base::result<session::place>> session::locate_mailbox(std::string name, mail::right_set needed) {
  auto found = co_await locate(std::move(name), needed);
  if (found && found->info.id == 0) co_return base::fail(store::errc::no_such_mailbox);
  co_return found;
}

// Where a mailbox of this name can be made or renamed to: the account and the name in it. Another account's needs the
// right on the nearest parent that is there (§4); without one, nothing is said about what there is.
base::task<base::result<session::new_place>> session::locate_new(std::string name) {
  const auto shared = is_sharing() ? parse_shared_name(name) : std::nullopt;
  if (!shared) co_return new_place{.account = account_, .name = std::move(name)};
  const std::string inside(shared->mailbox);
  auto owner = co_await other_account(std::string(shared->login));
  if (!owner) co_return base::fail(base::errc::denied);
  for (auto cut = inside.rfind('/'); cut != inside.npos && cut != 0; cut = inside.rfind('/', cut - 1)) {
    const auto parent = co_await mail().find(*owner, inside.substr(0, cut));
    if (!parent) continue;
    if (parent->id == 0) break;
    const auto entries = co_await mail().access(*owner, parent->id);
    if (!entries) co_return base::fail(entries.error());
    constexpr mail::right_set needed = rights::lookup | rights::create;
    if ((store::rights_of(*entries, account_) & needed) != needed) break;
    co_return new_place{.account = std::move(*owner), .name = inside};
  }
  co_return base::fail(base::errc::denied);
}

// Those of others that the user may look up, under their names in the namespace.
base::task<base::result<std::vector<session::place>>> session::shared_places() {
  std::vector<place> found;
  if (!is_sharing()) co_return found;
  const auto owners = co_await mail().sharing_with(account_);
  if (!owners) co_return base::fail(owners.error());
  slices turn(*options().clock, where_);
  for (const auto& owner : *owners) {
    const auto account = co_await options().accounts->get_account(owner);
    if (!account || !can_share(account->login)) continue;
    const auto access = co_await mail().access_of_all(owner);
    auto pages = co_await mail().names(owner);
    if (!access || !pages) continue;  // removed in between
    std::unordered_map<store::mailbox_id, mail::right_set> granted;
    for (const auto& one : *access) granted[one.mailbox] = store::rights_of(one.entries, account_);
    for (;;) {
      const auto some = co_await (*pages)->next(names_in_a_row);
      if (!some || some->empty()) break;
      for (const auto& listed : *some) {
        const auto& info = listed.info;
        const auto at = granted.find(info.id);
        if (info.id == 0 || at == granted.end() || (at->second & rights::lookup) == 0) continue;
        place one{.account = owner, .info = info, .rights = at->second};
        one.info.name = make_shared_name(account->login, info.name);
        one.info.use.reset();
        one.info.subscribed = false;
        found.push_back(std::move(one));
      }
      if (turn.is_over()) co_await turn.next();
    }
  }
  co_return found;
}

// What the user may do with the selected mailbox now. False: not even read it, and the machine has been told to end.
base::task<bool> session::renew_rights() {
  if (owner_ == account_) co_return true;
  const auto entries = co_await mail().access(owner_, selected_);
  if (!entries) co_return true;
  const auto now = store::rights_of(*entries, account_);
  if (now == rights_) co_return true;
  constexpr mail::right_set needed = rights::lookup | rights::read;
  if ((now & needed) != needed) {
    machine_.abort("", "The mailbox may not be read any more");  // §5.1.1
    co_return false;
  }
  rights_ = now;
  machine_.output().flags(announced_->keywords);
  write_permanent_flags(announced_->keywords);
  co_return true;
}

// §5.1.1: PERMANENTFLAGS is what this user can change.
void session::write_permanent_flags(std::span<const std::string> keywords) {
  const auto changeable = machine_.is_read_only() ? 0 : mail::changeable_flags(rights_);
  machine_.output().permanent_flags(changeable, keywords);
}

// "anyone", a login, or either behind "-". Nothing: there is nobody of the name, and the command is answered.
base::task<std::optional<session::identified>> session::identify(std::string_view text) {
  identified who;
  who.negative = text.starts_with('-');
  if (who.negative) text.remove_prefix(1);
  const auto prepared = protocol::sasl::saslprep(text);
  if (!prepared) {
    machine_.complete(condition::bad, "", "Not an identifier");  // §3
    co_return std::nullopt;
  }
  if (*prepared == anyone) co_return who;
  const auto found = co_await options().accounts->find_account(*prepared);
  if (!found) {
    machine_.complete(condition::no, codes::cannot, "No such user");
    co_return std::nullopt;
  }
  who.account = found->id;
  co_return who;
}

base::task<void> session::change_rights(std::string name, std::string_view identifier, store::flag_change how,
                                        mail::right_set changed) {
  const auto where = co_await locate_mailbox(std::move(name), rights::administer);
  if (!where) {
    complete(refusal_of(where.error()));
    co_return;
  }
  const auto who = co_await identify(identifier);
  if (!who) co_return;
  if (who->account == where->account) {
    machine_.complete(condition::no, codes::cannot, "Whose mailbox it is has every right");
    co_return;
  }
  store::access_change change{.user = who->account, .negative = who->negative, .how = how, .rights = changed};
  const auto done = co_await mail().change_access(where->account, where->info.id, std::move(change));
  if (!done)
    complete(refusal_of(done.error()));
  else
    co_await finish(condition::ok, "", "Done", true, false);
}

base::task<void> session::run(const wire::set_acl_command& command) {
  auto how = store::flag_change::replace;
  if (command.how == wire::rights_change::add) how = store::flag_change::add;
  if (command.how == wire::rights_change::remove) how = store::flag_change::remove;
  co_await change_rights(std::string(command.mailbox), command.identifier, how, command.rights);
}

base::task<void> session::run(const wire::delete_acl_command& command) {
  co_await change_rights(std::string(command.mailbox), command.identifier, store::flag_change::replace, 0);
}

base::task<void> session::run(const wire::get_acl_command& command) {
  const auto where = co_await locate_mailbox(std::string(command.mailbox), rights::administer);
  if (!where) {
    complete(refusal_of(where.error()));
    co_return;
  }
  const auto entries = co_await mail().access(where->account, where->info.id);
  const auto owner = co_await options().accounts->get_account(where->account);
  if (!entries || !owner) {
    complete(refusal_of(entries ? owner.error() : entries.error()));
    co_return;
  }
  std::vector<wire::acl_entry> rows{{.identifier = owner->login, .rights = rights::all}};
  for (const auto& one : *entries) {
    std::string name = one.negative ? "-" : "";
    if (one.user.empty()) {
      name += anyone;
    } else {
      const auto account = co_await options().accounts->get_account(one.user);
      if (!account) continue;  // gone, and its id never comes back
      name += account->login;
    }
    rows.push_back({.identifier = std::move(name), .rights = one.rights});
  }
  machine_.output().acl(command.mailbox, rows);
  co_await finish(condition::ok, "", "Done", true, false);
}

// Nothing is tied; only whose mailbox it is always has all.
base::task<void> session::run(const wire::list_rights_command& command) {
  const auto where = co_await locate_mailbox(std::string(command.mailbox), rights::administer);
  if (!where) {
    complete(refusal_of(where.error()));
    co_return;
  }
  const auto who = co_await identify(command.identifier);
  if (!who) co_return;
  const bool owner = who->account == where->account && !who->negative;
  machine_.output().list_rights(command.mailbox, command.identifier, owner ? rights::all : mail::right_set{});
  co_await finish(condition::ok, "", "Done", true, false);
}

base::task<void> session::run(const wire::my_rights_command& command) {
  const auto where = co_await locate_mailbox(std::string(command.mailbox), 0);
  if (!where) {
    complete(refusal_of(where.error()));
    co_return;
  }
  machine_.output().my_rights(command.mailbox, where->rights);
  co_await finish(condition::ok, "", "Done", true, false);
}

}  // namespace briefwerk::server::imap
