/*
 * child.h - one process slot of a service: it is kept running, watched, and stopped when told to.
 *
 * A child owns its process, the status channel to it and its restart tally. What it is asked (start, drain,
 * quick, reload) and what happens to it (messages, silence, death, a timer) are events; child.c has the table
 * of what each event does in each state. The table in short:
 *
 *  state     waits for           leaves to                          timer
 *  stopped   being started       starting                           -
 *  starting  "ready"             ready; waiting when it dies        silence: aborting
 *  ready     nothing             draining, told or by itself        silence: aborting
 *  draining  the process's end   stopped; waiting when not told     drain_timeout + 5 s: quick
 *  quick     the process's end   as draining                        5 s: killed
 *  aborting  the process's end   waiting; stopped when told         5 s: killed
 *  killed    the process's end   as aborting                        10 s: says that it still waits
 *  waiting   its time to start   starting; stopped when told        the policy's delay: starting
 *
 * Silence: no message for CONTRACT_ALIVE_DEAD_MS; it is watched in starting, ready and draining.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/launch.h"

/* A daemon turns quick by itself after drain_timeout; the margin is for one that does not. */
#define CHILD_DRAIN_MARGIN_MS 5000
#define CHILD_QUICK_MS        5000
#define CHILD_ABORT_MS        5000
#define CHILD_KILL_SAY_MS     10000

enum child_state {
        CHILD_STOPPED,
        CHILD_STARTING,
        CHILD_READY,
        CHILD_DRAINING,
        CHILD_QUICK,
        CHILD_ABORTING,
        CHILD_KILLED,
        CHILD_WAITING,
        CHILD_STATES
};

struct child;
struct handover_child;

/* What all children have in common. Borrowed; drain_ms may change at any time. */
struct child_shared {
        struct launch_plan plan;
        int64_t drain_ms;
        double (*random)(void); /* in [0,1) */
        void (*on_change)(
                void *arg); /* some child has changed its state; called inside child_*(), so only take note */
        void *arg;
};

/* `name` ("workerd.1") and `generation` are for the log; the name is copied. `what` is copied, its strings
 * are borrowed. Never NULL. */
struct child *child_new(const struct child_shared *shared, const char *name, const struct launch_what *what,
                        unsigned generation);
/* The same from what child_hand_over() told; a descriptor that is named there is the child's now. */
struct child *child_take_over(const struct child_shared *shared, const char *name,
                              const struct launch_what *what, unsigned generation,
                              const struct handover_child *h);
/* Changes nothing: the child goes on here if the handover comes to nothing. */
void child_hand_over(const struct child *c, struct handover_child *ret);
/* Forgets the process if there is one: it reads EOF on its status channel and leaves by itself. */
void child_free(struct child *c);

void child_start(struct child *c); /* from stopped */
void child_drain(struct child *c); /* end your work, then leave; not to be started again */
/* The same, while a child of another generation serves in its place. */
void child_replace(struct child *c);
void child_quick(struct child *c); /* leave now; not to be started again */
void child_reload(
        struct child *c); /* re-read the configuration; one that is starting is told when it is ready */

const char *child_name(const struct child *c);
const char *child_end(const struct child *c); /* how its last process ended, or why there was none; "" */
enum child_state child_state(const struct child *c);
const char *child_state_name(enum child_state state);
bool child_throttled(const struct child *c);
uint32_t child_busy(const struct child *c); /* units of work it last said to have in hand */
