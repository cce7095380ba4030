#include "apps/scand/confinement.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <vector>

namespace briefwerk::scand {
namespace {

bool bound(__rlimit_resource_t what, std::uint64_t most) {
  const rlimit both{most, most};
  return ::setrlimit(what, &both) == 0;
}

std::uint64_t address_space() {
  std::uint64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Every right that the first version of Landlock knows: on the folder, and nowhere else.
bool keep_to_folder(const std::string& folder) {
  landlock_ruleset_attr handled{};
  handled.handled_access_fs = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
  const long rules = ::syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
  if (rules < 0) return errno == ENOSYS || errno == EOPNOTSUPP;
  landlock_path_beneath_attr below{};
  below.allowed_access = handled.handled_access_fs;
  below.parent_fd = ::open(folder.c_str(), O_PATH | O_CLOEXEC);
  const bool done = below.parent_fd >= 0 &&
                    ::syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) == 0 &&
                    ::syscall(SYS_landlock_restrict_self, rules, 0) == 0;
  if (below.parent_fd >= 0) ::close(below.parent_fd);
  ::close(static_cast<int>(rules));
  return done;
}

#if defined(__x86_64__)
constexpr std::uint32_t this_machine = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t this_machine = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr std::uint32_t this_machine = AUDIT_ARCH_RISCV64;
#else
#error "the system calls of this machine are not known here"
#endif

constexpr long denied[] = {
    // programs and processes
    SYS_execve,
    SYS_execveat,
    SYS_clone,
    SYS_clone3,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_tkill,
    SYS_tgkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_open,
    SYS_pidfd_getfd,
    SYS_pidfd_send_signal,
    SYS_process_madvise,
    SYS_kcmp,
    SYS_prlimit64,
    SYS_setpriority,
    SYS_sched_setscheduler,
    // sockets: it has the one that it accepts connections of
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    // the machine
    SYS_unshare,
    SYS_setns,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_pivot_root,
    SYS_chroot,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_acct,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_io_uring_setup,
    SYS_keyctl,
    SYS_add_key,
    SYS_request_key,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_mknodat,
    SYS_personality,
    SYS_setuid,
    SYS_setgid,
    SYS_setresuid,
    SYS_setresgid,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
    SYS_mknod,
    SYS_iopl,
    SYS_ioperm,
#endif
};

sock_filter load(std::size_t offset) { return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)); }
sock_filter answer(std::uint32_t what) { return BPF_STMT(BPF_RET | BPF_K, what); }

bool deny_system_calls() {
  constexpr std::uint32_t no = SECCOMP_RET_ERRNO | EPERM;
  std::vector<sock_filter> program;
  program.push_back(load(offsetof(seccomp_data, arch)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, this_machine, 1, 0));
  program.push_back(answer(SECCOMP_RET_KILL_PROCESS));
  program.push_back(load(offsetof(seccomp_data, nr)));
  // Calls of x32 have numbers of their own.
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
  program.push_back(answer(no));
  for (const long each : denied) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(each), 0, 1));
    program.push_back(answer(no));
  }
  program.push_back(answer(SECCOMP_RET_ALLOW));
  const sock_fprog all{static_cast<unsigned short>(program.size()), program.data()};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0;
}

}  // namespace

bool confine(const confinement& how) {
  return bound(RLIMIT_CORE, 0) && bound(RLIMIT_NOFILE, 256) && bound(RLIMIT_FSIZE, how.file) &&
         bound(RLIMIT_AS, address_space() + how.memory) && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_DUMPABLE, 0) == 0 && keep_to_folder(how.folder) && deny_system_calls();
}

}  // namespace briefwerk::scand
