// Linux calls that Swift's Glibc module hides, since it reads its headers without _GNU_SOURCE. They are declared here by
// hand: with that macro on, glibc's structs would differ from those of the Glibc module.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <spawn.h>

#define CLONE_NEWNET 0x40000000
#define MFD_CLOEXEC 1U
#define F_SETPIPE_SZ 1031

int unshare(int flags);
int setns(int fd, int nstype);
int pipe2(int *ends, int flags);
int memfd_create(const char *name, unsigned int flags);
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *actions, const char *path);
int sched_getaffinity(int pid, size_t size, void *mask);
int sched_setaffinity(int pid, size_t size, const void *mask);
int sched_getcpu(void);
int pthread_attr_setaffinity_np(void *attr, size_t size, const void *mask);

#define M_TRIM_THRESHOLD (-1)
#define M_TOP_PAD (-2)
#define M_MMAP_THRESHOLD (-3)
int mallopt(int parameter, int value);

// Waits until every CPU has left the kernel's code that it was in (membarrier(2), MEMBARRIER_CMD_GLOBAL).
// Where the kernel doesn't have it this does nothing.
#include <sys/syscall.h>
long syscall(long number, ...);
static inline void cordon_wait_for_cpus(void) { syscall(SYS_membarrier, 1, 0, 0); }

// Lets socket(2) fail for netfilter's netlink in this thread, and in all that it starts, as where a kernel doesn't have it: for
// tests. A thread can't be freed of it again.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
static inline long cordon_refuse_netfilter(int error) {
  struct sock_filter steps[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 5),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 16, 0, 3), // AF_NETLINK
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 12, 0, 1), // NETLINK_NETFILTER
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}
