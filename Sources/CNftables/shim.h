#include <stdlib.h>
#include <nftables/libnftables.h>
