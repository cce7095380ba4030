#include "apps/briefwerkd/privileges.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

namespace briefwerk::apps {
namespace {

std::unexpected<net::explained_error> refuse(const std::string& what) {
  const std::error_code code(errno, std::generic_category());
  return std::unexpected(net::explained_error{code, what + ": " + code.message()});
}

}  // namespace

net::explained<void> drop_privileges(const std::string& user, const std::string& group) {
  if (user.empty()) return {};
  errno = 0;
  const passwd* who = ::getpwnam(user.c_str());
  if (!who) return std::unexpected(net::explained_error{make_error_code(base::errc::not_found), "no such user: " + user});
  gid_t gid = who->pw_gid;
  const uid_t uid = who->pw_uid;
  if (!group.empty()) {
    const struct group* found = ::getgrnam(group.c_str());
    if (!found) return std::unexpected(net::explained_error{make_error_code(base::errc::not_found), "no such group: " + group});
    gid = found->gr_gid;
  }
  if (::geteuid() != uid) {
    if (::initgroups(user.c_str(), gid) != 0) return refuse("cannot take the groups of " + user);
    if (::setresgid(gid, gid, gid) != 0) return refuse("cannot become group of " + user);
    if (::setresuid(uid, uid, uid) != 0) return refuse("cannot become user " + user);
    if (uid != 0 && ::setuid(0) == 0) {
      return std::unexpected(net::explained_error{make_error_code(base::errc::denied), "the rights of root came back"});
    }
  }
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return {};
}

}  // namespace briefwerk::apps
