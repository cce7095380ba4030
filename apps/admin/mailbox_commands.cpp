#include "apps/admin/commands.hpp"
#include "briefwerk/base/encoding.hpp"
#include "briefwerk/mail/flags.hpp"
#include "briefwerk/mail/rights.hpp"
#include "briefwerk/mail/special_use.hpp"
#include "briefwerk/mail/summary.hpp"

namespace briefwerk::apps::commands {
namespace {

constexpr std::size_t octets_of_an_answer = 8u << 20;

base::task<std::string> account_id_of(const context& with, const json& request) {
  const std::string login = text(request, "account");
  auto found = co_await with.store.directory().find_account(login);
  const store::account account = take(std::move(found), login);
  co_return account.id;
}

std::vector<std::string> flag_names(std::uint64_t flags, const std::vector<std::string>& keywords) {
  std::vector<std::string> names;
  for (unsigned bit = 0; bit < mail::flags::first_keyword_bit; ++bit) {
    const mail::flag_set one = flags & (mail::flag_set{1} << bit);
    if (one & mail::flags::system_mask) names.emplace_back(mail::system_flag_name(one));
  }
  for (std::size_t slot = 0; slot < keywords.size(); ++slot) {
    if (flags & mail::keyword_bit(static_cast<unsigned>(slot))) names.push_back(keywords[slot]);
  }
  return names;
}

store::flag_list to_flags(const json& names) {
  store::flag_list list;
  for (const auto& name : names) {
    const std::string one = name.get<std::string>();
    if (const auto system = mail::system_flag(one)) list.system |= *system & mail::flags::system_mask;
    else if (mail::is_keyword(one)) list.keywords.push_back(one);
  }
  return list;
}

}  // namespace

base::task<json> mailbox_list(const context& with, const json& request) {
  const std::string account = co_await account_id_of(with, request);
  auto got = co_await with.store.mailboxes().list(account);
  const auto all = take(std::move(got), "mailboxes");
  json rows = json::array();
  for (const auto& one : all) {
    json row = {{"name", one.name}, {"subscribed", one.subscribed}, {"selectable", one.selectable}};
    if (one.use) row["use"] = std::string(mail::special_use_name(*one.use));
    if (one.selectable && one.id != 0) {
      auto state = co_await with.store.mailboxes().status(account, one.id);
      const auto counts = take(std::move(state), one.name);
      row["messages"] = counts.messages;
      row["unseen"] = counts.unseen;
      row["octets"] = counts.size;
    }
    rows.push_back(std::move(row));
  }
  co_return json{{"mailboxes", std::move(rows)}};
}

// Who besides the account may do what with a mailbox (RFC 4314), by the identifiers that IMAP has for them.
base::task<json> mailbox_rights(const context& with, const json& request) {
  const std::string account = co_await account_id_of(with, request);
  const std::string name = text(request, "mailbox");
  auto info = co_await with.store.mailboxes().find(account, name);
  const auto mailbox = take(std::move(info), name);
  auto got = co_await with.store.mailboxes().access(account, mailbox.id);
  const auto entries = take(std::move(got), name);
  json rows = json::array();
  for (const auto& one : entries) {
    std::string identifier = "anyone";
    if (!one.user.empty()) {
      const auto user = co_await with.store.directory().get_account(one.user);
      if (!user) continue;  // gone
      identifier = user->login;
    }
    if (one.negative) identifier.insert(0, 1, '-');
    rows.push_back({{"identifier", identifier}, {"rights", mail::rights_text(one.rights)}});
  }
  co_return json{{"rights", std::move(rows)}};
}

// "rights" as SETACL has them: "lr", "+s", "-w", or "" for none.
base::task<json> mailbox_share(const context& with, const json& request) {
  const std::string account = co_await account_id_of(with, request);
  const std::string name = text(request, "mailbox");
  auto info = co_await with.store.mailboxes().find(account, name);
  const auto mailbox = take(std::move(info), name);
  std::string identifier = text(request, "identifier"), letters = text_or(request, "rights", "");
  store::access_change change;
  change.negative = identifier.starts_with('-');
  if (change.negative) identifier.erase(0, 1);
  if (letters.starts_with('+')) change.how = store::flag_change::add;
  if (letters.starts_with('-')) change.how = store::flag_change::remove;
  if (change.how != store::flag_change::replace) letters.erase(0, 1);
  const auto rights = mail::parse_rights(letters);
  if (!rights) throw refusal("rights are letters of lrswipkxtea, c and d: " + letters);
  change.rights = *rights;
  if (identifier != "anyone") {
    auto found = co_await with.store.directory().find_account(identifier);
    change.user = take(std::move(found), identifier).id;
    if (change.user == account) throw refusal("the account has every right at its own mailboxes");
  }
  const auto done = co_await with.store.mailboxes().change_access(account, mailbox.id, std::move(change));
  check(done, name);
  co_return json::object();
}

// Messages behind the uid `after`, as many as fit one answer. A message that cannot be read is named and left out: one
// damaged message must not end an export.
base::task<json> mailbox_export(const context& with, const json& request) {
  const std::string account = co_await account_id_of(with, request);
  const std::string name = text(request, "mailbox");
  auto info = co_await with.store.mailboxes().find(account, name);
  const auto mailbox = take(std::move(info), name);
  auto got = co_await with.store.mailboxes().snapshot(account, mailbox.id);
  const store::snapshot_ptr all = take(std::move(got), name);
  std::size_t index = all->lower_bound(static_cast<std::uint32_t>(number_or(request, "after", 0) + 1));
  json messages = json::array(), damaged = json::array();
  std::size_t octets = 0;
  std::uint32_t last = 0;
  for (; index < all->count() && octets < octets_of_an_answer; ++index) {
    const store::message_entry& entry = all->at(index);
    last = entry.uid;
    const auto message = co_await with.store.mailboxes().read(entry.blob);
    if (!message) {
      damaged.push_back({{"uid", entry.uid}, {"reason", message.error().message()}});
      continue;
    }
    octets += message->view().size();
    messages.push_back({{"uid", entry.uid},
                        {"flags", flag_names(entry.flags, all->keywords)},
                        {"date", entry.internal_date},
                        {"octets", base::base64_encode(message->view())}});
  }
  co_return json{{"messages", std::move(messages)},
                 {"damaged", std::move(damaged)},
                 {"last", last},
                 {"more", index < all->count()},
                 {"total", all->count()}};
}

// All of `messages` or none.
base::task<json> mailbox_import(const context& with, const json& request) {
  const std::string account = co_await account_id_of(with, request);
  const std::string name = text(request, "mailbox");
  const auto existing = co_await with.store.mailboxes().find(account, name);
  if (!existing) {
    auto made = co_await with.store.mailboxes().create(account, name, std::nullopt);
    (void)take(std::move(made), name);
  }
  std::vector<std::string> octets, summaries;
  std::vector<store::local_target> targets;
  for (const auto& message : request.at("messages")) {
    octets.push_back(take(base::base64_decode(message.at("octets").get<std::string>()), "message"));
    summaries.push_back(mail::encode_summary(mail::summarise(octets.back())));
    store::local_target target;
    target.account = account;
    target.mailbox = name;
    target.fall_back_to_inbox = false;
    target.flags = to_flags(message.value("flags", json::array()));
    if (message.contains("date")) target.internal_date = message["date"].get<std::int64_t>();
    targets.push_back(std::move(target));
  }
  std::vector<store::message_source> pieces;
  for (std::size_t i = 0; i < octets.size(); ++i) pieces.push_back({octets[i], summaries[i]});
  auto stored = co_await with.store.mailboxes().append(std::move(pieces), std::move(targets));
  co_return json{{"messages", take(std::move(stored), name).size()}};
}

}  // namespace briefwerk::apps::commands
