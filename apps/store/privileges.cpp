#include "apps/store/privileges.hpp"

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

struct identity {
  uid_t user;
  gid_t group;
};

net::explained<identity> find(const std::string& user, const std::string& group) {
  const passwd* who = ::getpwnam(user.c_str());
  if (!who) return std::unexpected(net::explained_error{make_error_code(base::errc::not_found), "no such user: " + user});
  identity found{who->pw_uid, who->pw_gid};
  if (group.empty()) return found;
  const struct group* which = ::getgrnam(group.c_str());
  if (!which) return std::unexpected(net::explained_error{make_error_code(base::errc::not_found), "no such group: " + group});
  found.group = which->gr_gid;
  return found;
}

}  // namespace

net::explained<void> give_to(const std::string& path, const std::string& user, const std::string& group) {
  if (user.empty() || ::geteuid() != 0) return {};
  const auto who = find(user, group);
  if (!who) return std::unexpected(who.error());
  if (::lchown(path.c_str(), who->user, who->group) != 0) return refuse("cannot give " + path + " to " + user);
  return {};
}

net::explained<void> drop_privileges(const std::string& user, const std::string& group) {
  if (user.empty()) return {};
  const auto who = find(user, group);
  if (!who) return std::unexpected(who.error());
  const auto [uid, gid] = *who;
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
