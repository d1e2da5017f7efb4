/*
 * cascade.h - the life of a run as a table: what happens when in which state (J-3), and the clocks that make
 * some of it happen. Pure: no process is touched and no clock is read here.
 *
 * Whatever ends a run, its own exit included, goes the same way: SIGTERM to all that is left, grace, SIGKILL
 * to all that is left, until nothing is left. Beside it is the dead man's switch: a run that nobody has
 * renewed for freeze_ms may belong to somebody else by now, so it is frozen; only a renewal that is fresh by
 * itself lets it go on. While it is frozen the clocks of its work stand still.
 */
#pragma once

#include <stdint.h>

enum cascade_state {
        CASCADE_RUNNING, /* the agent works. Leaves when it exits, is to stop, or nobody renews it */
        CASCADE_FROZEN, /* all of it is stopped. Leaves when renewed, to be stopped, or frozen for too long */
        CASCADE_TERM,   /* SIGTERM sent; waits for all to go. Leaves when none is left, or grace is over */
        CASCADE_KILL,   /* SIGKILL sent, again and again; leaves when none is left, or patience is over */
        CASCADE_STUCK,  /* something cannot be killed: reported; the lock is kept until it has gone */
        CASCADE_GONE,   /* nothing is left */
        CASCADE_N_STATES
};

enum cascade_event {
        CASCADE_EV_LEADER,  /* the agent itself has ended; something of it is left */
        CASCADE_EV_CHILD,   /* something else of it has ended: its children are now ours */
        CASCADE_EV_NONE,    /* nothing is left */
        CASCADE_EV_STOP,    /* it is to stop: `cause` says why */
        CASCADE_EV_KILL,    /* it is to be gone at once: `cause` says why */
        CASCADE_EV_SILENT,  /* nobody has renewed it for too long */
        CASCADE_EV_RENEWED, /* somebody has just now */
        CASCADE_EV_TIMER,   /* the state's own time has come: grace is over, or the next round is due */
        CASCADE_N_EVENTS
};

enum cascade_action {
        CASCADE_DO_NOTHING,
        CASCADE_DO_FREEZE,    /* SIGSTOP to all */
        CASCADE_DO_THAW,      /* SIGCONT to all */
        CASCADE_DO_TERM,      /* SIGTERM to what has not had it */
        CASCADE_DO_TERM_THAW, /* the same, and then SIGCONT to all, so that they can act on it */
        CASCADE_DO_KILL,      /* SIGKILL to all */
        CASCADE_DO_REPORT,    /* write the status */
};

/* Why the agent was stopped; the first cause stands. */
enum cascade_cause {
        CASCADE_CAUSE_NONE, /* it ended by itself */
        CASCADE_CAUSE_WALL,
        CASCADE_CAUSE_START,
        CASCADE_CAUSE_IDLE,
        CASCADE_CAUSE_RESULT, /* it has said its result, and does not end */
        CASCADE_CAUSE_CANCELLED,
        CASCADE_CAUSE_SHUTDOWN,
        CASCADE_CAUSE_KILLED,    /* its job belongs to somebody else */
        CASCADE_CAUSE_ABANDONED, /* frozen for too long */
        CASCADE_CAUSE_SIGNAL,    /* the shim itself was told to end */
};

/* Durations; 0 means none, but for the grace. */
struct cascade_limits {
        int64_t wall_ms;         /* of the whole run */
        int64_t start_ms;        /* until the first output */
        int64_t idle_ms;         /* from one output to the next */
        int64_t after_result_ms; /* from the result, said in a line of the output, to the end */
        int64_t grace_ms;        /* between SIGTERM and SIGKILL */
        int64_t freeze_ms;
        int64_t frozen_kill_ms;
};

enum cascade_clock {
        CASCADE_CLOCK_WALL, /* these four are of the agent's work: they stand still while it is frozen */
        CASCADE_CLOCK_START,
        CASCADE_CLOCK_IDLE,
        CASCADE_CLOCK_RESULT,
        CASCADE_CLOCK_SILENT,
        CASCADE_CLOCK_FROZEN,
        CASCADE_CLOCK_STATE, /* CASCADE_EV_TIMER */
        CASCADE_N_CLOCKS
};

struct cascade {
        struct cascade_limits limits;
        enum cascade_state state;
        enum cascade_cause cause;
        int64_t at_ms[CASCADE_N_CLOCKS]; /* when each is over; CASCADE_NEVER: it does not run */
        int64_t renewed_ms;              /* the newest renewal, fresh or not */
        int64_t frozen_ms;               /* when CASCADE_FROZEN was entered */
        int64_t patience_ms;             /* when CASCADE_KILL gives up */
};

#define CASCADE_NEVER       INT64_MAX
#define CASCADE_REPEAT_MS   100   /* between two rounds of SIGKILL: what forks meanwhile is met by the next */
#define CASCADE_PATIENCE_MS 20000 /* of SIGKILL without effect, before the status says so */
#define CASCADE_STUCK_MS    1000  /* between two rounds for what could not be killed */
#define CASCADE_FREEZE_MS   500   /* between two rounds of SIGSTOP: against a SIGCONT that is not ours */

/* `renewed_ms`: when the run was renewed before it began. */
void cascade_init(struct cascade *c, const struct cascade_limits *limits, int64_t now_ms, int64_t renewed_ms);
/* `cause` counts for CASCADE_EV_STOP and CASCADE_EV_KILL. */
enum cascade_action cascade_on(struct cascade *c, enum cascade_event ev, enum cascade_cause cause,
                               int64_t now_ms);
/* When the next clock is over; CASCADE_NEVER: none runs. */
int64_t cascade_deadline(const struct cascade *c);
/* The event of the clock that was over first, if one is. Several may be: call it again. */
enum cascade_action cascade_tick(struct cascade *c, int64_t now_ms);
/* The agent wrote something. */
void cascade_output(struct cascade *c, int64_t now_ms);
/* What it wrote was its result: from now on it only has to end, and may be silent. The newest one counts. */
void cascade_result(struct cascade *c, int64_t now_ms);
/* A renewal that was valid at `sent_ms`. One from the future is no renewal: -EINVAL. One that is older than
 * freeze_ms, or than one before it, changes nothing. Else 0, with the event it was in *ret_action. */
int cascade_renew(struct cascade *c, int64_t sent_ms, int64_t now_ms, enum cascade_action *ret_action);
/* "running", "frozen", "stopping" or "ended". */
const char *cascade_state_name(enum cascade_state state);
/* "cancelled", ...; "" for none. */
const char *cascade_cause_name(enum cascade_cause cause);
