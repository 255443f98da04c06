/* What tests need of Linux to give a thread a network and privileges of its own. */
#ifndef CNAMESPACES_SHIM_H
#define CNAMESPACES_SHIM_H

#include <linux/capability.h>

/* glibc shows these only under _GNU_SOURCE, or not at all (capset(2)). */
int unshare(int flags);
int capget(cap_user_header_t, cap_user_data_t);
int capset(cap_user_header_t, const cap_user_data_t);

enum { CNAMESPACES_NEWNET = 0x40000000 };

#endif
