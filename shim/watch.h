/*
 * watch.h - one run: start the agent, watch it to its end, leave log and status.
 *
 * Owns everything between the lock and the exit code. One thread, one poll loop over four things: signals
 * (signalfd), the agent's output, the control socket, and the cascade's deadline.
 */
#pragma once

#include "shim/args.h"

struct lock;

/* Until nothing of the agent is left. 0: the status was written; or -errno. */
int watch_run(const struct args *args, struct lock *lock, int control_fd);
