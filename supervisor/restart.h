/*
 * restart.h - when a daemon that has ended is started again. Pure: no clock, no random numbers, no processes.
 *
 * A child that had been ready for RESTART_SETTLED_MS starts again at once. One that had not waits 1, 2, 4 ..
 * 60 seconds, a little more or less so that the processes of a service do not come back in step. One that has
 * died RESTART_DEATHS times within RESTART_WINDOW_MS, or says that its configuration is wrong, is throttled:
 * a crash loop helps nobody, and the pause is long enough to be noticed. Nothing here ever gives up.
 *
 * The tally is kept per child, not per service: killing every process of a large service once is no crash
 * loop.
 */
#pragma once

#include <stdint.h>

#define RESTART_SETTLED_MS     10000
#define RESTART_FIRST_MS       1000
#define RESTART_LONGEST_MS     60000
#define RESTART_SCARCE_MS      4000 /* longest wait when the host lacked a resource: it may be back any moment */
#define RESTART_DEATHS         5
#define RESTART_WINDOW_MS      60000
#define RESTART_THROTTLE_MS    60000
#define RESTART_JITTER_PERCENT 10

enum restart_cause {
        RESTART_DIED,   /* the process ended, or could not be executed */
        RESTART_CONFIG, /* it ended with EXIT_CONFIG: only a change of a file will help */
        RESTART_SCARCE, /* the host lacked what a process needs; says nothing about the daemon */
};

const char *restart_cause_text(enum restart_cause cause);
/* What the host lacks today it may have tomorrow; everything else is a death. `r` is -errno. */
enum restart_cause restart_cause_of_failed_start(int r);

enum restart_kind { RESTART_NOW, RESTART_BACKOFF, RESTART_THROTTLED };

/* What is remembered about one child. All zero is a child that never died. */
struct restart {
        int64_t died_ms[RESTART_DEATHS]; /* ring of the last deaths; valid below `deaths` */
        uint64_t deaths;
        unsigned unsettled; /* deaths in a row before the child had settled */
        unsigned scarce;    /* starts in a row that failed for lack of a resource */
};

struct restart_verdict {
        enum restart_kind kind;
        int64_t delay_ms;
};

/* `ready_ms`: for how long the child had been ready, 0 when never. `random` is in [0,1). */
struct restart_verdict restart_decide(struct restart *r, enum restart_cause cause, int64_t ready_ms,
                                      int64_t now_ms, double random);
