/*
 * suite.h - all the services of a host (services.def): started together, replaced by a new generation in an
 * upgrade, stopped in waves.
 *
 * Stopping: every child of a wave is told to drain; when all have ended, the next wave is. Until its wave
 * comes, a child is kept running like at any other time. Quick: every child of every wave at once.
 *
 * Upgrading: a new generation of all services is started beside the one in service, on the same listeners.
 * When every child of it is ready, the old one is drained. When one has ended, or not all are ready in time,
 * the new one is drained instead, and the old one never stopped serving. Stopping wins over upgrading, and
 * stops both.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/launch.h"

struct handover;
struct options;
struct suite;

/* All come from the loop, never inside a call of suite_*(). */
struct suite_events {
        void (*on_ready)(void *arg);                      /* once: every service has a ready child */
        void (*on_status)(void *arg, const char *status); /* some child has changed: one line about all */
        /* An upgrade is over, and one generation is left. `why` is NULL when it is the new one, else the
         * reason. */
        void (*on_upgraded)(void *arg, const char *why);
        void (*on_stopped)(void *arg); /* once: no child is left */
        void *arg;
};

/* Copies what it needs of the options and of the plan (whose pointers stay borrowed). Never NULL. */
struct suite *suite_new(const struct launch_plan *plan, const struct options *opt,
                        const struct suite_events *events);
/* Instead, with the running children that were handed over; then without suite_start(). */
struct suite *suite_take_over(const struct launch_plan *plan, const struct options *opt,
                              const struct suite_events *events, const struct handover *h);
/* Adds what it knows to the handover. Changes nothing. Not during an upgrade. */
void suite_hand_over(const struct suite *s, struct handover *h);
void suite_free(struct suite *s);
unsigned suite_generation(const struct suite *s); /* the number of the one in service */

void suite_start(struct suite *s);
/* Starts a new generation, of which as many as the options say. Not while one is under way. */
void suite_upgrade(struct suite *s, const struct options *opt, unsigned number);
void suite_drain(struct suite *s);
void suite_quick(struct suite *s);
/* Takes the new drain_timeout and has every child re-read its configuration. */
void suite_reload(struct suite *s, int64_t drain_ms);
