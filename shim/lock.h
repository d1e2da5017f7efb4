/*
 * lock.h - one agent per job on a host, whatever else has died.
 *
 * The lock file is flock'ed for as long as anything of the agent may live. While it is, the file's content is
 * the run folder; a shim that ends in good order empties it. So a shim that finds content has the lock after
 * one that was killed, and knows whose processes may have been left behind (strays.h).
 */
#pragma once

#include <limits.h>
#include <stdint.h>

struct lock {
        int fd;
        char predecessor[PATH_MAX]; /* run folder of a shim that was killed; "" after one that ended well */
};

/* 0; -EWOULDBLOCK: held by another for all of wait_ms; or -errno. */
int lock_take(struct lock *lock, const char *path, int64_t wait_ms);
/* Names the run folder in the file: what this shim would leave behind if it were killed. */
int lock_mark(struct lock *lock, const char *run_dir);
/* Nothing is left. The lock itself goes with the process. */
void lock_clear(struct lock *lock);
