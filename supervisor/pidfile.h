/*
 * pidfile.h - one supervisor per state folder.
 *
 * state_dir/supervisor.pid is locked with flock() for as long as the supervisor lives; the kernel drops the
 * lock when it dies, however it dies, so there is nothing stale to clean up. The pid in the file is for
 * people and for orchctl; only the lock decides.
 */
#pragma once

struct errinfo;

/* Makes the folder when it is missing (its parent must exist), then the file. The descriptor holds the lock.
 * 0, or -errno with the reason in `err` (-EEXIST: another supervisor lives). */
int pidfile_take(const char *state_dir, int *ret_fd, struct errinfo *err);
/* Empties the file and lets go of the lock. */
void pidfile_release(int fd);
