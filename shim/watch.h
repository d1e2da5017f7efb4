/*
 * watch.h - one run: start the agent, watch it to its end, leave log and status.
 *
 * Owns everything between the lock and the exit code. One thread, one poll loop over five things: signals
 * (signalfd), the agent's output, the peer of the control socket, those who would be it, and the cascade's
 * clocks.
 */
#pragma once

#include "shim/args.h"

struct control;
struct lock;

/* Until nothing of the agent is left. 0: the status was written; -ESTALE: it was not begun, because the claim
 * was confirmed too long ago; or -errno. */
int watch_run(const struct args *args, struct lock *lock, struct control *control);
