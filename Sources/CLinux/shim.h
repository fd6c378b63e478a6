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

// Waits until every CPU has left the kernel's code that it was in (membarrier(2), MEMBARRIER_CMD_GLOBAL).
// Where the kernel doesn't have it this does nothing.
#include <sys/syscall.h>
long syscall(long number, ...);
static inline void cordon_wait_for_cpus(void) { syscall(SYS_membarrier, 1, 0, 0); }
