#include "apps/store/privileges.hpp"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

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

class descriptor {
 public:
  explicit descriptor(int fd) noexcept : fd_(fd) {}
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const noexcept { return fd_; }
  void reset(int fd) noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

// No link is followed, at no level.
void open_folder(const std::filesystem::path& path, descriptor& folder) {
  folder.reset(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const auto& level : path.relative_path()) {
    if (folder.get() < 0) return;
    folder.reset(::openat(folder.get(), level.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
}

}  // namespace

net::explained<void> make_file_for(const std::string& path, const std::string& user, const std::string& group) {
  if (user.empty() || ::geteuid() != 0) return {};
  const auto who = find(user, group);
  if (!who) return std::unexpected(who.error());
  const auto whole = std::filesystem::absolute(path).lexically_normal();
  descriptor folder(-1);
  open_folder(whole.parent_path(), folder);
  struct stat state {};
  if (folder.get() < 0 || ::fstat(folder.get(), &state) != 0) return {};
  if (state.st_uid != 0 || (state.st_mode & (S_IWGRP | S_IWOTH)) != 0) return {};
  const descriptor file(::openat(folder.get(), whole.filename().c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0640));
  if (file.get() < 0 || ::fstat(file.get(), &state) != 0 || !S_ISREG(state.st_mode) || state.st_nlink != 1) return {};
  if (::fchown(file.get(), who->user, who->group) != 0) return refuse("cannot give " + path + " to " + user);
  return {};
}

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
