#include "briefwerk/delivery/bounce_directory.hpp"

#include <chrono>

namespace briefwerk::delivery {

base::task<base::result<store::resolution>> bounce_directory::resolve(mail::mailbox_address address) {
  auto found = co_await accounts_.resolve(address);
  if (!found || !mailauth::srs::is_rewritten(address.local)) co_return found;
  // Also where a catch-all would take it: the hash says that it is ours.
  if (found->what == store::resolution::kind::not_local_domain) co_return found;
  auto back = rewriting_.reverse(address, std::chrono::floor<std::chrono::seconds>(time_.now()));
  if (!back) co_return found;
  // The original sender may be one of ours: mail that was forwarded to here and on.
  auto origin = co_await accounts_.resolve(*back);
  if (!origin || origin->what != store::resolution::kind::not_local_domain) co_return origin;
  store::resolution away;
  away.what = store::resolution::kind::local;
  away.remote.push_back(mail::format_mailbox(*back));
  co_return away;
}

}  // namespace briefwerk::delivery
