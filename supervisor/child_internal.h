/*
 * child_internal.h - what child.c and child_handover.c share. Not for others.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/proc.h"
#include "supervisor/child.h"
#include "supervisor/restart.h"

struct child {
        const struct child_shared *shared;
        char *name;
        struct launch_what what;
        unsigned generation;
        enum child_state state;
        bool told_to_stop;
        bool replaced; /* told so because another generation serves */
        bool started_before;
        bool throttled;     /* the present wait is a throttle */
        bool reload_wanted; /* asked for while it was starting */
        uint32_t busy;

        struct proc *proc;       /* NULL: no process */
        struct channel *channel; /* NULL: no process */
        int metrics_slot;
        int64_t ready_since_ms; /* -1: not ready yet */

        struct loop_timer *timer;
        int64_t timer_due_ms; /* -1: not armed */
        struct loop_timer *silence;
        int64_t silence_due_ms;
        struct restart restart;
        /* The end at hand, or the last one: */
        enum restart_cause cause;
        int64_t was_ready_ms;
        struct errinfo end; /* how the process ended, or why there is none */
};

#define TO(state) (1U << (state))
/* States in which a process that says nothing has hung. Once it was told to go now, its time is short anyway.
 */
#define CHILD_WATCHED (TO(CHILD_STARTING) | TO(CHILD_READY) | TO(CHILD_DRAINING))

void child_arm(struct child *c, int64_t delay_ms); /* the state's timer */
void child_expect_message(struct child *c);        /* the silence timer */
/* What its process and its channel tell. */
void child_on_end(void *arg, const struct proc_exit *ex);
void child_on_message(void *arg, const struct contract_status *status);
