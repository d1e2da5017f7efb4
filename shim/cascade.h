/*
 * cascade.h - the one stop cascade (J-3) as a table: what happens when in which state. Pure: no process is
 * touched and no clock is read here.
 *
 * Whatever ends a run, its own exit included, goes the same way: SIGTERM to all that is left, grace, SIGKILL
 * to all that is left, until nothing is left. A new clock or command is a new event; a frozen agent would be
 * a new state.
 */
#pragma once

#include <stdint.h>

enum cascade_state {
        CASCADE_RUNNING, /* the agent works. Leaves when it exits, is to stop, or the wall clock is over */
        CASCADE_TERM,    /* SIGTERM sent; waits for all to go. Leaves when none is left, or grace is over */
        CASCADE_KILL,    /* SIGKILL sent, again and again; leaves when none is left, or patience is over */
        CASCADE_STUCK,   /* something cannot be killed: reported; the lock is kept until it has gone */
        CASCADE_GONE,    /* nothing is left */
        CASCADE_N_STATES
};

enum cascade_event {
        CASCADE_EV_LEADER, /* the agent itself has ended; something of it is left */
        CASCADE_EV_CHILD,  /* something else of it has ended: its children are now ours */
        CASCADE_EV_NONE,   /* nothing is left */
        CASCADE_EV_STOP,   /* it is to stop: `cause` says why */
        CASCADE_EV_TIMER,  /* cascade.deadline_ms has come */
        CASCADE_N_EVENTS
};

enum cascade_action {
        CASCADE_DO_NOTHING,
        CASCADE_DO_TERM,   /* SIGTERM to what has not had it */
        CASCADE_DO_KILL,   /* SIGKILL to all */
        CASCADE_DO_REPORT, /* write the status */
};

/* Why the agent was stopped; the first cause stands. */
enum cascade_cause {
        CASCADE_CAUSE_NONE, /* it ended by itself */
        CASCADE_CAUSE_WALL,
        CASCADE_CAUSE_CANCELLED,
        CASCADE_CAUSE_SHUTDOWN,
        CASCADE_CAUSE_ORPHANED, /* workerd is gone */
        CASCADE_CAUSE_SIGNAL,   /* the shim itself was told to end */
};

struct cascade {
        enum cascade_state state;
        enum cascade_cause cause;
        int64_t deadline_ms; /* when CASCADE_EV_TIMER is due; CASCADE_NEVER: not at all */
        int64_t patience_ms; /* when CASCADE_KILL gives up */
        int64_t grace_ms;
};

#define CASCADE_NEVER       INT64_MAX
#define CASCADE_REPEAT_MS   100   /* between two rounds of SIGKILL: what forks meanwhile is met by the next */
#define CASCADE_PATIENCE_MS 20000 /* of SIGKILL without effect, before the status says so */
#define CASCADE_STUCK_MS    1000  /* between two rounds for what could not be killed */

/* wall_ms 0: no limit. */
void cascade_init(struct cascade *c, int64_t now_ms, int64_t wall_ms, int64_t grace_ms);
/* `cause` counts for CASCADE_EV_STOP only. */
enum cascade_action cascade_on(struct cascade *c, enum cascade_event ev, enum cascade_cause cause,
                               int64_t now_ms);
/* "cancelled", ...; "" for those that are no stop_reason. */
const char *cascade_cause_name(enum cascade_cause cause);
