#include "apps/scand/account.hpp"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

namespace briefwerk::scand {

std::optional<account> find_account(const std::string& user) {
  const passwd* found = ::getpwnam(user.c_str());
  if (!found) return std::nullopt;
  return account{found->pw_uid, found->pw_gid};
}

std::optional<gid_t> find_group(const std::string& group) {
  const struct group* found = ::getgrnam(group.c_str());
  if (!found) return std::nullopt;
  return found->gr_gid;
}

bool become(const account& who) {
  if (::geteuid() == who.user && ::getuid() == who.user) return true;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(who.group, who.group, who.group) == 0 &&
         ::setresuid(who.user, who.user, who.user) == 0 && (who.user == 0 || ::setuid(0) != 0);
}

}  // namespace briefwerk::scand
