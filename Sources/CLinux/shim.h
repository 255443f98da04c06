/* Descriptors of Linux that a poll loop waits on and that Swift's Glibc module lacks. */
#ifndef CLINUX_SHIM_H
#define CLINUX_SHIM_H

#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#endif
