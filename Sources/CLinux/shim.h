/* What Swift's Glibc module lacks: descriptors of Linux that a poll loop waits on, pipes that no child inherits, parts of spawn.h, routes, and
   mallopt(3). */
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <malloc.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

/* glibc (2.9, 2.26, 2.29, 2.34) shows these only under _GNU_SOURCE, without which Swift's Glibc module is built. */
int pipe2(int descriptors[2], int flags);
enum { CLINUX_POSIX_SPAWN_SETSID = 0x80 };
int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);

#endif
