#include "briefwerk/mail/header.hpp"
#include "session.hpp"

namespace briefwerk::server::imap {
namespace {

constexpr std::string_view junk_keyword = "$Junk", not_junk_keyword = "$NotJunk";

bool has_keyword(const wire::flag_list& list, std::string_view name) noexcept {
  for (const auto one : list.keywords)
    if (mail::equals_ignoring_case(one, name)) return true;
  return false;
}

mail::flag_set bit_of(std::string_view name, std::span<const std::string> keywords) noexcept {
  for (std::size_t slot = 0; slot < keywords.size() && slot < mail::flags::keyword_slots; ++slot)
    if (mail::equals_ignoring_case(keywords[slot], name)) return mail::keyword_bit(static_cast<unsigned>(slot));
  return 0;
}

}  // namespace

// Messages that are gone by now say nothing.
void session::report(const store::mailbox_snapshot& in, std::span<const std::uint32_t> uids, bool junk) {
  junk_report what{.account = account_, .messages = {}, .junk = junk};
  for (const std::uint32_t uid : uids)
    if (const auto* const entry = in.find(uid)) what.messages.push_back(entry->blob);
  if (!what.messages.empty()) options().reported(std::move(what));
}

// Only what is new: clients write all flags again when they change one.
void session::report_flags(const wire::store_command& command, std::span<const std::uint32_t> changed,
                           const store::mailbox_snapshot& before) {
  const bool junk = has_keyword(command.flags, junk_keyword);
  if (command.how == wire::store_how::remove || junk == has_keyword(command.flags, not_junk_keyword)) return;
  const mail::flag_set bit = bit_of(junk ? junk_keyword : not_junk_keyword, before.keywords);
  std::vector<std::uint32_t> fresh;
  for (const std::uint32_t uid : changed) {
    const auto* const entry = before.find(uid);
    if (entry != nullptr && (entry->flags & bit) == 0) fresh.push_back(uid);
  }
  report(before, fresh, junk);
}

void session::report_transfer(std::span<const std::uint32_t> uids, mail::special_use from, mail::special_use to) {
  using mail::special_use;
  if ((from == special_use::junk) == (to == special_use::junk)) return;
  if (to == special_use::trash) return;  // junk that is thrown away
  report(*announced_, uids, to == special_use::junk);
}

base::task<void> session::report_append(std::string mailbox, mail::uid_set uids) {
  const auto info = co_await mail().find(account_, std::move(mailbox));
  if (!info || info->use != mail::special_use::junk) co_return;
  const auto now = co_await mail().snapshot(account_, info->id);
  if (!now) co_return;
  std::vector<std::uint32_t> list;
  uids.for_each([&](std::uint32_t uid) { list.push_back(uid); });
  report(**now, list, true);
}

// REPLACE: into Junk as by APPEND; out of it as by MOVE, which speaks of the message that lay there.
base::task<void> session::report_replaced(std::string mailbox, std::uint32_t replaced, mail::uid_set uids) {
  if (selected_use_ != mail::special_use::junk) {
    co_await report_append(std::move(mailbox), std::move(uids));
    co_return;
  }
  const auto target = co_await mail().find(account_, std::move(mailbox));
  const std::uint32_t uid[] = {replaced};
  if (target) report_transfer(uid, selected_use_, target->use.value_or(mail::special_use::none));
}

}  // namespace briefwerk::server::imap
