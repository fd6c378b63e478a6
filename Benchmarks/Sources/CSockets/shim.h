// Linux calls that Swift's Glibc module hides, since it reads its headers without _GNU_SOURCE; declared here by hand, because
// with that macro on glibc's structs would differ from those of the Glibc module.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <sys/socket.h>

#define CLONE_NEWNET 0x40000000

// What glibc calls mmsghdr.
struct socket_message {
  struct msghdr header;
  unsigned int sent;
};
int sendmmsg(int fd, struct socket_message *messages, unsigned int count, int flags);
int setns(int fd, int nstype);
int sched_setaffinity(int pid, size_t size, const void *mask);
