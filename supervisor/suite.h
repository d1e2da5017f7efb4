/*
 * suite.h - all the services of a host (services.def) and their children: started together, stopped in waves.
 *
 * Stopping: every child of a wave is told to drain; when all have ended, the next wave is. Until its wave
 * comes, a child is kept running like at any other time. Quick: every child of every wave at once.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "supervisor/launch.h"

struct options;
struct suite;

/* All come from the loop, never inside a call of suite_*(). */
struct suite_events {
        void (*on_ready)(void *arg);                      /* once: every service has a ready child */
        void (*on_status)(void *arg, const char *status); /* some child has changed: one line about all */
        void (*on_stopped)(void *arg);                    /* once: no child is left */
        void *arg;
};

/* Copies what it needs of the options and of the plan (whose pointers stay borrowed). Never NULL. */
struct suite *suite_new(const struct launch_plan *plan, const struct options *opt,
                        const struct suite_events *events);
void suite_free(struct suite *s);

void suite_start(struct suite *s);
void suite_drain(struct suite *s);
void suite_quick(struct suite *s);
/* Takes the new drain_timeout and has every child re-read its configuration. */
void suite_reload(struct suite *s, int64_t drain_ms);
