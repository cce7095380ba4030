#include "delivery/forward_sender.hpp"

#include "briefwerk/mail/address.hpp"

namespace briefwerk::delivery {

base::task<std::string> forward_sender(const forwarding& how, store::directory& accounts, std::string sender,
                                       std::string via, std::chrono::sys_seconds now) {
  if (how.rewriting == nullptr || sender.empty()) co_return sender;
  const auto address = mail::parse_mailbox(sender, mail::utf8::allow);
  if (!address) co_return sender;
  const auto local = co_await accounts.is_local_domain(address->domain);
  if (local && *local) co_return sender;
  std::string domain = how.domain;
  if (domain.empty()) {
    const auto at = via.rfind('@');
    domain = mail::domain_to_ascii(via.substr(at == std::string::npos ? via.size() : at + 1)).value_or(std::string());
  }
  if (domain.empty()) co_return sender;
  const auto rewritten = how.rewriting->forward(*address, domain, now);
  co_return rewritten ? mail::format_mailbox(*rewritten) : sender;
}

}  // namespace briefwerk::delivery
