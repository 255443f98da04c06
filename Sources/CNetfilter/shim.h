/* What Swift sees of netlink, libmnl, libnftnl and the kernel's nf_tables. */
#ifndef CNETFILTER_SHIM_H
#define CNETFILTER_SHIM_H

/* Before the kernel's headers, which then leave out what both define. */
#include <netinet/in.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/object.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/filter.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#endif
