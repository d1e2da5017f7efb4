/*
 * suite.h - the supervisor of this host, seen from outside: whether it runs, whether the suite is ready,
 * stopping it.
 *
 * Only the lock on state_dir/supervisor.pid says that it runs (supervisor/pidfile.h); the pid in the file
 * says who. The process is held by a pidfd, so that a signal never reaches another one that got its pid.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

struct strbuf;

struct suite {
        pid_t pid; /* 0: it does not run */
        int pidfd; /* -1: it does not run */
};

#define SUITE_INIT                                                                                           \
        {                                                                                                    \
                .pid = 0, .pidfd = -1                                                                        \
        }

/* 0, or -errno with the reason in `err` when it cannot be found out. */
int suite_find(const char *state_dir, struct suite *ret_suite, struct errinfo *err);
void suite_deinit(struct suite *s);
/* Waits for its end; false when the deadline (ctl_now_ms()) came first. */
bool suite_wait_end(const struct suite *s, int64_t deadline_ms);
/* 0 or -errno; a process that is gone already is 0. */
int suite_signal(const struct suite *s, int signo);

/* Asks GET /readyz of the status port. Returns whether it answered 200; `why` is then empty, else says in one
 * line what is missing. */
bool suite_is_ready(const char *listen_status, struct strbuf *why);
