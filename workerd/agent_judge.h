/*
 * agent_judge.h - what the end of an agent's run was (J-4): its status, and what it said in its events.
 *
 * Success is a result that is no error, and the exit code 0; or a result that is no error, after which it did
 * not end by itself. What kept it from working comes from the types of events; words in text are the last
 * resort, and open the circuit of the provider for a short while only. Pure.
 */
#pragma once

#include <stdbool.h>

#include "workerd/agent_facts.h"

struct report;
struct run_status;

struct agent_end {
        const struct run_status *status;
        const struct agent_facts *facts; /* NULL: it has no events */
        const char *text;                /* the last lines that were no events; without events: of the log */
        const char *patterns;            /* the option agent_transient_patterns */
        const char *command;             /* for the reason */
        bool resumed;                    /* it was to go on with a session */
};

/* Sets what the report says of it. True: as far as the agent goes it is a success. */
bool agent_judge(struct report *r, const struct agent_end *end);
/* It was a success, and had to be ended. */
bool agent_was_late(const struct agent_end *end);
