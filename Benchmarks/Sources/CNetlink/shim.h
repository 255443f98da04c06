/* What the benchmarks need of Linux to hear, in a network namespace, what becomes of its nftables. */
#ifndef CNETLINK_SHIM_H
#define CNETLINK_SHIM_H

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

/* glibc shows it only under _GNU_SOURCE. */
int setns(int descriptor, int kind);

#endif
